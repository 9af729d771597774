/* Apps against slower clients, and requests that wait. QUERY_STRING is a number of bytes, or the path
 * of a file that opens a gate. Two apps: nsgi_entry waits; never_waits_nsgi_entry, at /pour alone, does not.
 *   /down?N     N bytes in pieces, written;  /lend?N the same, lent
 *   /pour?N     N bytes in pieces, asynchronously: each NSGI_AGAIN waits for NSGI_READY_SPACE
 *   /file?PATH  "abc", and the ten bytes of a file
 *   /up?GATE    reads its body, but not before the gate opens: its length
 *   /hold       waits, asynchronously, for /release, which ends all that hold
 *   /counts     what has been so far */
#include <nsgi.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PIECE = 48 * 1024, HELD = 1 << 14 };

static const nsgi_host *host;
static const nsgi_pair text[] = {{NSGI_STR("Content-Type"), NSGI_STR("text/plain")}};
static char piece[PIECE];
static atomic_long taken, agains, lends, releases;
static nsgi_id held[HELD];
static atomic_int holding;

static int say(nsgi_id id, const char *body) { return host->respond(id, 200, text, 1, body, strlen(body)); }

static void release(void *unused) {
  (void)unused;
  atomic_fetch_add(&releases, 1);
}

static int send_piece(nsgi_id id, size_t n, int is_lent) {
  if (!is_lent) return host->write(id, piece, n);
  atomic_fetch_add(&lends, 1);
  return host->lend(id, piece, n, release, NULL);
}

static int down(nsgi_id id, long total, int is_lent) {
  int result = host->start(id, 200, text, 1);
  for (long done = 0; done < total && result == NSGI_OK; done += PIECE) {
    size_t n = total - done < PIECE ? (size_t)(total - done) : PIECE;
    result = send_piece(id, n, is_lent);
    if (result == NSGI_OK) atomic_fetch_add(&taken, (long)n);
  }
  return result;
}

static int send_file(nsgi_id id, const char *path) {
  nsgi_pair length = {NSGI_STR("Content-Length"), NSGI_STR("13")};
  int fd = open(path, O_RDONLY), result = host->start(id, 200, &length, 1);
  if (result == NSGI_OK) result = host->write(id, "abc", 3);
  if (result == NSGI_OK) result = host->sendfile(id, fd, 0, -1);
  close(fd);
  return result;
}

static int up(nsgi_id id, const char *gate) {
  char line[64];
  int64_t got, total = 0;
  while (access(gate, F_OK)) usleep(1000);
  while ((got = host->read(id, piece, sizeof piece)) > 0) total += got;
  snprintf(line, sizeof line, "%lld, then %lld", (long long)total, (long long)got);
  return say(id, line);
}

static int counts(nsgi_id id) {
  char line[160];
  snprintf(line, sizeof line, "taken %ld agains %ld lends %ld releases %ld holding %d", taken, agains, lends,
           releases, holding);
  return say(id, line);
}

static void *end_all(void *unused) {
  (void)unused;
  for (int i = atomic_exchange(&holding, 0); i > 0; i--)
    host->finish(held[i - 1], say(held[i - 1], "released"));
  return NULL;
}

static int release_all(nsgi_id id) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, end_all, NULL)) return NSGI_FAIL;
  pthread_detach(thread);
  return say(id, "releasing");
}

static int call(void *state, const nsgi_request *request) {
  (void)state;
  const char *path = request->path_info.p;
  if (!strcmp(path, "/down")) return down(request->id, atol(request->query.p), 0);
  if (!strcmp(path, "/lend")) return down(request->id, atol(request->query.p), 1);
  if (!strcmp(path, "/file")) return send_file(request->id, request->query.p);
  if (!strcmp(path, "/up")) return up(request->id, request->query.p);
  if (!strcmp(path, "/release")) return release_all(request->id);
  if (!strcmp(path, "/counts")) return counts(request->id);
  if (strcmp(path, "/hold")) return say(request->id, path);
  int place = atomic_fetch_add(&holding, 1);
  if (place >= HELD) return NSGI_FAIL;
  held[place] = request->id;
  return NSGI_ASYNC;
}

static int load(const nsgi_boot *boot, void **state) {
  *state = NULL;
  host = boot->host;
  memset(piece, 'p', sizeof piece);
  return NSGI_OK;
}

static const nsgi_app app = {
  .head = NSGI_APP_HEAD(NSGI_THREADSAFE | NSGI_MAY_ASYNC | NSGI_STREAMS_IN), .name = "pressure",
  .call = call, .load = load
};

const nsgi_app *nsgi_entry(const nsgi_host *unused) {
  (void)unused;
  return &app;
}

/* ---- Never waits --------------------------------------------------------------------------------------- */

struct pouring {
  nsgi_id id;
  long left;
};

/* Pours what the host takes; goes on when it says that there is room. */
static void pour(void *arg) {
  struct pouring *pouring = arg;
  int result = NSGI_OK;
  while (pouring->left > 0 && result == NSGI_OK) {
    size_t n = pouring->left < PIECE ? (size_t)pouring->left : PIECE;
    result = host->write(pouring->id, piece, n);
    if (result == NSGI_OK) {
      pouring->left -= (long)n;
      atomic_fetch_add(&taken, (long)n);
    }
  }
  if (result == NSGI_AGAIN) {
    atomic_fetch_add(&agains, 1);
    if (host->on_ready(pouring->id, NSGI_READY_SPACE | NSGI_READY_GONE, pour, pouring) == NSGI_OK) return;
  }
  host->finish(pouring->id, result);
  free(pouring);
}

static int call_pouring(void *state, const nsgi_request *request) {
  if (strcmp(request->path_info.p, "/pour")) return call(state, request);
  struct pouring *pouring = malloc(sizeof *pouring);
  if (!pouring) return NSGI_NOMEM;
  *pouring = (struct pouring){request->id, atol(request->query.p)};
  host->start(request->id, 200, text, 1);
  pour(pouring);
  return NSGI_ASYNC;
}

static const nsgi_app never_waits = {
  .head = NSGI_APP_HEAD(NSGI_THREADSAFE | NSGI_MAY_ASYNC | NSGI_NONBLOCKING), .name = "never_waits",
  .call = call_pouring, .load = load
};

NSGI_EXPORT const nsgi_app *never_waits_nsgi_entry(const nsgi_host *unused);
const nsgi_app *never_waits_nsgi_entry(const nsgi_host *unused) {
  (void)unused;
  return &never_waits;
}
