/* The table of the full form. Go calls no pointers to functions, and cannot be in a constant table; C can. */
#include "_cgo_export.h"

static const nsgi_host *host;

int respond(const nsgi_request *request, int status, const char *text, size_t n) {
  static const nsgi_pair headers[] = {{NSGI_STR("Content-Type"), NSGI_STR("text/plain; charset=utf-8")}};
  return host->respond(request->id, status, headers, 1, text, n);
}

void log_error(nsgi_id id, const char *text, size_t n) { host->log(id, NSGI_ERROR, (nsgi_str){text, n}); }

/* One request. Any thread may come into Go. */
static int call(void *state, const nsgi_request *request) {
  (void)state;
  return goCall((nsgi_request *)request);
}

/* Once in each worker process, before any request. */
static int load(const nsgi_boot *boot, void **state) {
  host = boot->host;
  *state = NULL;
  return NSGI_OK;
}

static const nsgi_app app = {
  .head = NSGI_APP_HEAD(NSGI_THREADSAFE),
  .name = "my_app",
  .version = "0.1.0",
  .call = call,
  .load = load,
};

const nsgi_app *nsgi_entry(const nsgi_host *unused) {
  (void)unused;
  return &app;
}
