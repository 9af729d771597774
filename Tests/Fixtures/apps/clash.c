/* Has a global name, letter(), that every build of it has: each must find its own. A call counts answers,
 * over all requests of the library. */
#include <nsgi.h>
#include <stdatomic.h>
#include <stdio.h>

#ifndef LETTER
#define LETTER 'A'
#endif

NSGI_EXPORT int letter(void);
int letter(void) { return LETTER; }

NSGI_EXPORT atomic_long answers;
atomic_long answers;

static const nsgi_host *host;

static int call(void *state, const nsgi_request *request) {
  (void)state;
  char line[64];
  int n = snprintf(line, sizeof line, "%c %ld", letter(), ++answers);
  return host->respond(request->id, 200, NULL, 0, line, (size_t)n);
}

static int load(const nsgi_boot *boot, void **state) {
  *state = NULL;
  host = boot->host;
  return NSGI_OK;
}

static const nsgi_app app = {
  .head = NSGI_APP_HEAD(NSGI_THREADSAFE), .name = "clash", .version = "1", .call = call, .load = load
};

const nsgi_app *nsgi_entry(const nsgi_host *unused) {
  (void)unused;
  return &app;
}
