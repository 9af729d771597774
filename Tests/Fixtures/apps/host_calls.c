/* What an app may ask of the host beyond the usual, one path each; QUERY_STRING is a number where one is
 * needed. */
#include <nsgi.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const nsgi_host *host;
static const nsgi_pair text[] = {{NSGI_STR("Content-Type"), NSGI_STR("text/plain")}};

static int say(nsgi_id id, const char *body) { return host->respond(id, 200, text, 1, body, strlen(body)); }

static int tell(nsgi_id id, int result) {
  char line[32];
  snprintf(line, sizeof line, "result %d", result);
  return say(id, line);
}

/* X-Sendfile for the file that the path names, with the given status. */
static int send_file(nsgi_id id, int status, const char *name) {
  nsgi_pair field = {NSGI_STR("X-Sendfile"), {name, strlen(name)}};
  return host->respond(id, status, &field, 1, "", 0);
}

/* `size` bytes in one call; the letter changes every 1000 bytes, so that a lost stretch shows. */
static int whole(nsgi_id id, size_t size) {
  char *bytes = malloc(size + 1);
  for (size_t i = 0; i < size; i++) bytes[i] = (char)('a' + i / 1000 % 26);
  int result = host->respond(id, 200, text, 1, bytes, size);
  free(bytes);
  return result;
}

/* The body as body() gives it: whether its bytes and the zero behind them are there. */
static int body(nsgi_id id) {
  nsgi_str body = {NULL, 1};
  char line[64];
  int result = host->body(id, &body);
  if (result < 0) return tell(id, result);
  snprintf(line, sizeof line, "%zu %s %s", body.n, body.p ? "there" : "NULL",
           !body.p ? "-" : body.p[body.n] ? "unterminated" : "terminated");
  return say(id, line);
}

static int identity(nsgi_id id, const nsgi_request *request) {
  char line[64];
  const char *type = request->content_type.p ? "there" : "NULL";
  snprintf(line, sizeof line, "id %s, type %s", id ? "set" : "zero", type);
  return say(id, line);
}

static int announced(nsgi_id id, const char *length) {
  nsgi_pair field = {NSGI_STR("Content-Length"), {length, strlen(length)}};
  int result = host->respond(id, 200, &field, 1, "abc", 3);
  return result < 0 ? tell(id, result) : result;
}

static int null_write(nsgi_id id) {
  host->start(id, 200, text, 1);
  char line[32];
  int n = snprintf(line, sizeof line, "result %d", host->write(id, NULL, 5));
  return host->write(id, line, (size_t)n);
}

static int call(void *state, const nsgi_request *request) {
  (void)state;
  nsgi_id id = request->id;
  const char *path = request->path_info.p;
  long number = atol(request->query.p);
  if (!strncmp(path, "/file/", 6)) return send_file(id, number ? (int)number : 200, path + 6);
  if (!strcmp(path, "/whole")) return whole(id, (size_t)number);
  if (!strcmp(path, "/body")) return body(id);
  if (!strcmp(path, "/identity")) return identity(id, request);
  if (!strcmp(path, "/address")) return say(id, request->remote_addr.p);
  if (!strcmp(path, "/announced")) return announced(id, request->query.p);
  if (!strcmp(path, "/null-write")) return null_write(id);
  if (!strcmp(path, "/sleep")) usleep((useconds_t)number * 1000);
  return say(id, path);
}

static void *wait_for_ever(void *unused) {
  (void)unused;
  for (;;) pause();
  return NULL;
}

/* The option "thread" starts a thread, as language runtimes do. */
static int load(const nsgi_boot *boot, void **state) {
  *state = NULL;
  host = boot->host;
  pthread_t thread;
  for (int i = 0; boot->options && boot->options[i]; i += 2)
    if (!strcmp(boot->options[i], "thread")) pthread_create(&thread, NULL, wait_for_ever, NULL);
  return NSGI_OK;
}

static const nsgi_app app = {
  .head = NSGI_APP_HEAD(NSGI_THREADSAFE), .name = "host_calls", .version = "1", .call = call, .load = load
};

const nsgi_app *nsgi_entry(const nsgi_host *unused) {
  (void)unused;
  return &app;
}

/* The same, but it promises never to wait: its calls stay on the event loop. */
static const nsgi_app pinned = {
  .head = NSGI_APP_HEAD(NSGI_THREADSAFE | NSGI_NONBLOCKING), .name = "pinned", .version = "1", .call = call,
  .load = load
};

NSGI_EXPORT const nsgi_app *pinned_nsgi_entry(const nsgi_host *unused);
const nsgi_app *pinned_nsgi_entry(const nsgi_host *unused) {
  (void)unused;
  return &pinned;
}
