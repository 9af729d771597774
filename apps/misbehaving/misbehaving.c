/* A catalogue of wrongs, one a path: what an app must not do, for tests of what the server makes of it. */
#include <nsgi.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const nsgi_host *host;
static const nsgi_pair type = {NSGI_STR("Content-Type"), NSGI_STR("text/plain")};

/* In exception.cpp: throws inside the C++ kit, which catches at the border. */
int throw_through_kit(const nsgi_host *host, const nsgi_request *request);

static int say(const nsgi_request *request, const char *text) {
  return host->respond(request->id, 200, &type, 1, text, strlen(text));
}

static int with_field(const nsgi_request *request, nsgi_pair field) {
  nsgi_pair fields[] = {type, field};
  return host->respond(request->id, 200, fields, 2, "bad field\n", 10);
}

/* ---- The response -------------------------------------------------------------------------------------- */

static int early_return(const nsgi_request *request) {
  (void)request;
  return NSGI_OK;
}

static int no_start(const nsgi_request *request) { return host->write(request->id, "lost\n", 5); }

static int write_before_start(const nsgi_request *request) {
  int early = host->write(request->id, "lost\n", 5);
  int result = host->start(request->id, 200, &type, 1);
  char line[32];
  int n = snprintf(line, sizeof line, "write %d\n", early);
  return result < 0 ? result : host->write(request->id, line, (size_t)n);
}

static int two_starts(const nsgi_request *request) {
  host->start(request->id, 404, &type, 1);
  int result = host->start(request->id, 200, &type, 1);
  return result < 0 ? result : host->write(request->id, "second\n", 7);
}

static int late_start(const nsgi_request *request) {
  host->start(request->id, 200, &type, 1);
  host->write(request->id, "first\n", 6);
  host->flush(request->id);
  int late = host->start(request->id, 404, &type, 1);
  char line[32];
  return host->write(request->id, line, (size_t)snprintf(line, sizeof line, "start %d\n", late));
}

static int double_respond(const nsgi_request *request) {
  int result = say(request, "first\n");
  return result < 0 ? result : host->respond(request->id, 500, &type, 1, "second\n", 7);
}

static int crlf_header(const nsgi_request *request) {
  nsgi_pair field = {NSGI_STR("X-Split"), NSGI_STR("a\r\nSet-Cookie: stolen=1")};
  return with_field(request, field);
}

static int bad_name(const nsgi_request *request) {
  nsgi_pair field = {NSGI_STR("X Split:"), NSGI_STR("a")};
  return with_field(request, field);
}

static int connection_header(const nsgi_request *request) {
  nsgi_pair field = {NSGI_STR("Transfer-Encoding"), NSGI_STR("chunked")};
  return with_field(request, field);
}

static int bad_status(const nsgi_request *request) {
  return host->respond(request->id, 42, &type, 1, "bad status\n", 11);
}

/* Announces ten bytes and sends `n`. */
static int announced(const nsgi_request *request, size_t n) {
  nsgi_pair fields[] = {type, {NSGI_STR("Content-Length"), NSGI_STR("10")}};
  int result = host->start(request->id, 200, fields, 2);
  return result < 0 ? result : host->write(request->id, "0123456789excess", n);
}

static int too_long(const nsgi_request *request) { return announced(request, 16); }
static int too_short(const nsgi_request *request) { return announced(request, 4); }

static int infinite(const nsgi_request *request) {
  static char piece[64 * 1024];
  int result = host->start(request->id, 200, &type, 1);
  while (result >= 0) result = host->write(request->id, piece, sizeof piece);
  return result;
}

/* ---- The end ------------------------------------------------------------------------------------------- */

static int negative(const nsgi_request *request) {
  (void)request;
  return NSGI_FAIL;
}

static int negative_after_start(const nsgi_request *request) {
  host->start(request->id, 200, &type, 1);
  host->write(request->id, "part", 4);
  host->flush(request->id);
  return NSGI_FAIL;
}

static int positive(const nsgi_request *request) {
  (void)request;
  return 7;
}

/* Promised nothing of the kind: this table has no NSGI_MAY_ASYNC. */
static int unasked_async(const nsgi_request *request) {
  (void)request;
  return NSGI_ASYNC;
}

static int unasked_finish(const nsgi_request *request) {
  char line[32];
  snprintf(line, sizeof line, "finish %d\n", host->finish(request->id, NSGI_OK));
  return say(request, line);
}

static int exception(const nsgi_request *request) { return throw_through_kit(host, request); }

static int give_up(const nsgi_request *request) {
  (void)request;
  abort();
}

