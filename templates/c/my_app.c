/* my_app: an application for nsgi-server. nsgi.h is the manual. */
#include "nsgi.h"

#include <string.h>

static const nsgi_host *host;

static const nsgi_pair headers[] = {{NSGI_STR("Content-Type"), NSGI_STR("text/plain; charset=utf-8")}};

static int answer(const nsgi_request *request, int status, const char *text) {
  return host->respond(request->id, status, headers, 1, text, strlen(text));
}

/* One request. Runs on several threads at once, as NSGI_THREADSAFE says below. */
static int call(void *state, const nsgi_request *request) {
  (void)state;
  if (strcmp(request->path_info.p, "/") != 0) return answer(request, 404, "There is nothing here.\n");
  return answer(request, 200, "Hello World!\n");
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
