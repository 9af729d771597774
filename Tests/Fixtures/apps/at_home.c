/* Belongs to the thread that has loaded it: each answer is "BUILD home N", N how many of its functions
 * another thread has called. With "slow" in the path a call takes its time. Its state is its number. */
#include <nsgi.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifndef BUILD
#define BUILD "1"
#endif

static const nsgi_host *host;
static pthread_t home;
static int astray;

static void look(const char *function) {
  if (pthread_equal(home, pthread_self())) return;
  astray++;
  fprintf(stderr, "build %s: %s on another thread\n", BUILD, function);
}

static int load(const nsgi_boot *boot, void **state) {
  (void)boot, (void)state;
  home = pthread_self();
  usleep(50 * 1000);
  return NSGI_OK;
}

static int probe(void *state) {
  (void)state;
  look("probe");
  return NSGI_OK;
}

static int call(void *state, const nsgi_request *request) {
  (void)state;
  look("call");
  if (strstr(request->path_info.p, "slow")) usleep(20 * 1000);
  char line[64];
  int n = snprintf(line, sizeof line, "%s home %d", BUILD, astray);
  return host->respond(request->id, 200, NULL, 0, line, (size_t)n);
}

static int save(void *state, int (*sink)(void *, const void *, size_t), void *argument) {
  (void)state;
  look("save");
  return sink(argument, BUILD, strlen(BUILD));
}

static void unload(void *state) {
  (void)state;
  look("unload");
  fprintf(stderr, "build %s unloaded\n", BUILD);
}

static const nsgi_app app = {
  .head = {NSGI_MAGIC, NSGI_MAJOR, 0, sizeof(nsgi_app), NSGI_THREADSAFE | NSGI_UNLOADABLE}, .name = "at_home",
  .version = BUILD, .load = load, .probe = probe, .call = call, .save = save, .unload = unload};
NSGI_EXPORT const nsgi_app *nsgi_entry(const nsgi_host *own) { return host = own, &app; }
