/* Answers late, or never: the call sleeps where the path says.
 *
 * nsgi_entry; never_waits_nsgi_entry, which promises NSGI_NONBLOCKING and breaks it; streams_nsgi_entry
 * (NSGI_STREAMS_IN); single_nsgi_entry, one call at a time; async_nsgi_entry, which never finishes; plain. */
#include <nsgi.h>
#include <string.h>
#include <unistd.h>

static const nsgi_host *host;
static const nsgi_pair type[] = {
  {NSGI_STR("Content-Type"), NSGI_STR("text/plain")}, {NSGI_STR("Content-Length"), NSGI_STR("10")}};

static int is(const nsgi_request *request, const char *path) {
  return strcmp(request->path_info.p, path) == 0;
}

static void wait_long(void) {
  /* Whatever interrupts it. */
  for (int second = 0; second < 40; second++) sleep(1);
}

static int call(void *state, const nsgi_request *request) {
  (void)state;
  char byte;
  if (is(request, "/quick")) return host->respond(request->id, 200, type, 1, "quick", 5);
  if (is(request, "/half") || is(request, "/declared")) {
    host->start(request->id, 200, type, is(request, "/half") ? 1 : 2);
    host->write(request->id, "half ", 5);
    host->flush(request->id);
  }
  if (is(request, "/begun")) host->start(request->id, 200, type, 2);
  if (is(request, "/held")) {
    host->start(request->id, 200, type, 1);
    host->write(request->id, "held", 4);
  }
  if (is(request, "/said")) host->respond(request->id, 200, type, 1, "said", 4);
  if (is(request, "/read")) while (host->read(request->id, &byte, 1) > 0) continue;
  wait_long();
  return host->respond(request->id, 200, type, 1, "late", 4);
}

static int load(const nsgi_boot *boot, void **state) {
  (void)state;
  host = boot->host;
  return NSGI_OK;
}

static const nsgi_app app = {
  .head = {NSGI_MAGIC, NSGI_MAJOR, 0, sizeof(nsgi_app), NSGI_THREADSAFE}, .load = load, .call = call};
NSGI_EXPORT const nsgi_app *nsgi_entry(const nsgi_host *own) { return (void)own, &app; }

static const nsgi_app never_waits = {
  .head = {NSGI_MAGIC, NSGI_MAJOR, 0, sizeof(nsgi_app), NSGI_THREADSAFE | NSGI_NONBLOCKING}, .load = load,
  .call = call};
NSGI_EXPORT const nsgi_app *never_waits_nsgi_entry(const nsgi_host *own) { return (void)own, &never_waits; }

static const nsgi_app streams = {
  .head = {NSGI_MAGIC, NSGI_MAJOR, 0, sizeof(nsgi_app), NSGI_THREADSAFE | NSGI_STREAMS_IN}, .load = load,
  .call = call};
NSGI_EXPORT const nsgi_app *streams_nsgi_entry(const nsgi_host *own) { return (void)own, &streams; }

static const nsgi_app single = {
  .head = {NSGI_MAGIC, NSGI_MAJOR, 0, sizeof(nsgi_app), 0}, .load = load, .call = call};
NSGI_EXPORT const nsgi_app *single_nsgi_entry(const nsgi_host *own) { return (void)own, &single; }

static int never(void *state, const nsgi_request *request) {
  (void)state;
  if (is(request, "/quick")) return call(state, request);
  return NSGI_ASYNC;
}
static const nsgi_app async_app = {
  .head = {NSGI_MAGIC, NSGI_MAJOR, 0, sizeof(nsgi_app), NSGI_THREADSAFE | NSGI_MAY_ASYNC}, .load = load,
  .call = never};
NSGI_EXPORT const nsgi_app *async_nsgi_entry(const nsgi_host *own) { return (void)own, &async_app; }

NSGI_EXPORT int plain(const nsgi_environ *environ, nsgi_start_response start_response) {
  static const char *const fields[] = {"Content-Type", "text/plain", NULL};
  if (strcmp(environ->get("PATH_INFO"), "/quick")) wait_long();
  return start_response("200 OK", fields)("quick", 5);
}
