#include <nsgi.h>

int application(const nsgi_environ *environ, nsgi_start_response start_response) {
  (void)environ; /* nothing of the request is needed */
  static const char *const headers[] = {"Content-Type", "text/plain", NULL};
  return start_response("200 OK", headers)("Hello World!\n", 13);
}
