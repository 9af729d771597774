/* Every function of nsgi_host and every hook of nsgi_app, in C, one path each (TableTests.swift has the list
 * and what is expected; the apps beside this one do the same in other languages). Options: log=FILE gets a
 * line for each hook, file=FILE is what is sent by sendfile(), color=… is what /boot tells. */
#include <nsgi.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const nsgi_host *host;
static const nsgi_app app;
static char logfile[256], file[256], boot_report[256];
static uint32_t generation;
static _Atomic nsgi_id noted;
static char last[128];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* of last */
static const nsgi_pair type = {NSGI_STR("Content-Type"), NSGI_STR("text/plain")};

static void note(const char *what, const char *more) {
  int fd = *logfile ? open(logfile, O_WRONLY | O_APPEND | O_CREAT, 0644) : -1;
  char line[300];
  int n = snprintf(line, sizeof line, "%d %s%s\n", getpid(), what, more);
  if (fd >= 0 && write(fd, line, (size_t)n) == n) close(fd);
}

static int say(nsgi_id id, const char *format, ...) {
  char text[1000];
  va_list list;
  va_start(list, format);
  int n = vsnprintf(text, sizeof text, format, list);
  va_end(list);
  return host->respond(id, 200, &type, 1, text, (size_t)n);
}

static unsigned long long checksum(const char *bytes, size_t n, unsigned long long hash) {
  for (size_t i = 0; i < n; i++) hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001b3u;
  return hash;
}

static const unsigned long long seed = 0xcbf29ce484222325u;

/* ---- The request --------------------------------------------------------------------------------------- */

static int view(const nsgi_request *r) {
  return say(r->id, "%s mount=%s path=%s query=%s %s %s address=%s type=%s length=%lld flags=%u size %s",
             r->method.p, r->script_name.p, r->path_info.p, r->query.p, r->protocol.p, r->scheme.p,
             r->remote_addr.p, r->content_type.p, (long long)r->content_length, r->flags,
             r->size >= sizeof *r ? "whole" : "short");
}

static int environ_of(const nsgi_request *r) {
  size_t n = 0, doubles = 0;
  const char *found = "absent";
  const nsgi_pair *pairs = host->environ(r->id, &n);
  for (size_t i = 0; i < n; i++) {
    if (strcmp(pairs[i].name.p, "HTTP_X_TABLE") == 0) found = pairs[i].value.p;
    for (size_t j = 0; j < i; j++) doubles += strcmp(pairs[i].name.p, pairs[j].name.p) == 0;
  }
  return say(r->id, "%s, doubles %zu, again %s", found, doubles,
             host->environ(r->id, NULL) == pairs ? "the same" : "another");
}

static int fields_of(const nsgi_request *r) {
  size_t n = 0;
  char values[200] = "";
  const nsgi_pair *pairs = host->fields(r->id, &n);
  for (size_t i = 0; i < n; i++)
    if (strcmp(pairs[i].name.p, "x-table") == 0) strcat(strcat(values, pairs[i].value.p), "|");
  return say(r->id, "%s", values);
}

static int env_of(const nsgi_request *r) {
  nsgi_str name = NSGI_STR("HTTP_X_TABLE"), absent = NSGI_STR("HTTP_NOTHING");
  return say(r->id, "%s, %s", host->env(r->id, name).p, host->env(r->id, absent).p ? "there" : "absent");
}

static int read_all(const nsgi_request *r) {
  char piece[1021];
  unsigned long long hash = seed;
  int64_t got, total = 0;
  while ((got = host->read(r->id, piece, sizeof piece)) > 0) {
    hash = checksum(piece, (size_t)got, hash);
    total += got;
  }
  got = host->read(r->id, piece, sizeof piece);
  return say(r->id, "%lld %llx, then %d", (long long)total, hash, (int)got);
}

static int whole_body(const nsgi_request *r) {
  nsgi_str once, twice;
  int result = host->body(r->id, &once) | host->body(r->id, &twice);
  return say(r->id, "%zu %llx, result %d, again %s", once.n, checksum(once.p, once.n, seed), result,
             once.p == twice.p ? "the same" : "another");
}

/* ---- The response -------------------------------------------------------------------------------------- */

static int replace_start(const nsgi_request *r) {
  host->start(r->id, 500, NULL, 0);
  nsgi_pair fields[] = {type, {NSGI_STR("X-Table"), NSGI_STR("replaced")}};
  return host->respond(r->id, 202, fields, 2, "respond", 7);
}

static void release(void *count) { atomic_fetch_add((atomic_int *)count, 1); }

