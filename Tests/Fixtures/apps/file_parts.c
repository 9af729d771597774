/* A part of a file, as the query says: PATH,OFFSET,COUNT,LENGTH with a Content-Length unless LENGTH is
 * below 0. PATH may be "pipe", "socket", "write-only" or "closed" too. What sendfile() answers stands in the
 * log, and a refusal in the response. */
#include <fcntl.h>
#include <nsgi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const nsgi_host *host;

static int file(const char *path) {
  int pair[2] = {-1, -1};
  if (strcmp(path, "closed") == 0) return -1;
  if (strcmp(path, "pipe") == 0 && pipe(pair) == 0) close(pair[1]);
  else if (strcmp(path, "socket") == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0) close(pair[1]);
  else if (strcmp(path, "write-only") == 0) return open("/dev/null", O_WRONLY | O_CLOEXEC);
  else return open(path, O_RDONLY | O_CLOEXEC);
  return pair[0];
}

static int call(void *state, const nsgi_request *request) {
  (void)state;
  char path[1024] = "", line[64];
  long long offset = 0, count = 0, length = -1;
  sscanf(request->query.p, "%1023[^,],%lld,%lld,%lld", path, &offset, &count, &length);
  snprintf(line, sizeof line, "%lld", length);
  nsgi_pair field = {NSGI_STR("Content-Length"), {line, strlen(line)}};
  host->start(request->id, 200, &field, length >= 0);
  int fd = file(path);
  int result = host->sendfile(request->id, fd, offset, count);
  if (fd >= 0) close(fd);
  int size = snprintf(line, sizeof line, "sendfile answered %d", result);
  host->log(request->id, NSGI_INFO, (nsgi_str){line, (size_t)size});
  if (result == NSGI_MISUSE) {
    int replaced = host->respond(request->id, 500, NULL, 0, line, (size_t)size);
    return replaced == NSGI_OK ? replaced : NSGI_OK;
  }
  return result;
}

static const nsgi_app app = {
    .head = NSGI_APP_HEAD(NSGI_THREADSAFE), .name = "file_parts", .version = "1", .call = call};

NSGI_EXPORT const nsgi_app *nsgi_entry(const nsgi_host *table) {
  host = table;
  return &app;
}
