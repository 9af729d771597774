/* An app that counts its life: load() and unload() change what the exported counter says. */
#include <nsgi.h>
#include <stdlib.h>

extern NSGI_EXPORT int life_loads, life_unloads;
int life_loads, life_unloads;

static int call(void *state, const nsgi_request *request) {
  (void)request;
  return *(int *)state;
}

static int load(const nsgi_boot *boot, void **state) {
  (void)boot;
  int *own = malloc(sizeof *own);
  if (!own) return NSGI_NOMEM;
  *own = 5;
  *state = own;
  life_loads++;
  return NSGI_OK;
}

static void unload(void *state) {
  free(state);
  life_unloads++;
}

static const nsgi_app app = {
  .head = NSGI_APP_HEAD(NSGI_UNLOADABLE), .name = "life", .call = call, .load = load, .unload = unload
};

const nsgi_app *nsgi_entry(const nsgi_host *host) {
  (void)host;
  return &app;
}
