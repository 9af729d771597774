/* Serves the files below a directory (--app-option root=DIR): GET and HEAD, one byte range, validators. The
 * kernel sends the bytes; the app never sees them. */
#include <nsgi.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const nsgi_host *host;

typedef struct site { int root; } site;

static int refuse(nsgi_id id, int status, const char *text) {
  static const nsgi_pair type = {NSGI_STR("Content-Type"), NSGI_STR("text/plain")};
  return host->respond(id, status, &type, 1, text, strlen(text));
}

/* ---- From a path to an open file ----------------------------------------------------------------------- */

/* Opens root/path step by step: a segment that begins with a dot ("..", hidden files) or is a symbolic link
 * ends the walk, so that no path leads out of root. -1 with errno. */
static int open_below(int root, nsgi_str path) {
  int place = dup(root);
  const char *next = path.p, *end = path.p + path.n;
  while (place >= 0 && next < end) {
    while (next < end && *next == '/') next++;
    const char *stop = memchr(next, '/', (size_t)(end - next));
    if (!stop) stop = end;
    char name[256];
    size_t n = (size_t)(stop - next);
    if (n == 0) break;
    if (*next == '.' || n >= sizeof name || memchr(next, 0, n)) {
      close(place);
      errno = ENOENT;
      return -1;
    }
    memcpy(name, next, n);
    name[n] = 0;
    int inner = openat(place, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    int why = errno;
    close(place);
    errno = why;
    place = inner;
    next = stop;
  }
  return place;
}

/* The file, or a directory's index.html, with its status in `about`. -1 with errno. */
static int open_file(int root, nsgi_str path, struct stat *about) {
  int file = open_below(root, path);
  if (file < 0 || fstat(file, about) < 0) return file;
  int isSlashed = path.n > 0 && path.p[path.n - 1] == '/';
  if (S_ISDIR(about->st_mode) && isSlashed) {
    int index = openat(file, "index.html", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    close(file);
    if (index < 0 || fstat(index, about) < 0) return index;
    file = index;
    isSlashed = 0;
  }
  if (S_ISREG(about->st_mode) && !isSlashed) return file;
  close(file);
  errno = ENOENT;
  return -1;
}

static nsgi_str type_of(nsgi_str path) {
  static const struct { const char *ending; nsgi_str type; } types[] = {
    {".html", NSGI_STR("text/html; charset=utf-8")}, {".txt", NSGI_STR("text/plain; charset=utf-8")},
    {".css", NSGI_STR("text/css; charset=utf-8")},   {".js", NSGI_STR("text/javascript; charset=utf-8")},
    {".json", NSGI_STR("application/json")},         {".svg", NSGI_STR("image/svg+xml")},
    {".png", NSGI_STR("image/png")},                 {".jpg", NSGI_STR("image/jpeg")},
    {".pdf", NSGI_STR("application/pdf")},           {".wasm", NSGI_STR("application/wasm")},
  };
  static const nsgi_str unknown = NSGI_STR("application/octet-stream");
  if (path.n == 0 || path.p[path.n - 1] == '/') return types[0].type;
  for (size_t i = 0; i < COUNT(types); i++) {
    size_t n = strlen(types[i].ending);
    if (path.n > n && strcasecmp(path.p + path.n - n, types[i].ending) == 0) return types[i].type;
  }
  return unknown;
}

/* ---- Conditions and ranges (RFC 9110 §13, §14) --------------------------------------------------------- */

typedef struct entity {
  int64_t size;
  char etag[48], modified[40];
} entity;

static void describe(entity *it, const struct stat *about) {
  struct tm parts;
  it->size = about->st_size;
  snprintf(it->etag, sizeof it->etag, "\"%" PRIx64 "-%" PRIx64 ".%lx\"", (uint64_t)about->st_size,
           (uint64_t)about->st_mtim.tv_sec, (unsigned long)about->st_mtim.tv_nsec);
  gmtime_r(&about->st_mtim.tv_sec, &parts);
  strftime(it->modified, sizeof it->modified, "%a, %d %b %Y %H:%M:%S GMT", &parts);
}

static nsgi_str variable(nsgi_id id, const char *name) {
  nsgi_str wanted = {name, strlen(name)};
  return host->env(id, wanted);
}

static int is_unchanged(nsgi_id id, const entity *it) {
  nsgi_str match = variable(id, "HTTP_IF_NONE_MATCH");
  if (match.p) return strcmp(match.p, "*") == 0 || strstr(match.p, it->etag) != NULL;
  nsgi_str since = variable(id, "HTTP_IF_MODIFIED_SINCE");
  return since.p && strcmp(since.p, it->modified) == 0;
}

typedef enum part { WHOLE, RANGE, UNSATISFIABLE } part;

/* Digits only; -1 if there are none or too many. */
static int64_t number(const char **text) {
  int64_t value = -1;
  for (; **text >= '0' && **text <= '9'; ++*text) {
    if (value > INT64_MAX / 10 - 1) return -1;
    value = (value < 0 ? 0 : value) * 10 + (**text - '0');
  }
  return value;
}

/* "bytes=2-5", "bytes=2-" or "bytes=-5"; any other Range is ignored, as the RFC allows. */
static part wanted_part(nsgi_id id, const entity *it, int64_t *first, int64_t *count) {
  *first = 0;
  *count = it->size;
  nsgi_str range = variable(id, "HTTP_RANGE"), condition = variable(id, "HTTP_IF_RANGE");
  if (!range.p || strncasecmp(range.p, "bytes=", 6) != 0) return WHOLE;
  int isOther = condition.p && strcmp(condition.p, it->etag) != 0 && strcmp(condition.p, it->modified) != 0;
  if (isOther) return WHOLE;
  const char *text = range.p + 6;
  int64_t from = number(&text);
  if (*text++ != '-') return WHOLE;
  int64_t to = number(&text);
  if (*text || (from < 0 && to < 0) || (from >= 0 && to >= 0 && to < from)) return WHOLE;
  if (from < 0) {
    if (to == 0 || it->size == 0) return UNSATISFIABLE;
    *first = to < it->size ? it->size - to : 0;
    *count = it->size - *first;
    return RANGE;
  }
  if (from >= it->size) return UNSATISFIABLE;
  *first = from;
  *count = (to < 0 || to >= it->size ? it->size - 1 : to) - from + 1;
  return RANGE;
}

/* ---- The answer ---------------------------------------------------------------------------------------- */

static nsgi_pair field(const char *name, const char *value) {
  nsgi_pair pair = {{name, strlen(name)}, {value, strlen(value)}};
  return pair;
}

static int send_file(const nsgi_request *request, int file, const entity *it) {
  nsgi_pair fields[6] = {field("ETag", it->etag), field("Last-Modified", it->modified),
                         field("Accept-Ranges", "bytes")};
  size_t n = 3;
  if (is_unchanged(request->id, it)) return host->respond(request->id, 304, fields, n, NULL, 0);
  int64_t first, count;
  part part = wanted_part(request->id, it, &first, &count);
  char range[96], length[24];
  if (part == UNSATISFIABLE) {
    snprintf(range, sizeof range, "bytes */%" PRId64, it->size);
    fields[n++] = field("Content-Range", range);
    return host->respond(request->id, 416, fields, n, NULL, 0);
  }
  if (part == RANGE) {
    int64_t last = first + count - 1;
    snprintf(range, sizeof range, "bytes %" PRId64 "-%" PRId64 "/%" PRId64, first, last, it->size);
    fields[n++] = field("Content-Range", range);
  }
  snprintf(length, sizeof length, "%" PRId64, count);
  fields[n++] = field("Content-Length", length);
  fields[n].name = field("Content-Type", "").name;
  fields[n++].value = type_of(request->path_info);
  int result = host->start(request->id, part == RANGE ? 206 : 200, fields, n);
  return result < 0 || count == 0 ? result : host->sendfile(request->id, file, first, count);
}

static int call(void *state, const nsgi_request *request) {
  static const nsgi_pair allow = {NSGI_STR("Allow"), NSGI_STR("GET, HEAD")};
  if (strcmp(request->method.p, "GET") != 0 && strcmp(request->method.p, "HEAD") != 0)
    return host->respond(request->id, 405, &allow, 1, NULL, 0);
  struct stat about;
  int file = open_file(((site *)state)->root, request->path_info, &about);
  if (file < 0 && errno == EACCES) return refuse(request->id, 403, "Forbidden\n");
  if (file < 0) return refuse(request->id, 404, "Not Found\n");
  entity it;
  describe(&it, &about);
  int result = send_file(request, file, &it);
  close(file);
  return result;
}

static int load(const nsgi_boot *boot, void **state) {
  host = boot->host;
  const char *path = NULL;
  for (const char *const *next = boot->options; next && *next; next += 2)
    if (strcmp(next[0], "root") == 0) path = next[1];
  if (!path) {
    snprintf(boot->error, boot->error_cap, "which files? give --app-option root=DIR");
    return NSGI_FAIL;
  }
  site *it = malloc(sizeof *it);
  if (!it) return NSGI_NOMEM;
  it->root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (it->root < 0) {
    snprintf(boot->error, boot->error_cap, "root=%s: %s", path, strerror(errno));
    free(it);
    return NSGI_FAIL;
  }
  *state = it;
  return NSGI_OK;
}

static void unload(void *state) {
  close(((site *)state)->root);
  free(state);
}

static const nsgi_app app = {
  .head = NSGI_APP_HEAD(NSGI_THREADSAFE), .name = "files", .version = "1.0", .call = call, .load = load,
  .unload = unload
};

const nsgi_app *nsgi_entry(const nsgi_host *unused) {
  (void)unused;
  return &app;
}
