/* An app for tests that keep a ledger: each answer begins and ends with the build's letter, its generation
 * and the request's id, and each id is written to the file of --app-option ledger=FILE. What is defined at
 * its build makes another build of it, or a bad one:
 *   LETTER='B'    the letter                    SAYS_FLAGS=…  its promises, NSGI_UNLOADABLE among them
 *   LOAD_FAILS, LOAD_HANGS, LOAD_CRASHES, PROBE_FAILS     what the words say
 *   CRASH_AT=n    the worker's n-th request crashes        FAILS         every answer is 500
 *   CRASH_EVERY=n so does each n-th                        EXIT_AT=n     the n-th ends the process with 0
 *   LOAD_FAILS_IN=n, LOAD_HANGS_IN=n  load() fails or hangs in worker n, and works in the trial of another
 *   CLOSABLE      load() fails while the file of --app-option closed=FILE is there
 *   LOAD_WAITS_IN=n, SAVE_WAITS, DRAIN_WAITS, UNLOAD_WAITS  wait while the file of --app-option held=FILE is
 *                 there, and show by FILE.here that they do
 *   HANGS_EVERY=n the worker's every n-th request never ends
 *   FAILS_EVERY=n each n-th answer is 500                  WAITS=n       each request waits n microseconds
 *   LEAKS=n       each request leaves n descriptors open   POISON_AFTER=n  both begin after so many
 *   PINS          holds itself in memory, whatever it promises
 *   HOLDS=n       load() fills n MiB                       GROWS=n       each request fills n KiB more */
#include <dlfcn.h>
#include <fcntl.h>
#include <nsgi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef LETTER
#define LETTER 'A'
#endif
#ifndef SAYS_FLAGS
#define SAYS_FLAGS (NSGI_THREADSAFE | NSGI_STREAMS_IN | NSGI_UNLOADABLE)
#endif
#ifndef CRASH_AT
#define CRASH_AT 0
#endif
#ifndef CRASH_EVERY
#define CRASH_EVERY 0
#endif
#ifndef EXIT_AT
#define EXIT_AT 0
#endif
#ifndef HANGS_EVERY
#define HANGS_EVERY 0
#endif
#ifndef FAILS_EVERY
#define FAILS_EVERY 0
#endif
#ifndef WAITS
#define WAITS 0
#endif
#ifndef LEAKS
#define LEAKS 0
#endif
#ifndef POISON_AFTER
#define POISON_AFTER 0
#endif
#ifndef HOLDS
#define HOLDS 0
#endif
#ifndef GROWS
#define GROWS 0
#endif

typedef struct generation {
  const nsgi_host *host;
  unsigned number, worker;
  int served; /* descriptor of the file of ids, or -1 */
  long requests, before;
  void *held;
  const char *held_by; /* the file of --app-option held=FILE, or "" */
} generation;

static const nsgi_pair text[] = {{NSGI_STR("Content-Type"), NSGI_STR("text/plain")}};

/* The value of a query such as id=17, or "". */
static void id_of(const nsgi_request *request, char *id, size_t cap) {
  const char *at = strstr(request->query.p, "id=");
  size_t n = at ? strspn(at + 3, "0123456789") : 0;
  snprintf(id, cap, "%.*s", (int)n, at ? at + 3 : "");
}

static int mark(char *line, size_t cap, const char *word, const generation *own, const char *id) {
  return snprintf(line, cap, "%s %c %u %s\n", word, LETTER, own->number, id);
}

/* Waits while the file is there, and shows that it does. */
__attribute__((unused)) static void wait_for(const char *file) {
  char here[4096];
  snprintf(here, sizeof here, "%s.here", file);
  if (!*file || access(file, F_OK)) return;
  close(open(here, O_WRONLY | O_CREAT | O_CLOEXEC, 0666));
  while (!access(file, F_OK)) usleep(5000);
}

/* 16 pieces with a pause after each: an answer that is under way for a while. */
static int stream(const generation *own, nsgi_id id) {
  char line[32];
  for (int i = 0; i < 16; i++) {
    int n = snprintf(line, sizeof line, "piece %d\n", i);
    int result = own->host->write(id, line, (size_t)n);
    if (result < 0 || (result = own->host->flush(id)) < 0) return result;
    usleep(1500);
  }
  return NSGI_OK;
}

