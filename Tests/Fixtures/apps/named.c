/* An app whose name and version would take a terminal over, were they shown as they are. */
#include <nsgi.h>

static const nsgi_host *host;

static int call(void *state, const nsgi_request *request) {
  (void)state;
  return host->respond(request->id, 200, NULL, 0, "named", 5);
}

static const nsgi_app app = {
  .head = NSGI_APP_HEAD(NSGI_THREADSAFE), .name = "evil\x1b[31mred\x1b[2J\r\n\x07\xc2\x9b" "5m",
  .version = "1\x1b]0;title\x07", .call = call
};

const nsgi_app *nsgi_entry(const nsgi_host *given) {
  host = given;
  return &app;
}
