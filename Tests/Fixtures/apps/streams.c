/* Takes its body while it comes (NSGI_STREAMS_IN), one way each path. */
#include <nsgi.h>
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

const nsgi_app *nsgi_entry(const nsgi_host *unused) {
  (void)unused;
  return &app;
}
