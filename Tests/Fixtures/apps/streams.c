/* Takes its body while it comes (NSGI_STREAMS_IN), one way each path. Two more apps: counting_nsgi_entry
 * reads, sleeps and tells how many calls did so at once; failing_nsgi_entry answers what read() or, at
 * /whole, body() has said last. */
#include <nsgi.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const nsgi_host *host;
static const nsgi_pair text[] = {{NSGI_STR("Content-Type"), NSGI_STR("text/plain")}};

static int say(nsgi_id id, const char *body) { return host->respond(id, 200, text, 1, body, strlen(body)); }

/* FNV-1a over the bytes that read() brings, in pieces of an odd size. */
static int by_pieces(nsgi_id id) {
  unsigned char piece[1021];
  char line[96];
  uint64_t hash = 0xcbf29ce484222325u;
  int64_t got, total = 0;
  while ((got = host->read(id, piece, sizeof piece)) > 0) {
    for (int64_t i = 0; i < got; i++) hash = (hash ^ piece[i]) * 0x100000001b3u;
    total += got;
  }
  snprintf(line, sizeof line, "%lld %llx, then %lld", (long long)total, (unsigned long long)hash,
           (long long)got);
  return say(id, line);
}

static int whole(nsgi_id id) {
  nsgi_str body = {NULL, 0};
  char line[64];
  int result = host->body(id, &body);
  snprintf(line, sizeof line, "%zu, then %d", body.n, result);
  return say(id, line);
}

static int call(void *state, const nsgi_request *request) {
  (void)state;
  const char *path = request->path_info.p;
  if (!strcmp(path, "/ignored")) return say(request->id, "ignored");
  if (!strcmp(path, "/whole")) return whole(request->id);
  if (!strcmp(path, "/late")) usleep(20000);
  return by_pieces(request->id);
}

static int load(const nsgi_boot *boot, void **state) {
  *state = NULL;
  host = boot->host;
  return NSGI_OK;
}

static const nsgi_app app = {
  .head = NSGI_APP_HEAD(NSGI_THREADSAFE | NSGI_STREAMS_IN), .name = "streams", .call = call, .load = load
};

static int call_failing(void *state, const nsgi_request *request) {
  char piece[1021];
  int64_t got;
  (void)state;
  if (!strcmp(request->path_info.p, "/whole")) {
    nsgi_str body;
    int result = host->body(request->id, &body);
    return result < 0 ? result : say(request->id, "whole");
  }
  while ((got = host->read(request->id, piece, sizeof piece)) > 0) continue;
  return got < 0 ? (int)got : say(request->id, "whole");
}

static const nsgi_app failing = {
  .head = NSGI_APP_HEAD(NSGI_THREADSAFE | NSGI_STREAMS_IN), .name = "failing", .call = call_failing,
  .load = load
};

NSGI_EXPORT const nsgi_app *failing_nsgi_entry(const nsgi_host *unused);
const nsgi_app *failing_nsgi_entry(const nsgi_host *unused) {
  (void)unused;
  return &failing;
}

static int call_counting(void *state, const nsgi_request *request) {
  static atomic_int underway;
  char piece[1021], line[32];
  (void)state;
  while (host->read(request->id, piece, sizeof piece) > 0) continue;
  int count = atomic_fetch_add(&underway, 1) + 1;
  usleep(50000);
  atomic_fetch_sub(&underway, 1);
  snprintf(line, sizeof line, "%d at once", count);
  return say(request->id, line);
}

static const nsgi_app counting = {
  .head = NSGI_APP_HEAD(NSGI_THREADSAFE | NSGI_STREAMS_IN), .name = "counting", .call = call_counting,
  .load = load
};

NSGI_EXPORT const nsgi_app *counting_nsgi_entry(const nsgi_host *unused);
const nsgi_app *counting_nsgi_entry(const nsgi_host *unused) {
  (void)unused;
  return &counting;
}

const nsgi_app *nsgi_entry(const nsgi_host *unused) {
  (void)unused;
  return &app;
}
