/* An app that needs a function which nobody has. */
#include <nsgi.h>

int nobody_has_this(void);

int application(const nsgi_environ *environ, nsgi_start_response start_response) {
  (void)environ;
  return start_response("200 OK", NULL)("", (size_t)nobody_has_this());
}
