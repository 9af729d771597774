/* A log goes to a file, which takes it at once; or to a pipe, a terminal or a socket, whose reader may have
 * stopped. O_NONBLOCK belongs to the open description, which is shared with the process that started us (a
 * shell's terminal, say): so we open a description of our own, or tell each write not to wait. */
#define _GNU_SOURCE
#include "clinux_log.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { WAY_FILE, WAY_SOCKET, WAY_OWN, WAY_NOWAIT, WAY_POLLED };

clinux_log clinux_log_of_pipe(int fd) { return (clinux_log){fd, WAY_OWN}; }

void clinux_log_close(clinux_log *log) {
  if (log->way == WAY_OWN) close(log->fd);
  *log = (clinux_log){-1, WAY_FILE};
}

void clinux_log_open(clinux_log *log) {
  clinux_log_close(log);
  *log = (clinux_log){STDERR_FILENO, WAY_FILE};
  struct stat status;
  if (fstat(STDERR_FILENO, &status) != 0 || S_ISREG(status.st_mode)) return;
  if (S_ISSOCK(status.st_mode)) {
    log->way = WAY_SOCKET;
    return;
  }
  /* Another user's pipe cannot be opened again, nor can any without /proc. */
  int own = open("/proc/self/fd/2", O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (own > STDERR_FILENO) {
    *log = (clinux_log){own, WAY_OWN};
  } else {
    if (own >= 0) close(own);
    log->way = WAY_NOWAIT;
  }
}

/* Whether a write of PIPE_BUF bytes would not wait, unless another process writes first. */
static int takes(int fd) {
  struct pollfd entry = {.fd = fd, .events = POLLOUT};
  return poll(&entry, 1, 0) > 0 && (entry.revents & POLLOUT);
}

static ssize_t put(const clinux_log *log, const void *bytes, size_t count) {
  switch (log->way) {
    case WAY_FILE: return write(log->fd, bytes, count);
    case WAY_SOCKET: return send(log->fd, bytes, count, MSG_DONTWAIT | MSG_NOSIGNAL);
    case WAY_OWN: return write(log->fd, bytes, count < PIPE_BUF ? count : PIPE_BUF);
    default: break;
  }
  if (count > PIPE_BUF) count = PIPE_BUF;
  /* Pipes support this flag since Linux 6.4, terminals do not. */
  ssize_t done = pwritev2(log->fd, &(struct iovec){(void *)bytes, count}, 1, -1, RWF_NOWAIT);
  if (done >= 0 || errno != EOPNOTSUPP) return done;
  return takes(log->fd) ? write(log->fd, bytes, count) : 0;
}

ssize_t clinux_log_write(const clinux_log *log, const void *bytes, size_t count) {
  ssize_t done;
  do { done = put(log, bytes, count); } while (done < 0 && errno == EINTR);
  return done < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? 0 : done;
}
