/* An app that writes its life down: --app-option log=FILE gets a line for each call of the host, and
 * --app-option version=N is what it answers. Two apps: nsgi_entry and single_nsgi_entry, which is not
 * thread-safe. A call on a thread that thread() did not speak of answers "stranger".
 *   /           the version
 *   /wait?PATH  makes PATH.entered, answers when PATH.open is there
 *   /later?PATH the same, asynchronously
 *   /stream?PATH the version before it waits, and after
 *   /echo       the length of the body, and the version */
#include <nsgi.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const nsgi_host *host;
static char version[16], logfile[256];
static const nsgi_pair text[] = {{NSGI_STR("Content-Type"), NSGI_STR("text/plain")}};
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_t known[64];
static int count;

static void note(const char *line) {
  pthread_mutex_lock(&mutex);
  FILE *file = *logfile ? fopen(logfile, "a") : NULL;
  if (file) {
    fprintf(file, "%s\n", line);
    fclose(file);
  }
  pthread_mutex_unlock(&mutex);
}

static int is_known(void) {
  int found = 0;
  pthread_mutex_lock(&mutex);
  for (int i = 0; i < count; i++) found += pthread_equal(known[i], pthread_self()) != 0;
  pthread_mutex_unlock(&mutex);
  return found;
}

static void thread(void *state, int entering) {
  (void)state;
  pthread_mutex_lock(&mutex);
  if (entering) known[count++] = pthread_self();
  else
    for (int i = 0; i < count; i++)
      if (pthread_equal(known[i], pthread_self())) known[i--] = known[--count];
  pthread_mutex_unlock(&mutex);
  note(entering ? "enter" : "leave");
}

static void pass(const char *path) {
  char name[512];
  snprintf(name, sizeof name, "%s.entered", path);
  FILE *file = fopen(name, "w");
  if (file) fclose(file);
  snprintf(name, sizeof name, "%s.open", path);
  while (access(name, F_OK)) usleep(1000);
}

struct job {
  nsgi_id id;
  char path[400];
};

static void *work(void *arg) {
  struct job *job = arg;
  pass(job->path);
  int result = host->respond(job->id, 200, text, 1, version, strlen(version));
  host->finish(job->id, result);
  free(job);
  return NULL;
}

static int later(const nsgi_request *request) {
  struct job *job = malloc(sizeof *job);
  if (!job) return NSGI_NOMEM;
  job->id = request->id;
  snprintf(job->path, sizeof job->path, "%s", request->query.p);
  pthread_t worker;
  if (pthread_create(&worker, NULL, work, job)) return NSGI_FAIL;
  pthread_detach(worker);
  return NSGI_ASYNC;
}

static int call(void *state, const nsgi_request *request) {
  (void)state;
  if (!is_known()) return host->respond(request->id, 200, text, 1, "stranger", 8);
  if (strcmp(request->path_info.p, "/later") == 0) return later(request);
  if (strcmp(request->path_info.p, "/stream") == 0) {
    int result = host->start(request->id, 200, text, 1);
    if (result >= 0) result = host->write(request->id, version, strlen(version));
    if (result >= 0) result = host->flush(request->id);
    pass(request->query.p);
    return result < 0 ? result : host->write(request->id, version, strlen(version));
  }
  if (strcmp(request->path_info.p, "/wait") == 0) pass(request->query.p);
  if (strcmp(request->path_info.p, "/echo") == 0) {
    nsgi_str body;
    char answer[64];
    int result = host->body(request->id, &body);
    if (result < 0) return result;
    int n = snprintf(answer, sizeof answer, "%zu %s", body.n, version);
    return host->respond(request->id, 200, text, 1, answer, (size_t)n);
  }
  return host->respond(request->id, 200, text, 1, version, strlen(version));
}

static int load(const nsgi_boot *boot, void **state) {
  host = boot->host;
  *state = NULL;
  for (const char *const *option = boot->options; *option; option += 2) {
    if (strcmp(option[0], "version") == 0) snprintf(version, sizeof version, "%s", option[1]);
    if (strcmp(option[0], "log") == 0) snprintf(logfile, sizeof logfile, "%s", option[1]);
  }
  note("load");
  return NSGI_OK;
}

static int probe(void *state) {
  (void)state;
  note("probe");
  return NSGI_OK;
}

static void drain(void *state) {
  (void)state;
  note("drain");
}

static void unload(void *state) {
  (void)state;
  note("unload");
}

static const nsgi_app app = {
  .head = NSGI_APP_HEAD(NSGI_THREADSAFE | NSGI_MAY_ASYNC | NSGI_UNLOADABLE), .name = "generations",
  .call = call, .load = load, .probe = probe, .drain = drain, .unload = unload, .thread = thread
};
static const nsgi_app single = {
  .head = NSGI_APP_HEAD(NSGI_MAY_ASYNC | NSGI_UNLOADABLE), .name = "single",
  .call = call, .load = load, .probe = probe, .drain = drain, .unload = unload, .thread = thread
};

const nsgi_app *nsgi_entry(const nsgi_host *unused) {
  (void)unused;
  return &app;
}

NSGI_EXPORT const nsgi_app *single_nsgi_entry(const nsgi_host *unused);
const nsgi_app *single_nsgi_entry(const nsgi_host *unused) {
  (void)unused;
  return &single;
}
