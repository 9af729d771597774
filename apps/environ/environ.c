/* Answers with what it got: every CGI meta-variable as NAME=value, sorted, an empty line, then
 * "body <length> <FNV-1a 64 in hexadecimal>" and the body itself if it is short. The full form in C. */
#include <nsgi.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHORT_BODY = 4096 };

static const nsgi_host *host;

typedef struct text { char *bytes; size_t count, capacity; } text;

static int append(text *to, const char *bytes, size_t n) {
  if (to->count + n > to->capacity) {
    size_t capacity = (to->count + n) * 2;
    char *larger = realloc(to->bytes, capacity);
    if (!larger) return NSGI_NOMEM;
    to->bytes = larger;
    to->capacity = capacity;
  }
  if (n) memcpy(to->bytes + to->count, bytes, n);
  to->count += n;
  return NSGI_OK;
}

static int by_name(const void *a, const void *b) {
  return strcmp((*(const nsgi_pair *const *)a)->name.p, (*(const nsgi_pair *const *)b)->name.p);
}

static int append_variables(text *to, nsgi_id id) {
  size_t n;
  const nsgi_pair *pairs = host->environ(id, &n);
  const nsgi_pair **sorted = calloc(n + 1, sizeof *sorted);
  if (!sorted) return NSGI_NOMEM;
  for (size_t i = 0; i < n; i++) sorted[i] = &pairs[i];
  qsort(sorted, n, sizeof *sorted, by_name);
  int result = NSGI_OK;
  for (size_t i = 0; i < n && result == NSGI_OK; i++) {
    result = append(to, sorted[i]->name.p, sorted[i]->name.n);
    if (result == NSGI_OK) result = append(to, "=", 1);
    if (result == NSGI_OK) result = append(to, sorted[i]->value.p, sorted[i]->value.n);
    if (result == NSGI_OK) result = append(to, "\n", 1);
  }
  free(sorted);
  return result;
}

static int append_body(text *to, nsgi_id id) {
  nsgi_str body;
  int result = host->body(id, &body);
  if (result != NSGI_OK) return result;
  uint64_t hash = 0xcbf29ce484222325u;
  for (size_t i = 0; i < body.n; i++) hash = (hash ^ (unsigned char)body.p[i]) * 0x100000001b3u;
  char line[64];
  int length = snprintf(line, sizeof line, "\nbody %zu %" PRIx64 "\n", body.n, hash);
  result = append(to, line, (size_t)length);
  return result == NSGI_OK && body.n <= SHORT_BODY ? append(to, body.p, body.n) : result;
}

static int call(void *state, const nsgi_request *request) {
  static const nsgi_pair type = {NSGI_STR("Content-Type"), NSGI_STR("text/plain")};
  (void)state;
  text answer = {NULL, 0, 0};
  int result = append_variables(&answer, request->id);
  if (result == NSGI_OK) result = append_body(&answer, request->id);
  if (result == NSGI_OK) result = host->respond(request->id, 200, &type, 1, answer.bytes, answer.count);
  free(answer.bytes);
  return result;
}

static int load(const nsgi_boot *boot, void **state) {
  *state = NULL;
  host = boot->host;
  return NSGI_OK;
}

static const nsgi_app app = {
  .head = NSGI_APP_HEAD(NSGI_THREADSAFE), .name = "environ", .version = "1.0", .call = call, .load = load
};

const nsgi_app *nsgi_entry(const nsgi_host *unused) {
  (void)unused;
  return &app;
}
