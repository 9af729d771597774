/* tiny_host: a second host of NSGI, written from docs/NSGI.md: answers one CGI request (RFC 3875), and ends.
 *   tiny_host APP.so [KEY=VALUE...]
 * Numbers in comments are clauses of that text. */
#include <nsgi.h>

#include <ctype.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;
enum { ID = 1, MOST = 256, NO_BODY = -2 }; /* NO_BODY as length: what is written is dropped */
static const nsgi_app *app; /* NULL: the plain form */
static void *state;
static nsgi_request request;
static nsgi_pair variables[MOST], fields[MOST];
static size_t variable_count, field_count;
static const char *plain_list[2 * MOST + 1];
static char *body, *head, phrase[256]; /* body: all of it; head: of the response; NULL: not there */
static int64_t received, taken, length = -1, written;
static int has_begun, is_complete, is_gone, is_over; /* head sent; respond() was there; client; exchange */
static pthread_t thread_of_call;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of what follows, is_gone and is_over */
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int result, ready_what, is_cancelled;
static void (*ready)(void *), *ready_argument;

static nsgi_str text(const char *p) { return (nsgi_str){p ? p : "", p ? strlen(p) : 0}; }

static void log_(nsgi_id id, int level, nsgi_str line) {
  (void)id, (void)level;
  for (size_t i = 0; i < line.n; i++)
    fprintf(stderr, iscntrl((unsigned char)line.p[i]) ? "\\x%02x" : "%c", (unsigned char)line.p[i]);
  fputc('\n', stderr);
}
static int misuse(const char *why) { return log_(ID, NSGI_ERROR, text(why)), NSGI_MISUSE; }
static const void *extension(const char *id) { return (void)id, NULL; } /* 11.3 */

/* ---- The request */

static const nsgi_pair *pairs(nsgi_id id, const nsgi_pair *all, size_t count, size_t *n) {
  if (n) *n = id == ID && !is_over ? count : 0; /* 7.3 */
  return id == ID && !is_over ? all : NULL;
}
static const nsgi_pair *environ_(nsgi_id id, size_t *n) { return pairs(id, variables, variable_count, n); }
static const nsgi_pair *fields_(nsgi_id id, size_t *n) { return pairs(id, fields, field_count, n); }

static nsgi_str env(nsgi_id id, nsgi_str name) {
  const char *value = id == ID && !is_over ? getenv(strndupa(name.p, name.n)) : NULL;
  return (nsgi_str){value, value ? strlen(value) : 0};
}

static int64_t receive(char *to, int64_t n) {
  int64_t left = request.content_length - received, count = 0;
  if (n > left) n = left;
  while (n > 0 && (count = read(0, to, (size_t)n)) < 0 && errno == EINTR) continue;
  if (n > 0 && count <= 0) return count < 0 ? NSGI_IO : NSGI_GONE; /* 5.2: it breaks off */
  received += count;
  return count;
}

static int receive_all(void) {
  int64_t count = 1;
  if (!body && !(body = calloc(1, (size_t)request.content_length + 1))) return NSGI_NOMEM;
  while (count > 0) count = receive(body + received, request.content_length);
  return (int)count;
}

static int64_t read_(nsgi_id id, void *buffer, size_t capacity) {
  if (id != ID || is_over) return NSGI_GONE;
  int64_t n = capacity < 1 << 30 ? (int64_t)capacity : 1 << 30;
  if (!body) n = receive(buffer, n); /* it streams */
  else if (n > received - taken) n = received - taken;
  if (body) memcpy(buffer, body + taken, (size_t)n);
  if (n > 0) taken += n;
  return n;
}

static int body_(nsgi_id id, nsgi_str *whole) {
  *whole = text(NULL);
  if (id != ID || is_over) return NSGI_GONE;
  if (app && app->head.flags & NSGI_STREAMS_IN && taken > 0) return NSGI_MISUSE; /* 5.3 */
  int status = receive_all();
  if (status == NSGI_OK) *whole = (nsgi_str){body, (size_t)received};
  return status;
}

/* ---- The response */

static int is_stale(nsgi_id id) { return id != ID || is_over || is_gone; }

static int send_(const char *bytes, int64_t n) {
  while (n > 0) {
    ssize_t count = write(1, bytes, (size_t)n);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) { /* 10.4 */
      pthread_mutex_lock(&lock);
      is_gone = 1;
      pthread_cond_signal(&changed);
      pthread_mutex_unlock(&lock);
      return NSGI_GONE;
    }
    bytes += count, n -= count;
  }
  return NSGI_OK;
}

