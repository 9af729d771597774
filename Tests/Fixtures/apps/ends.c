/* An app with a destructor and an atexit handler that do what `end=` says: say that they ran, wait for ever,
 * fault, or abort. */
#include <nsgi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const nsgi_host *server;
static char end[16];
static volatile int *volatile nowhere;

static void say(const char *text) {
  if (write(STDERR_FILENO, text, strlen(text)) < 0) return;
}

static void at_exit(void) { say("the atexit handler ran\n"); }

__attribute__((destructor)) static void the_destructor(void) {
  if (end[0]) say("the destructor ran\n");
  if (!strcmp(end, "fault")) *nowhere = 1;
  if (!strcmp(end, "abort")) abort();
  while (!strcmp(end, "wait")) pause();
}

static int call(void *state, const nsgi_request *request) {
  (void)state;
  return server->respond(request->id, 200, NULL, 0, "ok\n", 3);
}

static int load(const nsgi_boot *boot, void **state) {
  server = boot->host;
  *state = NULL;
  for (const char *const *option = boot->options; *option; option += 2)
    if (!strcmp(option[0], "end")) snprintf(end, sizeof end, "%s", option[1]);
  return atexit(at_exit) ? NSGI_NOMEM : NSGI_OK;
}

static void unload(void *state) {
  (void)state;
  say("unload ran\n");
}

static const nsgi_app app = {
  .head = NSGI_APP_HEAD(0), .name = "ends", .call = call, .load = load, .unload = unload
};

const nsgi_app *nsgi_entry(const nsgi_host *host) {
  (void)host;
  return &app;
}
