/* An app whose load() waits for something that never comes. */
#include <nsgi.h>
#include <unistd.h>

static int call(void *state, const nsgi_request *request) {
  (void)state;
  (void)request;
  return NSGI_FAIL;
}

static int load(const nsgi_boot *boot, void **state) {
  (void)boot;
  *state = NULL;
  while (pause() < 0) continue;
  return NSGI_OK;
}

static const nsgi_app app = {.head = NSGI_APP_HEAD(0), .name = "hangs_in_load", .call = call, .load = load};

const nsgi_app *nsgi_entry(const nsgi_host *host) {
  (void)host;
  return &app;
}
