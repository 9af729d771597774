/* An app that crashes when it is asked for its table. */
#include <nsgi.h>

static volatile int *volatile nowhere;

const nsgi_app *nsgi_entry(const nsgi_host *host) {
  (void)host;
  *nowhere = 1;
  return NULL;
}
