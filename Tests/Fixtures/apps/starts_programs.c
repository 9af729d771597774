/* Starts a program at each time of its life, which writes into $OUT which signals it finds blocked and which
 * ignored: "PLACE HOW SigBlk SigIgn". */
#include <nsgi.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static const nsgi_host *host;

static void wait_for(pid_t pid) {
  int status;
  while (pid > 0 && waitpid(pid, &status, 0) < 0) continue;
}

static void start(const char *place) {
  char script[512], *words[] = {"sh", "-c", script, NULL};
  static const char format[] =
    "echo %s %s $(grep -E '^Sig(Blk|Ign)' /proc/self/status | cut -f2) >> \"$OUT\"";
  pid_t pid;
  snprintf(script, sizeof script, format, place, "posix_spawn");
  if (!posix_spawnp(&pid, "sh", NULL, NULL, words, environ)) wait_for(pid);
  snprintf(script, sizeof script, format, place, "vfork");
  pid = vfork();
  if (!pid) {
    execvp("sh", words);
    _exit(127);
  }
  wait_for(pid);
  snprintf(script, sizeof script, format, place, "fork");
  pid = fork();
  if (!pid) {
    execvp("sh", words);
    _exit(127);
  }
  wait_for(pid);
  snprintf(script, sizeof script, format, place, "system");
  if (system(script)) return;
}

static void at_exit(void) { start("atexit"); }
__attribute__((constructor)) static void construct(void) { start("constructor"); }
__attribute__((destructor)) static void destruct(void) { start("destructor"); }

static void *run(void *place) {
  start(place);
  return NULL;
}

static void thread(const char *place) {
  pthread_t thread;
  if (!pthread_create(&thread, NULL, run, (void *)place)) pthread_join(thread, NULL);
}

static int load(const nsgi_boot *boot, void **state) {
  (void)boot, (void)state;
  atexit(at_exit);
  start("load");
  thread("thread-of-load");
  return NSGI_OK;
}

static int call(void *state, const nsgi_request *request) {
  (void)state;
  start("call");
  thread("thread-of-call");
  return host->respond(request->id, 200, NULL, 0, "done", 4);
}

static void unload(void *state) {
  (void)state;
  start("unload");
}

static const nsgi_app app = {
  .head = {NSGI_MAGIC, NSGI_MAJOR, 0, sizeof(nsgi_app), NSGI_THREADSAFE}, .load = load, .call = call,
  .unload = unload};
NSGI_EXPORT const nsgi_app *nsgi_entry(const nsgi_host *own) { return host = own, &app; }
