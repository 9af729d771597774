/* What an app of the plain form may do wrong, one path each. */
#include <nsgi.h>
#include <pthread.h>
#include <string.h>

static const nsgi_environ *environment;

static void *read_elsewhere(void *arg) {
  environment->read(arg, 1);
  return NULL;
}

int application(const nsgi_environ *environ, nsgi_start_response start_response) {
  static const char *const text[] = {"Content-Type", "text/plain", NULL};
  static const char *const split[] = {"X-Split", "a\r\nX-Evil: b", NULL};
  static const char *const three[] = {"Content-Length", "3", NULL};
  const char *path = environ->get("PATH_INFO");
  if (!strcmp(path, "/no-start")) return NSGI_OK;
  if (!strcmp(path, "/crlf")) return start_response("200 OK", split)("x", 1);
  if (!strcmp(path, "/bad-status")) return start_response("OK", text)("x", 1);
  if (!strcmp(path, "/too-long")) return start_response("200 OK", three)("abcd", 4);
  if (!strcmp(path, "/too-short")) return start_response("200 OK", three)("ab", 2);
  if (!strcmp(path, "/positive")) return start_response("200 OK", text)("x", 1) + 3;
  if (!strcmp(path, "/other-thread")) {
    char byte;
    pthread_t thread;
    environment = environ;
    if (pthread_create(&thread, NULL, read_elsewhere, &byte) == 0) pthread_join(thread, NULL);
  }
  return start_response("200 OK", text)("fine", 4);
}