static int stream(const nsgi_request *r) {
  atomic_int released = 0;
  nsgi_pair fields[] = {type, {NSGI_STR("X-Table"), NSGI_STR("streamed")}};
  int fd = open(file, O_RDONLY);
  int bad = host->start(r->id, 201, fields, 2);
  bad |= host->write(r->id, "one ", 4);
  bad |= host->flush(r->id);
  bad |= host->lend(r->id, "two ", 4, release, &released);
  bad |= host->lend(r->id, "three ", 6, NULL, NULL);
  bad |= host->sendfile(r->id, fd, 2, 4);
  bad |= host->sendfile(r->id, fd, 7, -1);
  close(fd);
  char line[64];
  int n = snprintf(line, sizeof line, " released %d, results %d", released, bad);
  return host->write(r->id, line, (size_t)n);
}

/* ---- Asynchronous -------------------------------------------------------------------------------------- */

static atomic_int is_ready, is_replaced;

/* finish() twice: what it said. */
static void finish_twice(nsgi_id id, int bad) {
  bad |= host->finish(id, NSGI_OK);
  int again = host->finish(id, NSGI_OK);
  pthread_mutex_lock(&mutex);
  snprintf(last, sizeof last, "finish %d, again %d", bad, again);
  pthread_mutex_unlock(&mutex);
}

static int tell_last(const nsgi_request *r) {
  pthread_mutex_lock(&mutex);
  int result = say(r->id, "%s", last);
  pthread_mutex_unlock(&mutex);
  return result;
}

static void *on_thread(void *arg) {
  nsgi_id id = *(nsgi_id *)arg;
  free(arg);
  int bad = host->on_ready(id, NSGI_READY_GONE, release, &is_replaced);
  bad |= host->on_ready(id, NSGI_READY_SPACE, release, &is_ready);
  while (!atomic_load(&is_ready)) usleep(500);
  bad |= host->on_ready(id, NSGI_READY_GONE, release, &is_replaced);
  bad |= host->on_ready(id, 0, NULL, NULL);
  bad |= say(id, "ready %d, replaced %d, results %d", is_ready, is_replaced, bad);
  atomic_store(&noted, id);
  finish_twice(id, bad);
  return NULL;
}

static int later(const nsgi_request *r) {
  nsgi_id *id = malloc(sizeof *id);
  if (!id) return NSGI_NOMEM;
  *id = r->id;
  atomic_store(&is_ready, 0);
  atomic_store(&is_replaced, 0);
  pthread_t thread;
  if (pthread_create(&thread, NULL, on_thread, id)) return NSGI_FAIL;
  pthread_detach(thread);
  return NSGI_ASYNC;
}

/* Ended before its call has returned. */
static int early(const nsgi_request *r) {
  host->respond(r->id, 200, &type, 1, "early", 5);
  finish_twice(r->id, 0);
  return NSGI_ASYNC;
}

static void *answer_beside(void *arg) {
  nsgi_id id = *(nsgi_id *)arg;
  host->start(id, 200, &type, 1);
  host->write(id, "from a thread", 13);
  return NULL;
}

static int beside(const nsgi_request *r) {
  nsgi_id id = r->id;
  pthread_t thread;
  if (pthread_create(&thread, NULL, answer_beside, &id)) return NSGI_FAIL;
  pthread_join(thread, NULL);
  return NSGI_OK;
}

/* ---- Wrongs -------------------------------------------------------------------------------------------- */

struct list {
  char text[400];
  size_t n;
};

static void add(struct list *list, const char *name, int64_t result) {
  size_t room = sizeof list->text - list->n;
  list->n += (size_t)snprintf(list->text + list->n, room, "%s %d ", name, (int)result);
}

