/* Hello world in C for uWSGI's symcall plugin. */
#include "uwsgi.h"

int bench_hello(struct wsgi_request *request) {
  if (uwsgi_parse_vars(request)) return -1;
  if (uwsgi_response_prepare_headers(request, "200 OK", 6)) return -1;
  if (uwsgi_response_add_content_type(request, "text/plain", 10)) return -1;
  if (uwsgi_response_add_content_length(request, 12)) return -1;
  uwsgi_response_write_body_do(request, "Hello World\n", 12);
  return UWSGI_OK;
}
