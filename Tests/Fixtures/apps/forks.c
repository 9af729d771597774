/* Makes copies of its process by fork(), wherever code of an app runs, and tells what became of them.
 *
 * nsgi_entry: the path says how the copy ends; --app-option fork=FUNCTION forks in that function.
 * async_nsgi_entry: a thread of the app forks. plain: the plain form. */
#include <nsgi.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const nsgi_host *host;
static char where[32];
static const nsgi_pair type[] = {{NSGI_STR("Content-Type"), NSGI_STR("text/plain")}};

static void say(const char *format, ...) {
  char line[200];
  va_list list;
  va_start(list, format);
  int count = vsnprintf(line, sizeof line, format, list);
  va_end(list);
  host->log(0, NSGI_INFO, (nsgi_str){line, (size_t)count});
}

/* Sockets, eventfds, rings and the like that this process has opened: those that it was started with are not
 * closed on exec. */
static int descriptors(void) {
  int count = 0;
  DIR *list = opendir("/proc/self/fd");
  for (struct dirent *entry; (entry = readdir(list));) {
    char target[100] = "";
    if (readlinkat(dirfd(list), entry->d_name, target, sizeof target - 1) < 0) continue;
    if (strncmp(target, "socket:", 7) && strncmp(target, "anon_inode:", 11)) continue;
    if (fcntl(atoi(entry->d_name), F_GETFD) & FD_CLOEXEC) count++;
  }
  closedir(list);
  return count;
}

