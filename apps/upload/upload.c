/* Takes files: PUT or POST /NAME streams the body to DIR/NAME (--app-option dir=DIR) as it comes in, and
 * answers its length and its FNV-1a checksum. No body is ever in memory: a client is read as fast as the disk
 * takes it. */
#include <nsgi.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 64 * 1024, LONGEST_NAME = 128 };

static const nsgi_host *host;
static const nsgi_pair type = {NSGI_STR("Content-Type"), NSGI_STR("text/plain")};

typedef struct uploads { int directory; } uploads;

static int answer(nsgi_id id, int status, const char *text) {
  return host->respond(id, status, &type, 1, text, strlen(text));
}

static void complain(nsgi_id id, const char *what) {
  char line[128];
  int n = snprintf(line, sizeof line, "%s: %s", what, strerror(errno));
  nsgi_str text = {line, (size_t)n};
  host->log(id, NSGI_ERROR, text);
}

static int is(nsgi_str text, const char *literal) {
  return text.n == strlen(literal) && memcmp(text.p, literal, text.n) == 0;
}

/* "/name.txt": one file, not hidden, of harmless characters; NULL otherwise. */
static const char *file_name(nsgi_str path) {
  static const char harmless[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
  if (path.n < 2 || path.n > LONGEST_NAME || path.p[1] == '.') return NULL;
  return strspn(path.p + 1, harmless) == path.n - 1 ? path.p + 1 : NULL;
}

static int write_all(int file, const char *bytes, size_t n) {
  while (n > 0) {
    ssize_t written = write(file, bytes, n);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return -1;
    bytes += written;
    n -= (size_t)written;
  }
  return 0;
}

/* The body as it comes in; the count of its bytes, or a negative nsgi_result. */
static int64_t receive(nsgi_id id, int file, uint64_t *hash) {
  static _Thread_local char piece[PIECE];
  int64_t total = 0, n;
  while ((n = host->read(id, piece, sizeof piece)) > 0) {
    for (int64_t i = 0; i < n; i++) *hash = (*hash ^ (unsigned char)piece[i]) * 0x100000001b3u;
    if (write_all(file, piece, (size_t)n) < 0) {
      complain(id, "an upload cannot be written");
      return NSGI_IO;
    }
    total += n;
  }
  return n < 0 ? n : total;
}

/* Into a hidden file, renamed when all of it is there: nobody sees half an upload. */
static int store(const uploads *to, const nsgi_request *request, const char *name) {
  char part[64];
  snprintf(part, sizeof part, ".%d-%" PRIu64 ".part", (int)getpid(), request->id);
  int file = openat(to->directory, part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (file < 0) {
    complain(request->id, "an upload cannot be begun");
    return NSGI_IO;
  }
  uint64_t hash = 0xcbf29ce484222325u;
  int64_t total = receive(request->id, file, &hash);
  close(file);
  if (total >= 0 && renameat(to->directory, part, to->directory, name) < 0) {
    complain(request->id, "an upload cannot be named");
    total = NSGI_IO;
  }
  if (total < 0) {
    unlinkat(to->directory, part, 0);
    return (int)total;
  }
  char line[64 + LONGEST_NAME];
  snprintf(line, sizeof line, "%s %" PRId64 " bytes, checksum %016" PRIx64 "\n", name, total, hash);
  return answer(request->id, 201, line);
}

static int call(void *state, const nsgi_request *request) {
  static const nsgi_pair allow = {NSGI_STR("Allow"), NSGI_STR("PUT, POST")};
  if (!is(request->method, "PUT") && !is(request->method, "POST"))
    return host->respond(request->id, 405, &allow, 1, NULL, 0);
  const char *name = file_name(request->path_info);
  if (!name) return answer(request->id, 400, "A name has letters, digits, '.', '_' and '-'.\n");
  int result = store(state, request, name);
  return result == NSGI_TOOBIG ? answer(request->id, 413, "Content Too Large\n") : result;
}

static const char *option(const nsgi_boot *boot, const char *key) {
  const char *found = NULL;
  for (const char *const *next = boot->options; next && *next; next += 2)
    if (strcmp(next[0], key) == 0) found = next[1];
  return found;
}

static int load(const nsgi_boot *boot, void **state) {
  host = boot->host;
  const char *path = option(boot, "dir");
  if (!path) {
    snprintf(boot->error, boot->error_cap, "where do files go? give --app-option dir=DIR");
    return NSGI_FAIL;
  }
  uploads *to = malloc(sizeof *to);
  if (!to) return NSGI_NOMEM;
  if (mkdir(path, 0755) < 0 && errno != EEXIST) goto failed;
  to->directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (to->directory < 0) goto failed;
  *state = to;
  return NSGI_OK;
failed:
  snprintf(boot->error, boot->error_cap, "dir=%s: %s", path, strerror(errno));
  free(to);
  return NSGI_FAIL;
}

static void unload(void *state) {
  close(((uploads *)state)->directory);
  free(state);
}

static const nsgi_app app = {
  .head = NSGI_APP_HEAD(NSGI_THREADSAFE | NSGI_STREAMS_IN), .name = "upload", .version = "1.0", .call = call,
  .load = load, .unload = unload
};

const nsgi_app *nsgi_entry(const nsgi_host *unused) {
  (void)unused;
  return &app;
}
