/* An app whose table is something else. */
#include <nsgi.h>

static const nsgi_app app = {.head = {0xfeedbeef, NSGI_MAJOR, 0, sizeof(nsgi_app), 0}};

const nsgi_app *nsgi_entry(const nsgi_host *host) {
  (void)host;
  return &app;
}
