/* An app that wants no host of this kind. */
#include <nsgi.h>

const nsgi_app *nsgi_entry(const nsgi_host *host) {
  (void)host;
  return NULL;
}
