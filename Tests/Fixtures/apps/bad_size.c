/* An app whose table ends before call(). */
#include <nsgi.h>

static const nsgi_app app = {.head = {NSGI_MAGIC, NSGI_MAJOR, 0, offsetof(nsgi_app, call), 0}};

const nsgi_app *nsgi_entry(const nsgi_host *host) {
  (void)host;
  return &app;
}
