/* What the measurements ask for: a tiny answer at /, 100 KiB at /100k, the length of a body at POST /len, a
 * second's sleep at /sleep. Two apps: nsgi_entry, and inline_nsgi_entry, which promises never to wait: the
 * server calls it and does not watch it. */
#include <nsgi.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#ifndef VERSION
#define VERSION "1.0"
#endif

static const nsgi_host *host;
static char large[100 * 1024];
static const nsgi_pair type = {NSGI_STR("Content-Type"), NSGI_STR("text/plain")};

static int is(nsgi_str text, const char *literal, size_t n) {
  return text.n == n && memcmp(text.p, literal, n) == 0;
}

static int answer(const nsgi_request *request, int status, const void *body, size_t n) {
  return host->respond(request->id, status, &type, 1, body, n);
}

static int answer_length(const nsgi_request *request) {
  nsgi_str body;
  int result = host->body(request->id, &body);
  if (result != NSGI_OK) return result;
  char line[32];
  return answer(request, 200, line, (size_t)snprintf(line, sizeof line, "%zu\n", body.n));
}

static int answer_late(const nsgi_request *request) {
  static const struct timespec second = {1, 0};
  nanosleep(&second, NULL);
  return answer(request, 200, "slept\n", 6);
}

static int call(void *state, const nsgi_request *request) {
  (void)state;
  if (is(request->path_info, "/", 1)) return answer(request, 200, "Hello World\n", 12);
  if (is(request->path_info, "/100k", 5)) return answer(request, 200, large, sizeof large);
  if (is(request->path_info, "/len", 4) && is(request->method, "POST", 4)) return answer_length(request);
  if (is(request->path_info, "/sleep", 6)) return answer_late(request);
  return answer(request, 404, "Not Found\n", 10);
}

static int load(const nsgi_boot *boot, void **state) {
  *state = NULL;
  host = boot->host;
  memset(large, 'x', sizeof large);
  return NSGI_OK;
}

static const nsgi_app app = {
  .head = NSGI_APP_HEAD(NSGI_THREADSAFE | NSGI_UNLOADABLE), .name = "bench", .version = VERSION,
  .call = call, .load = load
};

const nsgi_app *nsgi_entry(const nsgi_host *unused) {
  (void)unused;
  return &app;
}

static const nsgi_app in_line = {
  .head = NSGI_APP_HEAD(NSGI_THREADSAFE | NSGI_NONBLOCKING), .name = "inline", .version = VERSION,
  .call = call, .load = load
};

NSGI_EXPORT const nsgi_app *inline_nsgi_entry(const nsgi_host *unused);
const nsgi_app *inline_nsgi_entry(const nsgi_host *unused) {
  (void)unused;
  return &in_line;
}