static int misuse(const nsgi_request *r) {
  struct list list = {"", 0};
  nsgi_id id = r->id;
  nsgi_str nothing = {NULL, 5};
  char byte;
  atomic_int released = 0;
  add(&list, "write", host->write(id, "x", 1));
  add(&list, "lend", host->lend(id, "x", 1, release, &released));
  add(&list, "sendfile", host->sendfile(id, 0, 0, 1));
  add(&list, "flush", host->flush(id));
  add(&list, "start", host->start(id, 199, NULL, 0));
  add(&list, "start", host->start(id, 600, NULL, 0));
  add(&list, "start", host->start(id, 200, NULL, 1));
  add(&list, "respond", host->respond(id, 200, NULL, 1, "x", 1));
  add(&list, "respond", host->respond(id, 200, NULL, 0, NULL, 5));
  add(&list, "read", host->read(id, NULL, 5));
  add(&list, "read", host->read(id, &byte, 0));
  add(&list, "body", host->body(id, NULL));
  add(&list, "env", host->env(id, nothing).p != NULL);
  add(&list, "on_ready", host->on_ready(id, NSGI_READY_SPACE, NULL, NULL));
  add(&list, "on_ready", host->on_ready(id, 64, release, &released));
  host->log(id, NSGI_ERROR, nothing);
  add(&list, "extension", host->extension(NULL) != NULL);
  host->start(id, 200, &type, 1);
  add(&list, "write", host->write(id, NULL, 5));
  add(&list, "write", host->write(id, NULL, 0));
  add(&list, "lend", host->lend(id, NULL, 5, release, &released));
  add(&list, "sendfile", host->sendfile(id, -1, 0, 1));
  add(&list, "sendfile", host->sendfile(id, 0, -1, 1));
  host->write(id, list.text, list.n);
  list.n = 0;
  add(&list, "start", host->start(id, 200, &type, 1));
  add(&list, "respond", host->respond(id, 200, &type, 1, "x", 1));
  add(&list, "released", released);
  return host->write(id, list.text, list.n);
}

/* Minor 1: an interim response, and fields behind both bodies. */
static int behind(const nsgi_request *r) {
  const nsgi_pair link = {NSGI_STR("Link"), NSGI_STR("</a>; rel=preload")};
  const nsgi_pair head[] = {type, {NSGI_STR("Trailer"), NSGI_STR("X-Table")}};
  const nsgi_pair own = {NSGI_STR("X-Table"), NSGI_STR("behind")}, bad = {NSGI_STR("Host"), NSGI_STR("x")};
  struct list list = {"", 0};
  nsgi_id id = r->id;
  size_t n = 0;
  const nsgi_pair *fields = host->request_trailers(id, &n);
  for (size_t i = 0; i < n; i++)
    list.n += (size_t)snprintf(list.text + list.n, sizeof list.text - list.n, "%s=%s ", fields[i].name.p,
                               fields[i].value.p);
  add(&list, "trailers", host->trailers(id, &own, 1));
  add(&list, "interim", host->interim(id, 103, &link, 1));
  add(&list, "interim", host->interim(id, 101, &link, 1));
  add(&list, "interim", host->interim(id, 103, NULL, 1));
  host->start(id, 200, head, 2);
  add(&list, "trailers", host->trailers(id, &bad, 1));
  add(&list, "trailers", host->trailers(id, NULL, 1));
  host->write(id, list.text, list.n);
  int result = host->interim(id, 103, &link, 1) == NSGI_MISUSE ? host->trailers(id, &own, 1) : NSGI_FAIL;
  return result == NSGI_OK && host->trailers(id, &own, 1) == NSGI_MISUSE ? NSGI_OK : NSGI_FAIL;
}

/* Everything for a request that is over, or never was. */
static void ask(struct list *list, nsgi_id id) {
  char byte;
  size_t n = 1;
  nsgi_str text, name = NSGI_STR("REQUEST_METHOD");
  atomic_int released = 0;
  add(list, "environ", (host->environ(id, &n) != NULL) + (int)n);
  add(list, "fields", host->fields(id, NULL) != NULL);
  add(list, "env", host->env(id, name).p != NULL);
  add(list, "read", host->read(id, &byte, 1));
  add(list, "body", host->body(id, &text));
  add(list, "respond", host->respond(id, 200, &type, 1, "late", 4));
  add(list, "start", host->start(id, 200, &type, 1));
  add(list, "write", host->write(id, "late", 4));
  add(list, "lend", host->lend(id, "late", 4, release, &released));
  add(list, "sendfile", host->sendfile(id, 0, 0, -1));
  add(list, "flush", host->flush(id));
  add(list, "on_ready", host->on_ready(id, NSGI_READY_SPACE, release, &released));
  add(list, "finish", host->finish(id, NSGI_OK));
  add(list, "interim", host->interim(id, 103, NULL, 0));
  add(list, "trailers", host->trailers(id, NULL, 0));
  add(list, "request_trailers", host->request_trailers(id, NULL) != NULL);
  add(list, "released", released);
}

static int late(const nsgi_request *r) {
  struct list over = {"", 0}, never = {"", 0};
  ask(&over, atomic_load(&noted));
  ask(&never, 0);
  return say(r->id, "%s, %s", over.text, strcmp(over.text, never.text) ? never.text : "and never the same");
}

/* ---- The table ----------------------------------------------------------------------------------------- */

