/* What Go calls. nsgi.h is the manual of what there is. */
#include "nsgi.h"

/* The whole response, as text. */
int respond(const nsgi_request *request, int status, const char *text, size_t n);

/* A line in the server's log. */
void log_error(nsgi_id id, const char *text, size_t n);
