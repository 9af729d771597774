/* Makes the calls that a text names, one letter each, and notes the answers: s start, r reason, R respond,
 * w write, l lend, e write of nothing, f flush, i interim, t trailers. As an application it takes them from
 * the query. */
#include <nsgi.h>
#include <string.h>

static const nsgi_host *server;
static const nsgi_pair sum = {NSGI_STR("X-Sum"), NSGI_STR("1")};
static int answers[16];

/* The answers, as many as there are letters; for tests that make the calls of another host. */
__attribute__((visibility("default")))
int run_sequence(const nsgi_host *host, nsgi_id id, const char *letters, int *found) {
  int count = 0;
  for (; letters[count] != '\0' && count < 16; count++) {
    switch (letters[count]) {
      case 's': found[count] = host->start(id, 200, NULL, 0); break;
      case 'r': found[count] = host->reason(id, (nsgi_str){"Fine", 4}); break;
      case 'R': found[count] = host->respond(id, 200, NULL, 0, "x", 1); break;
      case 'w': found[count] = host->write(id, "x", 1); break;
      case 'l': found[count] = host->lend(id, "x", 1, NULL, NULL); break;
      case 'e': found[count] = host->write(id, "", 0); break;
      case 'f': found[count] = host->flush(id); break;
      case 'i': found[count] = host->interim(id, 103, NULL, 0); break;
      case 't': found[count] = host->trailers(id, &sum, 1); break;
      default: found[count] = -99; break;
    }
  }
  return count;
}

/* What the last call's sequence was answered. */
__attribute__((visibility("default"))) const int *last_answers(void) { return answers; }

static int call(void *state, const nsgi_request *request) {
  (void)state;
  int count = run_sequence(server, request->id, request->query.p, answers);
  for (int i = count; i < 16; i++) answers[i] = -99;
  return NSGI_OK;
}

static int load(const nsgi_boot *boot, void **state) {
  *state = NULL;
  server = boot->host;
  return NSGI_OK;
}

static const nsgi_app app = {
  .head = NSGI_APP_HEAD(0), .name = "sequence", .version = "1", .call = call, .load = load};

const nsgi_app *nsgi_entry(const nsgi_host *host) {
  (void)host;
  return &app;
}
