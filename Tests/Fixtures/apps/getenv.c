/* Answers what it finds in the environment of its process. */
#include <nsgi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((visibility("default")))
int application(const nsgi_environ *environ, nsgi_start_response start_response) {
  static const char *const fields[] = {"Content-Type", "text/plain", NULL};
  char text[200];
  const char *proxy = getenv("HTTP_PROXY"), *other = getenv("HTTP_X");
  (void)environ;
  snprintf(text, sizeof text, "HTTP_PROXY %s, HTTP_X %s", proxy ? proxy : "absent", other ? other : "absent");
  return start_response("200 OK", fields)(text, strlen(text));
}
