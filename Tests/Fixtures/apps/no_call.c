/* An app that forgot call(). */
#include <nsgi.h>

static const nsgi_app app = {.head = NSGI_APP_HEAD(0), .name = "no_call"};

const nsgi_app *nsgi_entry(const nsgi_host *host) {
  (void)host;
  return &app;
}