static const char *problem_of(nsgi_str name, nsgi_str value) { /* 6.3 */
  static const char own[] = " connection keep-alive transfer-encoding upgrade te trailer proxy-authenticate "
                            "proxy-authorization status ";
  char word[64];
  for (size_t i = 0; i < name.n; i++)
    if (!isalnum((unsigned char)name.p[i]) && !memchr("!#$%&'*+-.^_`|~", name.p[i], 15)) return "no token";
  for (size_t i = 0; i < value.n; i++)
    if (iscntrl((unsigned char)value.p[i]) && value.p[i] != '\t') return "a value has control characters";
  snprintf(word, sizeof word, " %.*s ", (int)name.n, name.p);
  return name.n == 0 || strcasestr(own, word) ? "a field has no name, or is the host's" : NULL;
}

/* Keeps a head for later, in place of the one before (6.2). */
static int set_head(int status, const char *words, const nsgi_pair *list, size_t n) {
  size_t size;
  const char *problem = status < 200 || status > 599 ? "a status is 200 to 599" : NULL;
  free(head), head = NULL; /* 6.3: after misuse there is none */
  FILE *out = open_memstream(&head, &size);
  length = -1;
  fprintf(out, "Status: %d %s\r\n", status, words);
  for (size_t i = 0; i < n && !problem; i++) {
    nsgi_str name = list[i].name, value = list[i].value;
    problem = problem_of(name, value);
    if (name.n == 14 && !strncasecmp(name.p, "content-length", 14))
      length = strtoll(strndupa(value.p, value.n), NULL, 10);
    fprintf(out, "%.*s: %.*s\r\n", (int)name.n, name.p, (int)value.n, value.p);
  }
  fclose(out), phrase[0] = 0;
  if (problem) return free(head), head = NULL, misuse(problem);
  if (request.flags & NSGI_HEAD_ONLY || status == 204 || status == 304) length = NO_BODY; /* 6.8 */
  return NSGI_OK;
}

static int begin(void) {
  if (!head) return NSGI_MISUSE;
  if (has_begun++) return NSGI_OK;
  return send_(head, (int64_t)strlen(head)) == NSGI_OK ? send_("\r\n", 2) : NSGI_GONE;
}

static int start(nsgi_id id, int status, const nsgi_pair *list, size_t n) {
  if (is_stale(id)) return NSGI_GONE;
  if (has_begun || is_complete) return misuse("a head comes too late");
  return set_head(status, phrase, list, n);
}

static int write_(nsgi_id id, const void *bytes, size_t n) {
  if (is_stale(id)) return NSGI_GONE;
  if (!head || is_complete) return NSGI_MISUSE;
  int status = n > 0 ? begin() : NSGI_OK;
  if (status != NSGI_OK || length == NO_BODY) return status;
  int64_t fits = length >= 0 && (int64_t)n > length - written ? length - written : (int64_t)n;
  written += fits, status = send_(bytes, fits);
  return status == NSGI_OK && fits < (int64_t)n ? NSGI_MISUSE : status; /* 6.4 */
}

static int respond(nsgi_id id, int status, const nsgi_pair *list, size_t n, const void *p, size_t size) {
  int made = start(id, status, list, n);
  if (made != NSGI_OK) return made;
  if (length >= 0 && (size_t)length != size)
    return free(head), head = NULL, misuse("Content-Length is not that of the body");
  if (length == -1) length = (int64_t)size;
  made = size > 0 ? write_(id, p, size) : begin();
  is_complete = 1;
  return made;
}

static int lend(nsgi_id id, const void *bytes, size_t n, void (*release)(void *), void *argument) {
  int status = write_(id, bytes, n);
  if (release) release(argument); /* 6.5: also on error */
  return status;
}

static int sendfile_(nsgi_id id, int fd, int64_t offset, int64_t n) {
  char piece[65536];
  if (is_stale(id)) return NSGI_GONE;
  if (offset < 0 || lseek(fd, 0, SEEK_CUR) < 0) return NSGI_MISUSE; /* 6.6 */
  while (n != 0) {
    ssize_t count = pread(fd, piece, n < 0 || n > 65536 ? 65536 : (size_t)n, offset);
    if (count < 0) return errno == EISDIR ? NSGI_MISUSE : NSGI_IO;
    if (count == 0) return n < 0 ? NSGI_OK : NSGI_IO;
    int status = write_(id, piece, (size_t)count);
    if (status != NSGI_OK) return status;
    offset += count, n -= n > 0 ? count : 0;
  }
  return NSGI_OK;
}

static int flush(nsgi_id id) { return is_stale(id) ? NSGI_GONE : begin(); }