/* 512 KiB: more than a slow reader takes at once. */
static int big(const generation *own, nsgi_id id) {
  static const char row[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.\n";
  char block[64 * 128];
  for (int i = 0; i < 128; i++) memcpy(block + 64 * i, row, 64);
  int result = NSGI_OK;
  for (int i = 0; i < 64 && result >= 0; i++) result = own->host->write(id, block, sizeof block);
  return result;
}

/* What came of the body: its length and its sum. */
static int body(const generation *own, nsgi_id id) {
  unsigned char piece[4096];
  char line[64];
  int64_t got, total = 0;
  unsigned long sum = 0;
  while ((got = own->host->read(id, piece, sizeof piece)) > 0) {
    for (int64_t i = 0; i < got; i++) sum += piece[i];
    total += got;
  }
  if (got < 0) return (int)got;
  int n = snprintf(line, sizeof line, "body %lld %lu\n", (long long)total, sum);
  return own->host->write(id, line, (size_t)n);
}

static int call(void *state, const nsgi_request *request) {
  generation *own = state;
  char id[24], line[96];
  id_of(request, id, sizeof id);
  int n = snprintf(line, sizeof line, "%s\n", id);
  if (own->served >= 0 && write(own->served, line, (size_t)n) != n) return NSGI_FAIL;
  long count = __atomic_add_fetch(&own->requests, 1, __ATOMIC_RELAXED);
  if (CRASH_AT && count == CRASH_AT) abort();
  if (CRASH_EVERY && count % (CRASH_EVERY ? CRASH_EVERY : 1) == 0) abort();
  if (EXIT_AT && count == EXIT_AT) _exit(0);
  while (HANGS_EVERY && count % (HANGS_EVERY ? HANGS_EVERY : 1) == 0) pause();
#if GROWS
  if (count > POISON_AFTER) memset(malloc(GROWS * 1024), 1, GROWS * 1024);
#endif
  for (int i = 0; i < LEAKS && count > POISON_AFTER; i++)
    if (open("/dev/null", O_RDONLY | O_CLOEXEC) < 0) return NSGI_FAIL;
  if (WAITS) usleep(WAITS);
#ifdef FAILS
  const int status = 500;
#else
  const int status = FAILS_EVERY && count % (FAILS_EVERY ? FAILS_EVERY : 1) == 0 ? 500 : 200;
#endif
  int result = own->host->start(request->id, status, text, 1);
  if (result < 0) return result;
  own->host->write(request->id, line, (size_t)mark(line, sizeof line, "begin", own, id));
  const char *path = request->path_info.p;
  if (!strcmp(path, "/stream")) result = stream(own, request->id);
  if (!strcmp(path, "/big")) result = big(own, request->id);
  if (!strcmp(path, "/body")) result = body(own, request->id);
  if (!strcmp(path, "/who")) {
    long all = own->before + count;
    n = snprintf(line, sizeof line, "pid %d worker %u count %ld\n", getpid(), own->worker, all);
    result = own->host->write(request->id, line, (size_t)n);
  }
  if (result < 0) return result;
  return own->host->write(request->id, line, (size_t)mark(line, sizeof line, "end", own, id));
}

static int load(const nsgi_boot *boot, void **state) {
#ifdef LOAD_FAILS
  snprintf(boot->error, boot->error_cap, "the ledger is closed today");
  return NSGI_FAIL;
#endif
#ifdef LOAD_FAILS_IN
  if (boot->worker == LOAD_FAILS_IN) {
    snprintf(boot->error, boot->error_cap, "worker %u has no ledger", boot->worker);
    return NSGI_FAIL;
  }
#endif
#ifdef LOAD_HANGS_IN
  while (boot->worker == LOAD_HANGS_IN) pause();
#endif
#ifdef LOAD_HANGS
  for (;;) pause();
#endif
#ifdef LOAD_CRASHES
  abort();
#endif
#ifdef PINS
  Dl_info file;
  if (!dladdr((void *)load, &file) || !dlopen(file.dli_fname, RTLD_NOW)) return NSGI_FAIL;
#endif
  generation *own = calloc(1, sizeof *own);
  if (!own) return NSGI_NOMEM;
  own->host = boot->host;
  own->number = boot->generation;
  own->worker = boot->worker;
  own->served = -1;
  if (HOLDS) own->held = memset(malloc((size_t)HOLDS << 20), 1, (size_t)HOLDS << 20);
  if (boot->from_state.n) own->before = atol(boot->from_state.p);
  own->held_by = "";
  for (const char *const *option = boot->options; option && *option; option += 2) {
    if (!strcmp(*option, "held")) own->held_by = strdup(option[1]);
    /* A request that is only replayed is in the ledger already. */
    if (!strcmp(*option, "ledger") && !getenv("NSGI_REPLAY"))
      own->served = open(option[1], O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
#ifdef CLOSABLE
    if (!strcmp(*option, "closed") && !access(option[1], F_OK)) {
      snprintf(boot->error, boot->error_cap, "the ledger is closed for now");
      return NSGI_FAIL;
    }
#endif
  }
#ifdef LOAD_WAITS_IN
  if (boot->worker == LOAD_WAITS_IN) wait_for(own->held_by);
#endif
  *state = own;
  return NSGI_OK;
}

static int probe(void *state) {
  (void)state;
#ifdef PROBE_FAILS
  return NSGI_FAIL;
#else
  return NSGI_OK;
#endif
}

static int save(void *state, int (*sink)(void *, const void *, size_t), void *arg) {
  generation *own = state;
#ifdef SAVE_WAITS
  wait_for(own->held_by);
#endif
  char line[32];
  int n = snprintf(line, sizeof line, "%ld", own->before + __atomic_load_n(&own->requests, __ATOMIC_RELAXED));
  return sink(arg, line, (size_t)n);
}

#ifdef DRAIN_WAITS
static void drain(void *state) { wait_for(((generation *)state)->held_by); }
#endif

static void unload(void *state) {
  generation *own = state;
#ifdef UNLOAD_WAITS
  wait_for(own->held_by);
#endif
  if (own->served >= 0) close(own->served);
  free(own->held);
  free(own);
}

static const nsgi_app app = {
  .head = NSGI_APP_HEAD(SAYS_FLAGS), .name = "ledger", .version = "1", .call = call, .load = load,
  .probe = probe, .save = save, .unload = unload,
#ifdef DRAIN_WAITS
  .drain = drain,
#endif
};

const nsgi_app *nsgi_entry(const nsgi_host *host) {
  (void)host;
  return &app;
}
