/* Counts the requests it has answered, and goes on counting after a swap: save() writes the count for the
 * next build, load() reads it. It promises to be unloadable: no threads, no thread-local destructors, no
 * pointers left behind. */
#include <nsgi.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef BUILD
#define BUILD "1"
#endif

typedef struct { const nsgi_host *host; _Atomic uint64_t count; } counter;

static int load(const nsgi_boot *boot, void **state) {
  counter *it = calloc(1, sizeof *it);
  if (!it) return NSGI_NOMEM;
  it->host = boot->host;
  /* Bytes with a form of their own, checked: another build wrote them. */
  unsigned long long saved = 0;
  if (boot->from_state.n > 0) {
    if (sscanf(boot->from_state.p, "count %llu", &saved) != 1) {
      snprintf(boot->error, boot->error_cap, "the state of version %s holds no count", boot->from_version.p);
      free(it);
      return NSGI_FAIL;
    }
  }
  atomic_store(&it->count, saved);
  *state = it;
  return NSGI_OK;
}

static int save(void *state, int (*sink)(void *arg, const void *bytes, size_t n), void *arg) {
  counter *it = state;
  char text[64];
  int n = snprintf(text, sizeof text, "count %llu", (unsigned long long)atomic_load(&it->count));
  return sink(arg, text, (size_t)n);
}

static int call(void *state, const nsgi_request *request) {
  counter *it = state;
  char text[128];
  unsigned long long count = atomic_fetch_add(&it->count, 1) + 1;
  int n = snprintf(text, sizeof text, "%llu answered, by build " BUILD "\n", count);
  static const nsgi_pair fields[] = {{NSGI_STR("Content-Type"), NSGI_STR("text/plain")}};
  return it->host->respond(request->id, 200, fields, 1, text, (size_t)n);
}

static void unload(void *state) { free(state); }

NSGI_EXPORT const nsgi_app *nsgi_entry(const nsgi_host *host) {
  (void)host;
  static const nsgi_app app = {
    .head = NSGI_APP_HEAD(NSGI_THREADSAFE | NSGI_UNLOADABLE), .name = "counter", .version = BUILD,
    .call = call, .load = load, .save = save, .unload = unload};
  return &app;
}
