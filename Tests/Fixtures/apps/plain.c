/* The plain form's own ways with a response, one path each. */
#include <nsgi.h>
#include <stdio.h>
#include <string.h>

int application(const nsgi_environ *environ, nsgi_start_response start_response) {
  static const char *const text[] = {"Content-Type", "text/plain", NULL};
  static const char *const split[] = {"X-Split", "a\r\nX-Evil: b", NULL};
  const char *path = environ->get("PATH_INFO");
  char line[32];
  if (!strcmp(path, "/reason")) return start_response("299 Fine By Me", text)("reason", 6);
  if (!strcmp(path, "/bare")) return start_response("404", text)("bare", 4);
  if (!strcmp(path, "/no-start")) return NSGI_OK;
  if (!strcmp(path, "/crlf")) {
    snprintf(line, sizeof line, "result %d", start_response("200 OK", split)("x", 1));
    return start_response("200 OK", text)(line, strlen(line));
  }
  if (!strcmp(path, "/status-crlf")) {
    snprintf(line, sizeof line, "result %d", start_response("200 OK\r\nX-Evil: b", text)("x", 1));
    return start_response("200 OK", text)(line, strlen(line));
  }
  if (!strcmp(path, "/twice")) {
    start_response("404 Not Found", NULL);
    return start_response("200 OK", text)("second", 6);
  }
  return start_response("200 OK", text)("", 0);
}
