/* A library with both standard symbols, and two of its own. */
#include <nsgi.h>

int application(const nsgi_environ *environ, nsgi_start_response start_response) {
  (void)environ;
  (void)start_response;
  return 11;
}

NSGI_EXPORT int other(const nsgi_environ *environ, nsgi_start_response start_response);
int other(const nsgi_environ *environ, nsgi_start_response start_response) {
  (void)environ;
  return start_response("200 OK", NULL)("other", 5);
}

static int call(void *state, const nsgi_request *request) {
  (void)state;
  (void)request;
  return 22;
}

static const nsgi_app first = {
  .head = NSGI_APP_HEAD(NSGI_THREADSAFE), .name = "first", .version = "2", .call = call
};
static const nsgi_app second = {.head = NSGI_APP_HEAD(0), .name = "second", .version = "3", .call = call};

const nsgi_app *nsgi_entry(const nsgi_host *host) {
  (void)host;
  return &first;
}

NSGI_EXPORT const nsgi_app *second_nsgi_entry(const nsgi_host *host);
const nsgi_app *second_nsgi_entry(const nsgi_host *host) {
  (void)host;
  return &second;
}
