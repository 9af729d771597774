/* What an asynchronous app may do right and wrong, by --app-option mode=…; a thread answers each request.
 * Four apps: nsgi_entry, never_waits_nsgi_entry (NSGI_NONBLOCKING), leaves_nsgi_entry (NSGI_UNLOADABLE) and
 * stays_nsgi_entry, which promises that too and does not keep it. */
#include <nsgi.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const nsgi_host *host;
static char mode[32];
static const nsgi_pair text[] = {{NSGI_STR("Content-Type"), NSGI_STR("text/plain")}};

static int is(const char *name) { return strcmp(mode, name) == 0; }

static int answer(nsgi_id id) { return host->respond(id, 200, text, 1, "later\n", 6); }

static void endless(nsgi_id id) {
  int result = host->start(id, 200, text, 1);
  while (result == NSGI_OK) {
    result = host->write(id, "tick\n", 5);
    usleep(1000);
  }
}

static void lend(nsgi_id id) {
  static char bytes[] = "lent\n";
  host->start(id, 200, text, 1);
  host->lend(id, bytes, 5, NULL, NULL);
  bytes[0]++;
}

static void *work(void *arg) {
  nsgi_request *request = arg;
  nsgi_id id = request->id;
  int result = NSGI_OK;
  if (is("endless")) endless(id);
  else if (is("lent")) lend(id);
  else if (is("stranger")) host->flush(id + 1000000);
  else result = answer(id);
  free(request);
  if (is("never")) return NULL;
  host->finish(id, result);
  if (is("twice")) host->finish(id, result);
  if (is("late")) host->write(id, "late", 4);
  return NULL;
}

static const nsgi_request *kept;

static int call(void *state, const nsgi_request *request) {
  (void)state;
  if (is("keeps")) {
    int uses = kept && kept->id == request->id;
    kept = request;
    return uses ? NSGI_FAIL : answer(request->id);
  }
  if (is("never") && strcmp(request->method.p, "HEAD") != 0) return answer(request->id);
  nsgi_request *own = malloc(sizeof *own);
  if (!own) return NSGI_NOMEM;
  *own = *request;
  pthread_t thread;
  if (pthread_create(&thread, NULL, work, own) != 0) return NSGI_FAIL;
  pthread_detach(thread);
  return NSGI_ASYNC;
}

static int load(const nsgi_boot *boot, void **state) {
  *state = NULL;
  host = boot->host;
  for (const char *const *option = boot->options; *option; option += 2)
    if (strcmp(option[0], "mode") == 0) strncpy(mode, option[1], sizeof mode - 1);
  return NSGI_OK;
}

static const nsgi_app app = {
  .head = NSGI_APP_HEAD(NSGI_THREADSAFE | NSGI_MAY_ASYNC), .name = "async", .call = call, .load = load
};

const nsgi_app *nsgi_entry(const nsgi_host *unused) {
  (void)unused;
  return &app;
}

/* ---- Never waits: reads the body as far as it is there, and is called when there is more ----------- */

struct reading {
  nsgi_id id;
  int64_t total;
};

static void read_on(void *arg) {
  struct reading *reading = arg;
  nsgi_id id = reading->id;
  char piece[512];
  int64_t got;
  while ((got = host->read(id, piece, sizeof piece)) > 0) reading->total += got;
  if (got == NSGI_AGAIN && host->on_ready(id, NSGI_READY_BODY, read_on, reading) == NSGI_OK) return;
  free(reading);
  host->finish(id, got < 0 ? (int)got : answer(id));
}

static int call_reading(void *state, const nsgi_request *request) {
  (void)state;
  struct reading *reading = calloc(1, sizeof *reading);
  if (!reading) return NSGI_NOMEM;
  reading->id = request->id;
  read_on(reading);
  return NSGI_ASYNC;
}

static const nsgi_app never_waits = {
  .head = NSGI_APP_HEAD(NSGI_THREADSAFE | NSGI_MAY_ASYNC | NSGI_NONBLOCKING | NSGI_STREAMS_IN),
  .name = "never_waits", .call = call_reading, .load = load
};

NSGI_EXPORT const nsgi_app *never_waits_nsgi_entry(const nsgi_host *unused);
const nsgi_app *never_waits_nsgi_entry(const nsgi_host *unused) {
  (void)unused;
  return &never_waits;
}

/* ---- Unloadable, or so it says --------------------------------------------------------------------- */

static int call_plainly(void *state, const nsgi_request *request) {
  (void)state;
  return answer(request->id);
}

static int load_for_ever(const nsgi_boot *boot, void **state) {
  Dl_info own;
  if (!dladdr(text, &own) || !dlopen(own.dli_fname, RTLD_NOW | RTLD_NODELETE)) return NSGI_FAIL;
  return load(boot, state);
}

static const nsgi_app leaves = {
  .head = NSGI_APP_HEAD(NSGI_UNLOADABLE), .name = "leaves", .call = call_plainly, .load = load
};
static const nsgi_app stays = {
  .head = NSGI_APP_HEAD(NSGI_UNLOADABLE), .name = "stays", .call = call_plainly, .load = load_for_ever
};

NSGI_EXPORT const nsgi_app *leaves_nsgi_entry(const nsgi_host *unused);
const nsgi_app *leaves_nsgi_entry(const nsgi_host *unused) {
  (void)unused;
  return &leaves;
}

NSGI_EXPORT const nsgi_app *stays_nsgi_entry(const nsgi_host *unused);
const nsgi_app *stays_nsgi_entry(const nsgi_host *unused) {
  (void)unused;
  return &stays;
}
