/* Counts what it was asked: calls, the bytes of their bodies, and bodies that could not be read. GET /tally
 * tells; the query of others is the milliseconds to sleep before the body is read. */
#include <nsgi.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const nsgi_host *host;
static const nsgi_pair text[] = {{NSGI_STR("Content-Type"), NSGI_STR("text/plain")}};
static atomic_llong calls, bytes, failures;

static int say(nsgi_id id, const char *body) { return host->respond(id, 200, text, 1, body, strlen(body)); }

static int call(void *state, const nsgi_request *request) {
  (void)state;
  char piece[4096], line[96];
  int64_t got, total = 0;
  if (!strcmp(request->path_info.p, "/tally")) {
    snprintf(line, sizeof line, "%lld calls, %lld bytes, %lld failures", calls, bytes, failures);
    return say(request->id, line);
  }
  if (request->query.n) usleep((useconds_t)atoi(request->query.p) * 1000);
  while ((got = host->read(request->id, piece, sizeof piece)) > 0) total += got;
  if (got < 0) failures++;
  bytes += total;
  calls++;
  snprintf(line, sizeof line, "%lld", (long long)total);
  return say(request->id, line);
}

static int load(const nsgi_boot *boot, void **state) {
  *state = NULL;
  host = boot->host;
  return NSGI_OK;
}

/* One call at a time: the other requests wait in a queue. */
static const nsgi_app app = {.head = NSGI_APP_HEAD(0), .name = "tally", .call = call, .load = load};

const nsgi_app *nsgi_entry(const nsgi_host *unused) {
  (void)unused;
  return &app;
}

/* The same, but its calls begin before their bodies are in. */
static const nsgi_app streaming = {
  .head = NSGI_APP_HEAD(NSGI_THREADSAFE | NSGI_STREAMS_IN), .name = "streaming_tally", .call = call,
  .load = load
};

NSGI_EXPORT const nsgi_app *streaming_nsgi_entry(const nsgi_host *unused);
const nsgi_app *streaming_nsgi_entry(const nsgi_host *unused) {
  (void)unused;
  return &streaming;
}
