/* Interim responses, and fields behind both bodies, one path each. Its body comes while it runs. */
#include <nsgi.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIELD(name, value) {NSGI_STR(name), NSGI_STR(value)}

static const nsgi_host *host;
static const nsgi_pair sum[] = {FIELD("X-Sum", "1"), FIELD("x-other", "")};
static const nsgi_pair announced[] = {FIELD("Content-Type", "text/plain"),
                                      FIELD("Trailer", "X-Sum, x-other")};
static const nsgi_pair hint[] = {FIELD("Link", "</a.css>; rel=preload"), FIELD("X-Hint", "1")};

static int say(nsgi_id id, const char *text) {
  return host->respond(id, 200, announced, 1, text, strlen(text));
}

/* What trailers() answers before the body has been read, and what there is afterwards. */
static int echo(const nsgi_request *r) {
  char piece[1000], text[4000];
  int64_t got, total = 0;
  size_t n = 7;
  const nsgi_pair *early = host->request_trailers(r->id, &n);
  int length = snprintf(text, sizeof text, "before %d %zu", early != NULL, n);
  while ((got = host->read(r->id, piece, sizeof piece)) > 0) total += got;
  const nsgi_pair *fields = host->request_trailers(r->id, &n);
  length += snprintf(text + length, sizeof text - (size_t)length, ", read %lld then %lld, %s %zu:",
                     (long long)total, (long long)got, fields ? "there" : "absent", n);
  for (size_t i = 0; i < n && length < 3800; i++)
    length += snprintf(text + length, sizeof text - (size_t)length, " %.60s=%.60s", fields[i].name.p,
                       fields[i].value.p);
  return host->request_trailers(r->id, NULL) == fields ? say(r->id, text) : NSGI_FAIL;
}

/* A body of these bytes, and so many trailers. */
static int unary(nsgi_id id, int status, size_t heads, const char *body, size_t trailers) {
  host->start(id, status, announced, heads);
  host->write(id, body, strlen(body));
  return host->trailers(id, sum, trailers);
}

static int streamed(nsgi_id id) {
  host->start(id, 200, announced, 2);
  for (int i = 0; i < 3; i++) {
    host->write(id, i == 0 ? "a" : i == 1 ? "b" : "c", 1);
    host->flush(id);
  }
  return host->trailers(id, sum, 2);
}

static int file(nsgi_id id, const char *path, int is_announced) {
  struct stat status;
  char length[32];
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || fstat(fd, &status) < 0) return NSGI_FAIL;
  int n = snprintf(length, sizeof length, "%lld", (long long)status.st_size);
  nsgi_pair head[] = {FIELD("Content-Length", ""), FIELD("Trailer", "X-Sum")};
  head[0].value = (nsgi_str){length, (size_t)n};
  host->start(id, 200, head, is_announced ? 2 : 1);
  int result = host->sendfile(id, fd, 0, -1);
  close(fd);
  return result == NSGI_OK ? host->trailers(id, sum, 2) : result;
}

/* Trailers before all of the announced length: misuse, and nothing was done. */
static int early(nsgi_id id) {
  nsgi_pair head[] = {FIELD("Content-Length", "10"), FIELD("Trailer", "X-Sum")};
  char rest[16];
  host->start(id, 200, head, 2);
  int first = host->trailers(id, sum, 2);
  host->write(id, "abc", 3);
  snprintf(rest, sizeof rest, "%3d %3d", first, host->trailers(id, sum, 2));
  host->write(id, rest, 7);
  return host->trailers(id, sum, 2);
}

/* Fields that are no trailers, one after the other; then too many bytes. */
static int refused(nsgi_id id) {
  static const nsgi_pair wrong[] = {
    FIELD("Content-Length", "3"), FIELD("transfer-encoding", "chunked"), FIELD("Connection", "close"),
    FIELD("TE", "x"), FIELD("Set-Cookie", "a=b"), FIELD(":status", "200"), FIELD("a b", "c"),
    FIELD("X", "a\r\nb: c")};
  char text[200];
  int length = 0;
  host->start(id, 200, announced, 2);
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
    length += snprintf(text + length, sizeof text - (size_t)length, "%d ", host->trailers(id, wrong + i, 1));
  size_t size = 70000;
  char *bytes = malloc(size);
  if (!bytes) return NSGI_NOMEM;
  memset(bytes, 'x', size);
  nsgi_pair large = {NSGI_STR("X-Large"), {bytes, size}};
  length += snprintf(text + length, sizeof text - (size_t)length, "%d", host->trailers(id, &large, 1));
  free(bytes);
  host->write(id, text, (size_t)length);
  return host->trailers(id, sum, 2);
}