/* The status with which a copy has ended. */
static int ending(pid_t copy) {
  int status = 0;
  while (waitpid(copy, &status, 0) < 0) continue;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

/* Names of the pipes that this process has opened, one after the other. */
static void pipes(char *names, size_t cap) {
  size_t used = 0;
  DIR *list = opendir("/proc/self/fd");
  for (struct dirent *entry; (entry = readdir(list));) {
    char target[100] = "";
    if (readlinkat(dirfd(list), entry->d_name, target, sizeof target - 1) < 0) continue;
    if (strncmp(target, "pipe:", 5) || !(fcntl(atoi(entry->d_name), F_GETFD) & FD_CLOEXEC)) continue;
    used += (size_t)snprintf(names + used, cap - used, "%s ", target);
    if (used >= cap) used = cap - 1;
  }
  closedir(list);
}

/* Pipes of the first process that the copy has as well. */
static int shared_pipes(void) {
  static char own[4000], copied[4000];
  pipes(own, sizeof own);
  pid_t copy = fork();
  if (copy) return ending(copy);
  int count = 0;
  pipes(copied, sizeof copied);
  for (char *name = strtok(copied, " "); name; name = strtok(NULL, " "))
    if (strstr(own, name)) count++;
  _exit(count);
}

static void close_all(const char *kind) {
  DIR *list = opendir("/proc/self/fd");
  for (struct dirent *entry; (entry = readdir(list));) {
    char target[100] = "";
    if (readlinkat(dirfd(list), entry->d_name, target, sizeof target - 1) < 0) continue;
    if (strcmp(target, kind) == 0) close(atoi(entry->d_name));
  }
  closedir(list);
}

static int is(const nsgi_request *request, const char *path) {
  return strcmp(request->path_info.p, path) == 0;
}

static int answer(const nsgi_request *request, const char *text) {
  return host->respond(request->id, 200, type, 1, text, strlen(text));
}

/* What the functions of the host say in the copy, and which descriptors it has. */
static void report(const nsgi_request *request, int to) {
  char text[300], byte;
  size_t count = 9;
  nsgi_str body = {NULL, 0};
  int results[] = {
    answer(request, "from the copy"), host->start(request->id, 200, type, 1),
    host->write(request->id, "x", 1), host->flush(request->id), (int)host->read(request->id, &byte, 1),
    host->body(request->id, &body), host->sendfile(request->id, 0, 0, 1), host->finish(request->id, NSGI_OK),
    host->on_ready(request->id, NSGI_READY_GONE, NULL, NULL), host->reason(request->id, request->method),
    host->env(request->id, request->method).p ? 1 : NSGI_MISUSE,
    host->environ(request->id, &count) || count ? 1 : NSGI_MISUSE};
  int good = 0, all = (int)(sizeof results / sizeof *results);
  for (int i = 0; i < all; i++) good += results[i] == NSGI_MISUSE;
  int length = snprintf(text, sizeof text, "%d of %d misuse, %d descriptors", good, all, descriptors());
  if (write(to, text, (size_t)length) < 0) _exit(9);
  close(to);
}

static int call(void *state, const nsgi_request *request) {
  (void)state;
  char text[400] = "";
  int ends[2];
  if (is(request, "/plain")) return answer(request, "plain");
  if (is(request, "/close")) {
    close_all(request->query.n ? "anon_inode:[io_uring]" : "anon_inode:[eventpoll]");
    return answer(request, "closed");
  }
  if (is(request, "/pipes")) {
    snprintf(text, sizeof text, "%d shared", shared_pipes());
    return answer(request, text);
  }
  if (is(request, "/signals")) {
    FILE *list = popen("grep -E 'Sig(Ign|Blk)' /proc/self/status", "r");
    text[fread(text, 1, sizeof text - 1, list)] = 0;
    pclose(list);
    return answer(request, text);
  }
  if (is(request, "/vfork")) {
    pid_t program = vfork();
    if (program == 0) {
      execl("/bin/sh", "sh", "-c", "exit 6", (char *)NULL);
      _exit(9);
    }
    snprintf(text, sizeof text, "program %d, system %d", ending(program), WEXITSTATUS(system("exit 5")));
    return answer(request, text);
  }
  if (pipe(ends)) return NSGI_FAIL;
  pid_t copy = is(request, "/raw") ? (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) : fork();
  if (copy == 0) {
    close(ends[0]);
    if (is(request, "/lives")) {
      close(ends[1]);
      sleep(60);
      return NSGI_OK;
    }
    report(request, ends[1]);
    if (write(1, "printed\n", 8) < 0) _exit(9);
    if (is(request, "/fail")) return NSGI_FAIL;
    if (is(request, "/exit")) exit(3);
    if (is(request, "/abort")) abort();
    if (is(request, "/exec")) execl("/bin/sh", "sh", "-c", "exit 4", (char *)NULL);
    answer(request, "from the copy");
    return NSGI_OK;
  }
  close(ends[1]);
  if (is(request, "/lives")) {
    snprintf(text, sizeof text, "%d", (int)copy);
  } else {
    size_t count = 0;
    for (ssize_t got; (got = read(ends[0], text + count, 300 - count)) > 0;) count += (size_t)got;
    snprintf(text + count, sizeof text - count, ", status %d", ending(copy));
  }
  close(ends[0]);
  return answer(request, text);
}

/* A copy returns from a function of the app; the app waits for its end. */
static int in(const char *function) {
  if (strcmp(where, function)) return NSGI_OK;
  pid_t copy = fork();
  if (copy) say("the copy made in %s ended with %d", function, ending(copy));
  return NSGI_OK;
}

static int load(const nsgi_boot *boot, void **state) {
  (void)state;
  host = boot->host;
  for (const char *const *option = boot->options; option && option[0]; option += 2)
    if (strcmp(option[0], "fork") == 0) snprintf(where, sizeof where, "%s", option[1]);
  return in("load");
}

static int probe(void *state) { return (void)state, in("probe"); }
static void drain(void *state) { (void)state, in("drain"); }
static void unload(void *state) { (void)state, in("unload"); }
static void thread(void *state, int entering) { (void)state, in(entering ? "thread" : "leave"); }

static const nsgi_app app = {
  .head = {NSGI_MAGIC, NSGI_MAJOR, 0, sizeof(nsgi_app), NSGI_THREADSAFE}, .load = load, .probe = probe,
  .thread = thread, .call = call, .drain = drain, .unload = unload};

NSGI_EXPORT const nsgi_app *nsgi_entry(const nsgi_host *own) { return (void)own, &app; }

/* ---- A thread of the app ---- */

static void *work(void *argument) {
  nsgi_id id = (nsgi_id)(uintptr_t)argument;
  char text[100];
  pid_t copy = fork();
  if (copy == 0) {
    int answered = host->respond(id, 200, type, 1, "from the copy", 13);
    _exit(answered == NSGI_MISUSE && host->finish(id, NSGI_OK) == NSGI_MISUSE && descriptors() == 0 ? 0 : 1);
  }
  int count = snprintf(text, sizeof text, "status %d", ending(copy));
  host->respond(id, 200, type, 1, text, (size_t)count);
  host->finish(id, NSGI_OK);
  return NULL;
}

static int call_async(void *state, const nsgi_request *request) {
  (void)state;
  pthread_t worker;
  if (pthread_create(&worker, NULL, work, (void *)(uintptr_t)request->id)) return NSGI_FAIL;
  pthread_detach(worker);
  return NSGI_ASYNC;
}

static const nsgi_app async_app = {
  .head = {NSGI_MAGIC, NSGI_MAJOR, 0, sizeof(nsgi_app), NSGI_THREADSAFE | NSGI_MAY_ASYNC}, .load = load,
  .call = call_async};

NSGI_EXPORT const nsgi_app *async_nsgi_entry(const nsgi_host *own) { return (void)own, &async_app; }

/* ---- The plain form ---- */

NSGI_EXPORT int plain(const nsgi_environ *environ, nsgi_start_response start_response) {
  static const char *const fields[] = {"Content-Type", "text/plain", NULL};
  char text[100];
  pid_t copy = fork();
  if (copy == 0) {
    nsgi_write early = start_response("200 OK", fields);
    int is_refused = early("from the copy", 13) == NSGI_MISUSE && !environ->get("PATH_INFO");
    return is_refused ? NSGI_OK : NSGI_FAIL;
  }
  int count = snprintf(text, sizeof text, "status %d", ending(copy));
  return start_response("200 OK", fields)(text, (size_t)count);
}
