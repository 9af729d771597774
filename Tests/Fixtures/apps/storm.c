/* Asynchronous exchanges that threads of the app end while the host cancels some of them: of the two that
 * call finish() then, exactly one may get NSGI_OK. /counts tells how often what has happened; with the
 * query "held" a request is not ended before it is cancelled. */
#include <nsgi.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { THREADS = 4, SLOTS = 1 << 16 };

static const nsgi_host *host;
static const nsgi_pair text[] = {{NSGI_STR("Content-Type"), NSGI_STR("text/plain")}};
static atomic_ulong calls, finishes, refusals, cancels, strange;
/* The number of the exchange that was cancelled last in each record of the host. */
static _Atomic nsgi_id cancelled[SLOTS];

static struct { nsgi_id id; int is_held; } queue[SLOTS];
static unsigned first, last;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static void finish(nsgi_id id, int result) {
  int answer = host->finish(id, result);
  atomic_fetch_add(answer == NSGI_OK ? &finishes : answer == NSGI_GONE ? &refusals : &strange, 1);
}

static void *work(void *unused) {
  (void)unused;
  for (;;) {
    pthread_mutex_lock(&mutex);
    while (first == last) pthread_cond_wait(&changed, &mutex);
    nsgi_id id = queue[first % SLOTS].id;
    int is_held = queue[first++ % SLOTS].is_held;
    pthread_mutex_unlock(&mutex);
    /* A later life of the record has a larger number, and may have been cancelled meanwhile as well. */
    while (is_held && atomic_load(&cancelled[id % SLOTS]) < id) sched_yield();
    int result = host->respond(id, 200, text, 1, "storm\n", 6);
    if (result != NSGI_OK && result != NSGI_GONE) atomic_fetch_add(&strange, 1);
    finish(id, result);
  }
  return NULL;
}

static int counts(nsgi_id id) {
  char line[200];
  int n = snprintf(line, sizeof line, "calls %lu finishes %lu refusals %lu cancels %lu strange %lu\n",
                   calls, finishes, refusals, cancels, strange);
  return host->respond(id, 200, text, 1, line, (size_t)n);
}

static int call(void *state, const nsgi_request *request) {
  (void)state;
  if (strcmp(request->path_info.p, "/counts") == 0) return counts(request->id);
  atomic_fetch_add(&calls, 1);
  pthread_mutex_lock(&mutex);
  queue[last % SLOTS].id = request->id;
  queue[last++ % SLOTS].is_held = strcmp(request->query.p, "held") == 0;
  pthread_cond_signal(&changed);
  pthread_mutex_unlock(&mutex);
  return NSGI_ASYNC;
}

static void cancel(void *state, const nsgi_request *request) {
  (void)state;
  nsgi_id id = request->id;
  atomic_fetch_add(&cancels, 1);
  atomic_store(&cancelled[id % SLOTS], id);
  finish(id, NSGI_GONE);
}

static int load(const nsgi_boot *boot, void **state) {
  host = boot->host;
  *state = NULL;
  pthread_t thread;
  for (int i = 0; i < THREADS; i++)
    if (pthread_create(&thread, NULL, work, NULL)) return NSGI_FAIL;
  return NSGI_OK;
}

static const nsgi_app app = {
  .head = NSGI_APP_HEAD(NSGI_THREADSAFE | NSGI_MAY_ASYNC), .name = "storm", .call = call, .load = load,
  .cancel = cancel
};

const nsgi_app *nsgi_entry(const nsgi_host *unused) {
  (void)unused;
  return &app;
}
