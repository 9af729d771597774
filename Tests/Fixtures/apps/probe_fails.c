/* An app that starts and then finds that it cannot work. */
#include <nsgi.h>

static int call(void *state, const nsgi_request *request) {
  (void)state;
  (void)request;
  return NSGI_FAIL;
}

static int probe(void *state) {
  (void)state;
  return NSGI_TIMEOUT;
}

static const nsgi_app app = {.head = NSGI_APP_HEAD(0), .name = "probe_fails", .call = call, .probe = probe};

const nsgi_app *nsgi_entry(const nsgi_host *host) {
  (void)host;
  return &app;
}
