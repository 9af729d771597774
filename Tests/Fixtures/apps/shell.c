/* An application that runs the body of each request as a shell script, and answers with what it prints: what
 * can its user do? $DIR is the server's own directory, $COPY the directory of this build's copy.
 *   BUILD=n       another build
 *   SAYS="…"      what its constructor sends to whoever started the process, on descriptor 3
 *   HANGS         load() does not return
 * With --app-option closed=FILE load() fails while there is such a file. */
#include <dlfcn.h>
#include <nsgi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef BUILD
#define BUILD 1
#endif

static const nsgi_host *host;

#ifdef SAYS
static void say(void) __attribute__((constructor));
static void say(void) {
  static const char text[] = SAYS;
  send(3, text, sizeof text - 1, MSG_DONTWAIT);
}
#endif

static void name_directories(void) {
  Dl_info own;
  char path[4096];
  if (!dladdr((void *)name_directories, &own)) return;
  snprintf(path, sizeof path, "%s", own.dli_fname);
  *strrchr(path, '/') = 0;
  setenv("COPY", path, 1);
  *strrchr(path, '/') = 0;
  setenv("DIR", path, 1);
}

static int call(void *state, const nsgi_request *request) {
  (void)state;
  static const nsgi_pair text[] = {{NSGI_STR("Content-Type"), NSGI_STR("text/plain")}};
  nsgi_str script;
  int result = host->body(request->id, &script);
  if (result < 0) return result;
  result = host->start(request->id, 200, text, 1);
  if (result < 0) return result;
  char line[4096];
  int n = snprintf(line, sizeof line, "build %d\n", BUILD);
  result = host->write(request->id, line, (size_t)n);
  char *command = NULL;
  if (asprintf(&command, "exec 2>&1\n%s", script.p) < 0) return NSGI_NOMEM;
  FILE *output = popen(command, "re");
  free(command);
  if (!output) return NSGI_FAIL;
  while (result >= 0 && (n = (int)fread(line, 1, sizeof line, output)) > 0)
    result = host->write(request->id, line, (size_t)n);
  pclose(output);
  return result;
}

static int load(const nsgi_boot *boot, void **state) {
  (void)state;
#ifdef HANGS
  for (;;) pause();
#endif
  for (const char *const *option = boot->options; option && *option; option += 2) {
    if (strcmp(*option, "closed") || access(option[1], F_OK)) continue;
    snprintf(boot->error, boot->error_cap, "the shell is closed today");
    return NSGI_FAIL;
  }
  name_directories();
  return NSGI_OK;
}

static const nsgi_app app = {
  .head = NSGI_APP_HEAD(NSGI_THREADSAFE | NSGI_UNLOADABLE), .name = "shell", .version = "1", .call = call,
  .load = load
};

const nsgi_app *nsgi_entry(const nsgi_host *own) {
  host = own;
  return &app;
}
