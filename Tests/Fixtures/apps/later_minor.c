/* An app that needs a minor version which is still to come. */
#include <nsgi.h>

static int call(void *state, const nsgi_request *request) {
  (void)state;
  (void)request;
  return NSGI_FAIL;
}

static const nsgi_app app = {
  .head = {NSGI_MAGIC, NSGI_MAJOR, 9, sizeof(nsgi_app), 0}, .name = "later_minor", .call = call
};

const nsgi_app *nsgi_entry(const nsgi_host *host) {
  (void)host;
  return &app;
}