/* Trailers of 40000 bytes: more than a frame takes. */
static int large(nsgi_id id) {
  static char bytes[10000];
  nsgi_pair fields[] = {FIELD("x-a", ""), FIELD("x-b", ""), FIELD("x-c", ""), FIELD("x-d", "")};
  memset(bytes, '~', sizeof bytes);
  for (int i = 0; i < 4; i++) fields[i].value = (nsgi_str){bytes, sizeof bytes};
  host->start(id, 200, announced, 1);
  host->write(id, "abc", 3);
  return host->trailers(id, fields, 4);
}

static int hints(nsgi_id id) {
  char text[100];
  int a = host->interim(id, 103, hint, 2), b = host->interim(id, 102, NULL, 0);
  int c = host->interim(id, 100, NULL, 0), d = host->interim(id, 200, NULL, 0);
  static const nsgi_pair length[] = {FIELD("Content-Length", "3")}, own[] = {FIELD("Connection", "x")};
  int e = host->interim(id, 103, length, 1), f = host->interim(id, 103, own, 1);
  host->start(id, 404, NULL, 0);
  int g = host->interim(id, 103, hint, 1);
  snprintf(text, sizeof text, "%d %d, %d %d %d %d, %d", a, b, c, d, e, f, g);
  return say(id, text);
}

/* Each piece goes back as soon as it has come. */
static int duplex(nsgi_id id) {
  char piece[1000];
  int64_t got;
  host->start(id, 200, announced, 2);
  host->flush(id);
  while ((got = host->read(id, piece, sizeof piece)) > 0) {
    int result = host->write(id, piece, (size_t)got);
    if (result == NSGI_OK) result = host->flush(id);
    if (result < 0) return result;
  }
  return got < 0 ? (int)got : host->trailers(id, sum, 2);
}

static void *answer(void *arg) {
  nsgi_id id = *(nsgi_id *)arg;
  free(arg);
  host->interim(id, 103, hint, 1);
  host->finish(id, unary(id, 200, 2, "abc", 2));
  return NULL;
}

static int later(nsgi_id id) {
  pthread_t thread;
  nsgi_id *kept = malloc(sizeof *kept);
  if (!kept) return NSGI_NOMEM;
  *kept = id;
  if (pthread_create(&thread, NULL, answer, kept)) return NSGI_FAIL;
  pthread_detach(thread);
  return NSGI_ASYNC;
}

static int call(void *state, const nsgi_request *r) {
  (void)state;
  const char *path = r->path_info.p;
  nsgi_id id = r->id;
  char text[64];
  if (!strcmp(path, "/echo")) return echo(r);
  if (!strcmp(path, "/unary")) return unary(id, 200, 1, "abc", 2);
  if (!strcmp(path, "/empty")) return unary(id, 200, 1, "", 2);
  if (!strcmp(path, "/nothing")) return unary(id, 200, 2, "", 0);
  if (!strncmp(path, "/status/", 8)) return unary(id, atoi(path + 8), 0, "x", 2);
  if (!strcmp(path, "/streamed")) return streamed(id);
  if (!strcmp(path, "/file")) return file(id, r->query.p, 1);
  if (!strcmp(path, "/plain-file")) return file(id, r->query.p, 0);
  if (!strcmp(path, "/early")) return early(id);
  if (!strcmp(path, "/refused")) return refused(id);
  if (!strcmp(path, "/large")) return large(id);
  if (!strcmp(path, "/hints")) return hints(id);
  if (!strcmp(path, "/duplex")) return duplex(id);
  if (!strcmp(path, "/later")) return later(id);
  if (!strcmp(path, "/forgotten")) { /* announced, and never given */
    host->start(id, 200, announced, 2);
    return host->write(id, "abc", 3);
  }
  if (!strcmp(path, "/hinted-failure")) {
    host->interim(id, 103, hint, 1);
    return NSGI_FAIL;
  }
  if (!strcmp(path, "/respond")) { /* nothing may follow it, and it announces nothing */
    snprintf(text, sizeof text, "%d", host->respond(id, 200, announced, 2, "x", 1));
    say(id, text);
    return host->trailers(id, sum, 2) == NSGI_MISUSE ? NSGI_OK : NSGI_FAIL;
  }
  snprintf(text, sizeof text, "takes %u", r->flags & (NSGI_TAKES_INTERIM | NSGI_TAKES_TRAILERS));
  return say(id, text);
}

static int load(const nsgi_boot *boot, void **state) {
  *state = NULL;
  host = boot->host;
  return NSGI_OK;
}

static const nsgi_app app = {
  .head = {NSGI_MAGIC, NSGI_MAJOR, 1, sizeof(nsgi_app), NSGI_THREADSAFE | NSGI_STREAMS_IN | NSGI_MAY_ASYNC},
  .name = "trailers", .call = call, .load = load
};

const nsgi_app *nsgi_entry(const nsgi_host *given) { return NSGI_HAS(given, request_trailers) ? &app : NULL; }
