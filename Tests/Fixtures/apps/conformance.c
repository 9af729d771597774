/* What an app may do with a response, one path each: the other side of the conformance table. */
#include <nsgi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const nsgi_host *host;

#define FIELD(name, value) {NSGI_STR(name), NSGI_STR(value)}
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
static const nsgi_pair text[] = {FIELD("Content-Type", "text/plain")};

static int say(nsgi_id id, const char *body) {
  return host->respond(id, 200, text, 1, body, strlen(body));
}

/* Tells in a good response what the host answered to a bad one. */
static int tell(nsgi_id id, int result) {
  char line[32];
  snprintf(line, sizeof line, "result %d", result);
  return say(id, line);
}

static int with_fields(nsgi_id id, int status, const nsgi_pair *fields, size_t n, const char *body) {
  return host->respond(id, status, fields, n, body, strlen(body));
}

static int bad_field(nsgi_id id, const char *name, const char *value) {
  nsgi_pair field = {{name, strlen(name)}, {value, strlen(value)}};
  return tell(id, host->start(id, 200, &field, 1));
}

static int echo(nsgi_id id, const nsgi_request *request) {
  nsgi_str body;
  int result = host->body(id, &body);
  if (result < 0) return result;
  char head[64];
  int n = snprintf(head, sizeof head, "%.*s %zu ", (int)request->method.n, request->method.p, body.n);
  host->start(id, 200, text, 1);
  host->write(id, head, (size_t)n);
  return host->write(id, body.p, body.n);
}

/* Reads the body in pieces of seven bytes and tells how much there was. */
static int count(nsgi_id id) {
  char piece[7], line[64];
  int64_t got, total = 0;
  while ((got = host->read(id, piece, sizeof piece)) > 0) total += got;
  snprintf(line, sizeof line, "read %lld, then %lld", (long long)total, (long long)got);
  return say(id, line);
}

/* Four fields of `size` bytes together, each of a letter of its own. */
static int long_head(nsgi_id id, size_t size, const char *body) {
  static const char *names[] = {"X-Long-A", "X-Long-B", "X-Long-C", "X-Long-D"};
  nsgi_pair fields[COUNT(names)];
  char *bytes = malloc(size);
  const size_t each = size / COUNT(names);
  for (size_t i = 0; i < COUNT(names); i++) {
    memset(bytes + i * each, 'a' + (int)i, each);
    fields[i] = (nsgi_pair){{names[i], strlen(names[i])}, {bytes + i * each, each}};
  }
  int result = with_fields(id, 200, fields, COUNT(names), body);
  free(bytes);
  return result;
}

/* `pieces` writes of `size` bytes each, the letter changing from piece to piece. */
static int pieces(nsgi_id id, int pieces, size_t size, int flushes) {
  char *bytes = malloc(size);
  host->start(id, 200, text, 1);
  int result = NSGI_OK;
  for (int i = 0; i < pieces && result == NSGI_OK; i++) {
    memset(bytes, 'a' + i % 26, size);
    result = host->write(id, bytes, size);
    if (flushes && result == NSGI_OK) result = host->flush(id);
  }
  free(bytes);
  return result;
}

static int announced(nsgi_id id, const char *length, const char *body) {
  nsgi_pair field = {NSGI_STR("Content-Length"), {length, strlen(length)}};
  host->start(id, 200, &field, 1);
  host->write(id, body, strlen(body));
  return NSGI_OK;
}

static int reason(nsgi_id id, const char *phrase) {
  nsgi_str text = {phrase, strlen(phrase)};
  return host->reason(id, text);
}

/* The phrase is for one head: the one that replaces it has its own. */
static int replaced_reason(nsgi_id id) {
  reason(id, "Fine By Me");
  host->start(id, 404, text, 1);
  return say(id, "second");
}

/* A phrase that is refused, or taken back, or too late, is not there. */
static int no_reason(nsgi_id id) {
  char line[64];
  int split = reason(id, "Fine\r\nX-Evil: b");
  reason(id, "Fine By Me");
  reason(id, "");
  host->start(id, 200, text, 1);
  host->write(id, "first ", 6);
  int n = snprintf(line, sizeof line, "results %d %d", split, reason(id, "Late"));
  return host->write(id, line, (size_t)n);
}

static int late_start(nsgi_id id) {
  static const nsgi_pair other[] = {FIELD("X-Late", "yes")};
  host->start(id, 200, text, 1);
  host->write(id, "first ", 6);
  char line[32];
  int n = snprintf(line, sizeof line, "result %d", host->start(id, 500, other, 1));
  return host->write(id, line, (size_t)n);
}