static int on_ready(nsgi_id id, int what, void (*function)(void *), void *argument) {
  if (what & ~7 || (what && !function)) return NSGI_MISUSE; /* 9.5 */
  pthread_mutex_lock(&lock);
  int is_late = id != ID || is_over;
  if (!is_late) ready = what ? function : NULL, ready_argument = argument, ready_what = what;
  if (!is_late) pthread_cond_signal(&changed);
  pthread_mutex_unlock(&lock);
  return is_late ? NSGI_GONE : NSGI_OK;
}

static int finish(nsgi_id id, int how) {
  pthread_mutex_lock(&lock);
  int is_late = id != ID || is_over;
  if (!is_late) result = how, is_over = 1, pthread_cond_signal(&changed); /* 9.2 */
  pthread_mutex_unlock(&lock);
  return is_late ? NSGI_GONE : NSGI_OK;
}

static int reason(nsgi_id id, nsgi_str words) {
  if (is_stale(id)) return NSGI_GONE;
  if (has_begun || problem_of(text("reason"), words)) return misuse("a reason is late, or not text");
  snprintf(phrase, sizeof phrase, "%.*s", (int)words.n, words.p);
  return NSGI_OK;
}

/* Of version 1.0: what came later is not in it (11.1). */
static const nsgi_host host = {{NSGI_MAGIC, NSGI_MAJOR, 0, offsetof(nsgi_host, interim), 0}, "tiny_host", "1",
  log_, extension, environ_, fields_, env, read_, body_, respond, start, write_, lend, sendfile_, flush,
  on_ready, finish, reason, 0, 0, 0};

/* ---- The plain form (12) */

static int is_elsewhere(void) { return is_over || !pthread_equal(pthread_self(), thread_of_call); }
static const char *const *plain_vars(size_t *n) {
  return pairs(is_elsewhere() ? 0 : ID, variables, variable_count, n) ? plain_list : NULL;
}
static const char *plain_get(const char *name) { return is_elsewhere() ? NULL : env(ID, text(name)).p; }
static int64_t plain_read(void *to, size_t n) { return is_elsewhere() ? NSGI_MISUSE : read_(ID, to, n); }
static void plain_error(const char *line) { log_(ID, NSGI_ERROR, text(line)); }
static int no_write(const void *bytes, size_t n) { return (void)bytes, (void)n, NSGI_MISUSE; }
static int plain_write(const void *bytes, size_t n) {
  return is_elsewhere() ? NSGI_MISUSE : write_(ID, bytes, n);
}
static const nsgi_environ plain = {plain_vars, plain_get, plain_read, plain_error};

static nsgi_write start_response(const char *status, const char *const *headers) {
  nsgi_pair list[MOST];
  size_t n = 0;
  if (is_elsewhere() || has_begun) return no_write; /* 12.3 */
  for (; headers && headers[2 * n] && n < MOST; n++)
    list[n] = (nsgi_pair){text(headers[2 * n]), text(headers[2 * n + 1])};
  const char *words = strchr(status, ' ');
  return set_head(atoi(status), words ? words + 1 : "", list, n) == NSGI_OK ? plain_write : no_write;
}

/* ---- One request */

/* Calls what on_ready() and cancel ask for, until the exchange is over: on a thread that makes no calls. */
static void *attend(void *unused) {
  pthread_mutex_lock(&lock);
  while (!is_over) {
    void (*function)(void *) = ready_what & (NSGI_READY_BODY | NSGI_READY_SPACE) || is_gone ? ready : NULL;
    int is_cancel = is_gone && !is_cancelled && app && NSGI_HAS(app, cancel);
    if (!function && !is_cancel && pthread_cond_wait(&changed, &lock) == 0) continue;
    if (function) ready = NULL;
    if (is_cancel) is_cancelled = 1; /* 10.1: once */
    pthread_mutex_unlock(&lock);
    if (is_cancel) app->cancel(state, &request);
    if (function) function(ready_argument);
    pthread_mutex_lock(&lock);
  }
  pthread_mutex_unlock(&lock);
  return unused;
}

static void add_variable(const char *name, const char *value) {
  if (variable_count == MOST) return;
  plain_list[2 * variable_count] = name, plain_list[2 * variable_count + 1] = value;
  variables[variable_count++] = (nsgi_pair){text(name), text(value)};
  int is_field = !strncmp(name, "HTTP_", 5);
  if (!is_field && (strncmp(name, "CONTENT_", 8) || !*value)) return;
  char *field = strdup(name + (is_field ? 5 : 0));
  for (char *at = field; *at; at++) *at = *at == '_' ? '-' : (char)tolower(*at);
  fields[field_count++] = (nsgi_pair){text(field), text(value)};
}

