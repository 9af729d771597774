/* An app for tests that replay requests to two builds of it. Each path answers in its own way, some with
 * noise; what is defined at its build makes another build of it, or a worse one:
 *   /plain    a text                           PRICE=n        the number in it, in /json and in /page
 *   /json     members in any order, a random   FAILS          /status is 500
 *             number, the time                 MISSING        /status is 404
 *   /page     a page with a token              SLOW=n         /slow waits n microseconds
 *   /field    a field with a random value      FIELD='"b"'    the value of another one
 *   /status   200                              CRASHES        /crash aborts
 *   /gzip     the page, as gzip has it
 *   /slow, /crash   a text                     FAILS_IN_REPLAY   load() fails where it is only tried
 *   /count    how many requests this process   GROWS=n        each request fills n KiB more
 *             has answered
 * It logs what it is told about being tried only. */
#include <nsgi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifndef PRICE
#define PRICE 12
#endif
#ifndef SLOW
#define SLOW 0
#endif
#ifndef FIELD
#define FIELD "a"
#endif
#ifndef GROWS
#define GROWS 0
#endif

static const nsgi_host *host;
static long requests;

/* Another one each time, and in each process. */
static unsigned long long number(void) {
  static _Thread_local unsigned long long state;
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  state = state * 6364136223846793005ull + (unsigned long long)now.tv_nsec * 2 + 1 + (unsigned)getpid();
  return state;
}

static int json(char *text, size_t cap) {
  unsigned long long id = number(), now = number();
  if (now & 4096)
    return snprintf(text, cap, "{\"id\":%llu,\"items\":[{\"price\":%d}],\"now\":\"%llu\"}", id, PRICE, now);
  return snprintf(
    text, cap, "{\"now\": \"%llu\", \"items\": [{\"price\": %d}], \"id\": %llu}", now, PRICE, id);
}

static int page(char *text, size_t cap) {
  unsigned long long token = number(), rest = number(), now = number();
  return snprintf(
    text, cap, "<form><input name=\"csrf\" value=\"%llx%llx\"></form>\n<p>It costs %d.</p>\n<p>At %llu</p>\n",
    token, rest, PRICE, now);
}

/* RFC 1952: a head, one block that is stored as it is (RFC 1951), and eight bytes that nobody checks. */
static int gzip_page(char *text, size_t cap) {
  char plain[512];
  int n = page(plain, sizeof plain);
  unsigned char head[] = {
    0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, (unsigned char)n, (unsigned char)(n >> 8), (unsigned char)~n,
    (unsigned char)(~n >> 8),
  };
  if (sizeof head + (size_t)n + 8 > cap) return 0;
  memcpy(text, head, sizeof head);
  memcpy(text + sizeof head, plain, (size_t)n);
  memset(text + sizeof head + n, 0, 8);
  return (int)sizeof head + n + 8;
}

static int answer(const nsgi_request *request, int status, const char *type, const char *text, int n) {
  char value[32];
  int count = snprintf(value, sizeof value, "%llx", number());
  nsgi_pair fields[] = {
    {NSGI_STR("Content-Type"), {type, strlen(type)}}, {NSGI_STR("X-Field"), NSGI_STR(FIELD)},
    {NSGI_STR("X-Random"), {value, (size_t)count}},
  };
  /* Only one path has noise in its head. */
  size_t number_of_fields = strcmp(request->path_info.p, "/field") ? 2 : 3;
  if (!strcmp(request->path_info.p, "/gzip")) {
    fields[2] = (nsgi_pair){NSGI_STR("Content-Encoding"), NSGI_STR("gzip")};
    number_of_fields = 3;
  }
  return host->respond(request->id, status, fields, number_of_fields, text, (size_t)n);
}

static int call(void *state, const nsgi_request *request) {
  (void)state;
  char text[1024];
  const char *path = request->path_info.p;
  long count = __atomic_add_fetch(&requests, 1, __ATOMIC_RELAXED);
#if GROWS
  memset(malloc(GROWS * 1024), 1, GROWS * 1024);
#endif
  int status = 200;
#ifdef FAILS
  if (!strcmp(path, "/status")) status = 500;
#endif
#ifdef MISSING
  if (!strcmp(path, "/status")) status = 404;
#endif
#ifdef CRASHES
  if (!strcmp(path, "/crash")) abort();
#endif
  if (SLOW && !strcmp(path, "/slow")) usleep(SLOW);
  if (!strcmp(path, "/json"))
    return answer(request, status, "application/json", text, json(text, sizeof text));
  if (!strcmp(path, "/page")) return answer(request, status, "text/html", text, page(text, sizeof text));
  if (!strcmp(path, "/gzip"))
    return answer(request, status, "text/html", text, gzip_page(text, sizeof text));
  int n = strcmp(path, "/count") ? snprintf(text, sizeof text, "It costs %d.\n", PRICE)
                                 : snprintf(text, sizeof text, "%ld requests\n", count);
  return answer(request, status, "text/plain", text, n);
}

static int load(const nsgi_boot *boot, void **state) {
  (void)state;
  host = boot->host;
  const char *told = "0", *variable = getenv("NSGI_REPLAY");
  for (const char *const *pair = boot->options; pair && *pair; pair += 2)
    if (!strcmp(*pair, "server.replay")) told = pair[1];
  if (!variable) return NSGI_OK;
  char line[96];
  int n = snprintf(line, sizeof line, "only tried: NSGI_REPLAY=%s server.replay=%s", variable, told);
  host->log(0, NSGI_WARNING, (nsgi_str){line, (size_t)n});
#ifdef FAILS_IN_REPLAY
  snprintf(boot->error, boot->error_cap, "there is one already");
  return NSGI_FAIL;
#else
  return NSGI_OK;
#endif
}

static const nsgi_app app = {
  .head = NSGI_APP_HEAD(NSGI_THREADSAFE | NSGI_UNLOADABLE), .name = "replayed", .version = "1", .call = call,
  .load = load,
};

const nsgi_app *nsgi_entry(const nsgi_host *offered) {
  (void)offered;
  return &app;
}