static int fail_late(nsgi_id id) {
  host->start(id, 200, text, 1);
  host->write(id, "half", 4);
  host->flush(id);
  return NSGI_FAIL;
}

static int call(void *state, const nsgi_request *request) {
  (void)state;
  nsgi_id id = request->id;
  const char *path = request->path_info.p;
  if (!strcmp(path, "/ok")) return say(id, "ok");
  if (!strcmp(path, "/echo")) return echo(id, request);
  if (!strcmp(path, "/count")) return count(id);
  if (!strcmp(path, "/unread")) return say(id, "not read");
  if (!strcmp(path, "/empty")) return say(id, "");
  if (!strcmp(path, "/no-start")) return NSGI_OK;
  if (!strcmp(path, "/fail")) return NSGI_FAIL;
  if (!strcmp(path, "/fail-late")) return fail_late(id);
  if (!strcmp(path, "/late-start")) return late_start(id);
  if (!strcmp(path, "/pieces")) return pieces(id, 3, 5, 0);
  if (!strcmp(path, "/flushed")) return pieces(id, 3, 5, 1);
  if (!strcmp(path, "/big")) return pieces(id, 48, 65536, 0);
  if (!strcmp(path, "/too-long")) return announced(id, "3", "abcdef");
  if (!strcmp(path, "/too-short")) return announced(id, "10", "abc");
  if (!strcmp(path, "/exact")) return announced(id, "6", "abcdef");
  if (!strcmp(path, "/crlf")) return bad_field(id, "X-Split", "a\r\nX-Evil: b");
  if (!strcmp(path, "/lf")) return bad_field(id, "X-Split", "a\nX-Evil: b");
  if (!strcmp(path, "/bad-name")) return bad_field(id, "X Split", "a");
  if (!strcmp(path, "/connection")) return bad_field(id, "Connection", "close");
  if (!strcmp(path, "/transfer-encoding")) return bad_field(id, "Transfer-Encoding", "chunked");
  if (!strcmp(path, "/bad-status")) return tell(id, host->start(id, 42, text, 1));
  if (!strcmp(path, "/reason")) {
    reason(id, "Fine By Me");
    return with_fields(id, 299, text, 1, "reason");
  }
  if (!strcmp(path, "/replaced-reason")) return replaced_reason(id);
  if (!strcmp(path, "/no-reason")) return no_reason(id);
  if (!strncmp(path, "/head/", 6)) return long_head(id, (size_t)atoi(path + 6), "behind it");
  if (!strncmp(path, "/bare-head/", 11)) return long_head(id, (size_t)atoi(path + 11), "");
  if (!strncmp(path, "/status/", 8)) return with_fields(id, atoi(path + 8), text, 1, "body");
  if (!strcmp(path, "/no-content")) {
    host->start(id, 204, NULL, 0);
    return host->write(id, "dropped", 7);
  }
  if (!strcmp(path, "/not-modified")) {
    static const nsgi_pair fields[] = {FIELD("ETag", "\"1\""), FIELD("Content-Length", "5")};
    return host->start(id, 304, fields, COUNT(fields));
  }
  if (!strcmp(path, "/twice")) {
    static const nsgi_pair first[] = {FIELD("X-First", "yes")};
    host->start(id, 404, first, 1);
    return say(id, "second");
  }
  if (!strcmp(path, "/cookies")) {
    static const nsgi_pair fields[] = {FIELD("Set-Cookie", "a=1"), FIELD("Set-Cookie", "b=2")};
    return with_fields(id, 200, fields, COUNT(fields), "two");
  }
  if (!strcmp(path, "/dated")) {
    static const nsgi_pair fields[] = {
      FIELD("Date", "Thu, 01 Jan 1970 00:00:00 GMT"), FIELD("Server", "mine")
    };
    return with_fields(id, 200, fields, COUNT(fields), "dated");
  }
  if (!strcmp(path, "/redirect")) {
    static const nsgi_pair fields[] = {FIELD("Location", "/elsewhere")};
    return with_fields(id, 302, fields, 1, "");
  }
  return with_fields(id, 404, text, 1, "no such case");
}

static int load(const nsgi_boot *boot, void **state) {
  *state = NULL;
  host = boot->host;
  return NSGI_OK;
}

static const nsgi_app app = {
  .head = NSGI_APP_HEAD(NSGI_THREADSAFE), .name = "conformance", .version = "1", .call = call, .load = load
};

const nsgi_app *nsgi_entry(const nsgi_host *unused) {
  (void)unused;
  return &app;
}
