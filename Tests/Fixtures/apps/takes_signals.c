/* An app that takes the server's signals for itself, as language runtimes do: in each call, and, if
 * `thread=yes`, again and again on a thread of its own. */
#include <nsgi.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static const nsgi_host *server;
static const int taken[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGCHLD};

static void mine(int number) { (void)number; }

static void take(void (*handler)(int)) {
  for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) signal(taken[i], handler);
}

static void *again(void *nothing) {
  for (;;) {
    take(mine);
    usleep(1000);
  }
  return nothing;
}

static int call(void *state, const nsgi_request *request) {
  (void)state;
  sigset_t set;
  const char *path = request->path_info.p;
  if (!strcmp(path, "/ignores")) {
    take(SIG_IGN);
  } else if (!strcmp(path, "/blocks")) {
    sigfillset(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
  } else {
    take(mine);
  }
  return server->respond(request->id, 200, NULL, 0, "taken\n", 6);
}

static int load(const nsgi_boot *boot, void **state) {
  pthread_t thread;
  server = boot->host;
  *state = NULL;
  for (const char *const *option = boot->options; *option; option += 2)
    if (!strcmp(option[0], "thread") && pthread_create(&thread, NULL, again, NULL)) return NSGI_NOMEM;
  return NSGI_OK;
}

static const nsgi_app app = {
  .head = NSGI_APP_HEAD(NSGI_THREADSAFE), .name = "takes_signals", .call = call, .load = load
};

const nsgi_app *nsgi_entry(const nsgi_host *host) {
  (void)host;
  return &app;
}
