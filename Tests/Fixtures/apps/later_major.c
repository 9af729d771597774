/* An app built for an interface that does not exist yet. */
#include <nsgi.h>

static const nsgi_app app = {
  .head = {NSGI_MAGIC, NSGI_MAJOR + 1, 0, sizeof(nsgi_app), 0}, .name = "later", .version = "1"
};

const nsgi_app *nsgi_entry(const nsgi_host *host) {
  (void)host;
  return &app;
}
