/* An app that crashes as soon as it is linked. */
#include <nsgi.h>

static volatile int *volatile nowhere;

__attribute__((constructor)) static void begin(void) { *nowhere = 1; }

int application(const nsgi_environ *environ, nsgi_start_response start_response) {
  (void)environ;
  return start_response("200 OK", NULL)("", 0);
}
