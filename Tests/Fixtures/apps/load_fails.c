/* An app whose load() says why it cannot work. */
#include <nsgi.h>
#include <stdio.h>

static int call(void *state, const nsgi_request *request) {
  (void)state;
  (void)request;
  return NSGI_FAIL;
}

static int load(const nsgi_boot *boot, void **state) {
  *state = NULL;
  snprintf(boot->error, boot->error_cap, "the answers are not there yet");
  return NSGI_FAIL;
}

static const nsgi_app app = {
  .head = NSGI_APP_HEAD(0), .name = "load_fails", .version = "1", .call = call, .load = load
};

const nsgi_app *nsgi_entry(const nsgi_host *host) {
  (void)host;
  return &app;
}