static int call(void *state, const nsgi_request *r) {
  const char *path = r->path_info.p;
  if (state != &generation) return NSGI_FAIL;
  if (!strcmp(path, "/boot")) return say(r->id, "%s", boot_report);
  if (!strncmp(path, "/request", 8)) return view(r);
  if (!strcmp(path, "/environ")) return environ_of(r);
  if (!strcmp(path, "/fields")) return fields_of(r);
  if (!strcmp(path, "/env")) return env_of(r);
  if (!strcmp(path, "/extension")) return say(r->id, "%s", host->extension("no.such/1") ? "there" : "absent");
  if (!strcmp(path, "/log")) host->log(r->id, NSGI_WARNING, (nsgi_str)NSGI_STR("the table's line"));
  if (!strcmp(path, "/read")) return read_all(r);
  if (!strcmp(path, "/body")) return whole_body(r);
  if (!strcmp(path, "/respond")) return replace_start(r);
  if (!strcmp(path, "/stream")) return stream(r);
  if (!strcmp(path, "/later")) return later(r);
  if (!strcmp(path, "/early")) return early(r);
  if (!strcmp(path, "/last")) return tell_last(r);
  if (!strcmp(path, "/beside")) return beside(r);
  if (!strcmp(path, "/misuse")) return misuse(r);
  if (!strcmp(path, "/behind")) return behind(r);
  if (!strcmp(path, "/late")) return late(r);
  if (!strcmp(path, "/fail")) return NSGI_FAIL;
  if (!strcmp(path, "/waiting")) {
    note("waiting", "");
    return NSGI_ASYNC;
  }
  return say(r->id, "table");
}

static int load(const nsgi_boot *boot, void **state) {
  const char *color = "none";
  host = boot->host;
  generation = boot->generation;
  *state = &generation;
  for (const char *const *option = boot->options; *option; option += 2) {
    if (!strcmp(option[0], "log")) snprintf(logfile, sizeof logfile, "%s", option[1]);
    if (!strcmp(option[0], "file")) snprintf(file, sizeof file, "%s", option[1]);
    if (!strcmp(option[0], "color")) color = option[1];
  }
  snprintf(boot_report, sizeof boot_report,
           "worker %u of %u, generation %u, %s on %s, table %s, from '%s' '%s'", boot->worker, boot->workers,
           boot->generation, color, host->server, boot->app == &app ? "own" : "another",
           boot->from_version.p, boot->from_state.p);
  note("load", "");
  if (strcmp(color, "refuse")) return NSGI_OK;
  snprintf(boot->error, boot->error_cap, "no such color");
  return NSGI_FAIL;
}

static int probe(void *state) {
  note("probe", "");
  return state == &generation ? NSGI_OK : NSGI_FAIL;
}

static int save(void *state, int (*sink)(void *arg, const void *bytes, size_t n), void *arg) {
  char number[16];
  int n = snprintf(number, sizeof number, "%u", *(uint32_t *)state);
  note("save", "");
  int result = sink(arg, "saved by ", 9);
  return result < 0 ? result : sink(arg, number, (size_t)n);
}

static void drain(void *state) { note("drain", state == &generation ? "" : " stranger"); }
static void unload(void *state) { note("unload", state == &generation ? "" : " stranger"); }
static void thread(void *state, int entering) {
  note(entering ? "enter" : "leave", state == &generation ? "" : " stranger");
}

static void cancel(void *state, const nsgi_request *r) {
  struct list list = {"", 0};
  nsgi_id id = r->id;
  char byte;
  if (strcmp(r->path_info.p, "/waiting")) return; /* its call is running, and will end it */
  note("cancel ", state == &generation ? r->path_info.p : "stranger");
  add(&list, "read", host->read(id, &byte, 1));
  add(&list, "start", host->start(id, 200, &type, 1));
  add(&list, "respond", host->respond(id, 200, &type, 1, "x", 1));
  add(&list, "write", host->write(id, "x", 1));
  add(&list, "flush", host->flush(id));
  add(&list, "finish", host->finish(id, NSGI_GONE));
  add(&list, "again", host->finish(id, NSGI_GONE));
  note("cancelled ", list.text);
}

static const void *extension(const char *id) { return strcmp(id, "table/1") ? NULL : "the table's own"; }

static const nsgi_app app = {
  .head = NSGI_APP_HEAD(NSGI_THREADSAFE | NSGI_MAY_ASYNC), .name = "table", .version = "1.2", .call = call,
  .load = load, .probe = probe, .save = save, .drain = drain, .unload = unload, .thread = thread,
  .cancel = cancel, .extension = extension
};

const nsgi_app *nsgi_entry(const nsgi_host *offer) { return offer->head.major == NSGI_MAJOR ? &app : NULL; }