static nsgi_str variable(const char *name) { return text(getenv(name)); }

static void take_request(void) {
  const char *all[] = {"REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "SERVER_PROTOCOL", NULL};
  for (const char **at = all; *at; at++) setenv(*at, "", 0); /* always there */
  unsetenv("HTTP_PROXY"); /* 4.4 */
  for (char **at = environ; *at; at++)
    add_variable(strndup(*at, strcspn(*at, "=")), *at + strcspn(*at, "=") + 1);
  nsgi_str https = variable("HTTPS"), size = variable("CONTENT_LENGTH");
  int is_tls = https.n > 0 && strcasecmp(https.p, "off") != 0;
  uint32_t flags = is_tls ? NSGI_TLS : 0;
  if (!strcmp(getenv("REQUEST_METHOD"), "HEAD")) flags |= NSGI_HEAD_ONLY; /* 4.5 */
  request = (nsgi_request){
    sizeof request, size.n > 0 ? flags | NSGI_HAS_BODY : flags, ID, variable("REQUEST_METHOD"),
    variable("SCRIPT_NAME"), variable("PATH_INFO"), variable("QUERY_STRING"), variable("SERVER_PROTOCOL"),
    text(is_tls ? "https" : "http"), variable("REMOTE_ADDR"), variable("CONTENT_TYPE"), atoll(size.p)};
}

/* What is wrong with a library, or NULL (1.1, 1.4). */
static const char *enter(void *library, int (**application)(const nsgi_environ *, nsgi_start_response)) {
  const nsgi_app *(*entry)(const nsgi_host *) = NULL;
  if (!library) return dlerror();
  *(void **)&entry = dlsym(library, "nsgi_entry");
  *(void **)application = dlsym(library, "application");
  if (!entry) return *application ? NULL : "it exports neither nsgi_entry nor application";
  if (!(app = entry(&host))) return "it refuses this host";
  const nsgi_head *its = &app->head;
  int is_known = its->magic == NSGI_MAGIC && its->major == NSGI_MAJOR && its->minor == 0;
  return is_known && NSGI_HAS(app, call) ? NULL : "its table is not one for this host";
}

static int load(int count, char **words, char *why, size_t size) {
  const char **options = calloc(2 * (size_t)count + 1, sizeof *options);
  for (int i = 0; i < count; i++)
    options[2 * i] = strtok(words[i], "="), options[2 * i + 1] = text(strtok(NULL, "")).p;
  const nsgi_boot boot = {sizeof boot, 0, 1, 1, &host, app, options, text(NULL), text(NULL), why, size};
  return NSGI_HAS(app, load) ? app->load(&boot, &state) : NSGI_OK;
}

int main(int argc, char **argv) {
  int (*application)(const nsgi_environ *, nsgi_start_response) = NULL;
  char why[256] = "tiny_host APP.so [KEY=VALUE...]";
  pthread_t attendant;
  signal(SIGPIPE, SIG_IGN);
  const char *problem = argc < 2 ? why : enter(dlopen(argv[1], RTLD_NOW | RTLD_LOCAL), &application);
  if (!problem && app && load(argc - 2, argv + 2, why, sizeof why) < 0) problem = why;
  if (problem) return fprintf(stderr, "tiny_host: %s\n", problem), 1;
  take_request(), thread_of_call = pthread_self();
  int how = app && app->head.flags & NSGI_STREAMS_IN ? NSGI_OK : receive_all(); /* 5.1 */
  if (app && NSGI_HAS(app, thread)) app->thread(state, 1); /* 2.1 */
  pthread_create(&attendant, NULL, attend, NULL);
  if (how == NSGI_OK) how = app ? app->call(state, &request) : application(&plain, start_response);
  if (!app || !(app->head.flags & NSGI_MAY_ASYNC) || how != NSGI_ASYNC) finish(ID, how);
  pthread_join(attendant, NULL);
  if (!has_begun && (result < 0 || !head)) set_head(500, "Internal Server Error", NULL, 0); /* 8.2 */
  int is_cut = is_gone || (has_begun && (result < 0 || (length >= 0 && written < length))); /* 6.4 */
  if (!is_cut) begin();
  if (app && NSGI_HAS(app, drain)) app->drain(state);
  if (app && NSGI_HAS(app, thread)) app->thread(state, 0);
  if (app && NSGI_HAS(app, unload)) app->unload(state);
  return is_cut || result < 0;
}
