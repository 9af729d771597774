/* Promises to be unloadable, and stays in memory all the same: it holds itself. */
#include <dlfcn.h>
#include <nsgi.h>

#ifndef BUILD
#define BUILD "1"
#endif

static const nsgi_host *host;

static int load(const nsgi_boot *boot, void **state) {
  (void)state;
  host = boot->host;
  Dl_info own;
  if (!dladdr((void *)load, &own) || !dlopen(own.dli_fname, RTLD_NOW)) return NSGI_FAIL;
  return NSGI_OK;
}

static int call(void *state, const nsgi_request *request) {
  (void)state;
  return host->respond(request->id, 200, NULL, 0, BUILD, sizeof BUILD - 1);
}

NSGI_EXPORT const nsgi_app *nsgi_entry(const nsgi_host *unused) {
  (void)unused;
  static const nsgi_app app = {
    .head = NSGI_APP_HEAD(NSGI_THREADSAFE | NSGI_UNLOADABLE), .name = "pinned", .version = BUILD,
    .call = call, .load = load};
  return &app;
}