static int crash(const nsgi_request *request) {
  volatile int *volatile nowhere = NULL;
  *nowhere = (int)request->id;
  return NSGI_OK;
}

static int doze(const nsgi_request *request) {
  long ms = 1000;
  if (strncmp(request->query.p, "ms=", 3) == 0) ms = strtol(request->query.p + 3, NULL, 10);
  struct timespec time = {ms / 1000, ms % 1000 * 1000000};
  nanosleep(&time, NULL);
  return say(request, "slept\n");
}

/* ---- Late calls ---------------------------------------------------------------------------------------- */

static _Atomic nsgi_id late_id;

static int late_call(const nsgi_request *request) {
  atomic_store(&late_id, request->id);
  return say(request, "noted\n");
}

static void *use_late(void *arg) {
  char *report = arg;
  nsgi_id id = atomic_load(&late_id);
  char byte;
  size_t n = 1;
  nsgi_str text = {NULL, 0}, name = NSGI_STR("REQUEST_METHOD");
  const nsgi_pair *environ = host->environ(id, &n), *fields = host->fields(id, NULL);
  snprintf(report, 400,
           "environ %d %zu\nfields %d\nenv %d\nread %" PRId64 "\nbody %d\nrespond %d\nstart %d\nwrite %d\n"
           "lend %d\nsendfile %d\nflush %d\non_ready %d\nfinish %d\n",
           environ != NULL, n, fields != NULL, host->env(id, name).p != NULL, host->read(id, &byte, 1),
           host->body(id, &text), host->respond(id, 200, &type, 1, "late", 4), host->start(id, 200, &type, 1),
           host->write(id, "late", 4), host->lend(id, "late", 4, NULL, NULL), host->sendfile(id, 0, 0, -1),
           host->flush(id), host->on_ready(id, NSGI_READY_SPACE, free, NULL), host->finish(id, NSGI_OK));
  return NULL;
}

/* What a thread of the app's own gets for the request that /late-call was. */
static int late_result(const nsgi_request *request) {
  char report[400] = "";
  pthread_t thread;
  if (pthread_create(&thread, NULL, use_late, report) != 0) return NSGI_FAIL;
  pthread_join(thread, NULL);
  return say(request, report);
}

/* ---- The catalogue ------------------------------------------------------------------------------------- */

static const struct {
  nsgi_str path;
  int (*wrong)(const nsgi_request *request);
} catalogue[] = {
  {NSGI_STR("/early-return"), early_return},
  {NSGI_STR("/no-start"), no_start},
  {NSGI_STR("/write-before-start"), write_before_start},
  {NSGI_STR("/two-starts"), two_starts},
  {NSGI_STR("/late-start"), late_start},
  {NSGI_STR("/double-respond"), double_respond},
  {NSGI_STR("/crlf-header"), crlf_header},
  {NSGI_STR("/bad-name"), bad_name},
  {NSGI_STR("/connection-header"), connection_header},
  {NSGI_STR("/bad-status"), bad_status},
  {NSGI_STR("/too-long"), too_long},
  {NSGI_STR("/too-short"), too_short},
  {NSGI_STR("/infinite"), infinite},
  {NSGI_STR("/negative"), negative},
  {NSGI_STR("/negative-after-start"), negative_after_start},
  {NSGI_STR("/positive"), positive},
  {NSGI_STR("/unasked-async"), unasked_async},
  {NSGI_STR("/unasked-finish"), unasked_finish},
  {NSGI_STR("/exception"), exception},
  {NSGI_STR("/abort"), give_up},
  {NSGI_STR("/crash"), crash},
  {NSGI_STR("/sleep"), doze},
  {NSGI_STR("/late-call"), late_call},
  {NSGI_STR("/late-result"), late_result},
};

static int call(void *state, const nsgi_request *request) {
  (void)state;
  nsgi_str path = request->path_info;
  for (size_t i = 0; i < COUNT(catalogue); i++)
    if (strcmp(path.p, catalogue[i].path.p) == 0) return catalogue[i].wrong(request);
  if (strcmp(path.p, "/") == 0) return say(request, "well behaved\n");
  return host->respond(request->id, 404, &type, 1, "not in the catalogue\n", 21);
}

static int load(const nsgi_boot *boot, void **state) {
  *state = NULL;
  host = boot->host;
  return NSGI_OK;
}

static const nsgi_app app = {
  .head = NSGI_APP_HEAD(NSGI_THREADSAFE), .name = "misbehaving", .version = "1.0", .call = call, .load = load
};

const nsgi_app *nsgi_entry(const nsgi_host *unused) {
  (void)unused;
  return &app;
}
