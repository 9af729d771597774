/* Answers that mean something to front ends: files sent in the app's place, authorization, error lines. */
#include <nsgi.h>
#include <stdlib.h>
#include <string.h>

static const nsgi_host *host;

#define FIELD(name, value) {NSGI_STR(name), NSGI_STR(value)}

/* 200 with one field more, whose value is the request's query. */
static int with_query(const nsgi_request *request, const char *name) {
  nsgi_pair fields[] = {FIELD("Content-Type", "text/plain"), {{name, strlen(name)}, request->query}};
  return host->respond(request->id, 200, fields, 2, "", 0);
}

/* 200 with X-Sendfile twice, which is refused; then what it says of that, without any. */
static int sendfile_twice(const nsgi_request *request) {
  nsgi_pair fields[] = {
    FIELD("X-Sendfile", "/first/secret"), FIELD("Content-Type", "text/plain"),
    FIELD("x-sendfile", "/second/secret")};
  int refused = host->respond(request->id, 200, fields, 3, "", 0);
  return refused == NSGI_MISUSE ? host->respond(request->id, 500, NULL, 0, "refused", 7) : refused;
}

/* 200 with a field of so many bytes as the query says. */
static int large_head(const nsgi_request *request) {
  size_t count = strtoul(request->query.p, NULL, 10);
  char *value = malloc(count);
  memset(value, 'v', count);
  nsgi_pair field = {NSGI_STR("X-Large"), {value, count}};
  int result = host->respond(request->id, 200, &field, 1, "large", 5);
  free(value);
  return result;
}

static int authorize(const nsgi_request *request) {
  nsgi_str role = host->env(request->id, (nsgi_str)NSGI_STR("FCGI_ROLE"));
  if (!role.p || strcmp(role.p, "AUTHORIZER")) return host->respond(request->id, 500, NULL, 0, "no role", 7);
  if (!strcmp(request->query.p, "no")) return host->respond(request->id, 403, NULL, 0, "go away", 7);
  static const nsgi_pair allow[] = {FIELD("Variable-AUTH_METHOD", "token")};
  return host->respond(request->id, 200, allow, 1, "", 0);
}

static int call(void *state, const nsgi_request *request) {
  (void)state;
  const char *path = request->path_info.p;
  if (!strcmp(path, "/sendfile")) return with_query(request, "X-Sendfile");
  if (!strcmp(path, "/sendfile-twice")) return sendfile_twice(request);
  if (!strcmp(path, "/large-head")) return large_head(request);
  if (!strcmp(path, "/accel")) return with_query(request, "X-Accel-Redirect");
  if (!strcmp(path, "/complain")) {
    host->log(request->id, NSGI_ERROR, (nsgi_str)NSGI_STR("something is wrong"));
  }
  nsgi_str role = host->env(request->id, (nsgi_str)NSGI_STR("FCGI_ROLE"));
  if (role.p || !strcmp(path, "/authorize")) return authorize(request);
  return host->respond(request->id, 200, NULL, 0, request->script_name.p, request->script_name.n);
}

static const nsgi_app app = {NSGI_APP_HEAD(0), .name = "gateway_extras", .call = call};

const nsgi_app *nsgi_entry(const nsgi_host *from) {
  host = from;
  return &app;
}
