/* Hello world as a page of kore. */
#include <kore/kore.h>
#include <kore/http.h>

int page(struct http_request *);

int page(struct http_request *request) {
  http_response_header(request, "content-type", "text/plain");
  http_response(request, 200, "Hello World\n", 12);
  return KORE_RESULT_OK;
}
