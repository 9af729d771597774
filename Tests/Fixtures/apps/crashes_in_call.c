/* An app that is good until the first request. */
#include <nsgi.h>

static volatile int *volatile nowhere;

static int call(void *state, const nsgi_request *request) {
  (void)state;
  *nowhere = (int)request->id;
  return NSGI_OK;
}

static const nsgi_app app = {.head = NSGI_APP_HEAD(0), .name = "crashes_in_call", .call = call};

const nsgi_app *nsgi_entry(const nsgi_host *host) {
  (void)host;
  return &app;
}
