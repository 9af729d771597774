/* An app that answers with its own number and with what a library of its own says; with OPENS it opens the
 * library in load(), by the path in `library=`, instead of linking it. */
#include <nsgi.h>
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

static const nsgi_host *server;
#ifdef OPENS
static int (*dep_version)(void);
#else
extern int dep_version(void);
#endif

static int call(void *state, const nsgi_request *request) {
  (void)state;
  char text[64];
  int count = snprintf(text, sizeof text, "app %d library %d", NUMBER, dep_version());
  return server->respond(request->id, 200, NULL, 0, text, (size_t)count);
}

static int load(const nsgi_boot *boot, void **state) {
  server = boot->host;
  *state = NULL;
#ifdef OPENS
  for (const char *const *option = boot->options; *option; option += 2) {
    if (strcmp(option[0], "library")) continue;
    void *library = dlopen(option[1], RTLD_NOW | RTLD_LOCAL);
    if (library) *(void **)&dep_version = dlsym(library, "dep_version");
  }
  if (!dep_version) {
    snprintf(boot->error, boot->error_cap, "no library: %s", dlerror());
    return NSGI_FAIL;
  }
#endif
  return NSGI_OK;
}

static const nsgi_app app = {
  .head = NSGI_APP_HEAD(NSGI_UNLOADABLE), .name = "linked", .version = "1", .call = call, .load = load
};

const nsgi_app *nsgi_entry(const nsgi_host *host) {
  (void)host;
  return &app;
}
