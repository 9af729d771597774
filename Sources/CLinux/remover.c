/* A process that keeps the privileges that this one gives up, for one purpose: to remove the files that this
 * one made, after its end. It is forked before there are any threads, does nothing but wait, and does not
 * touch names that no longer lead to the same files. */
#define _GNU_SOURCE
#include "clinux.h"
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { MOST_FILES = 256, PATIENCE_MILLISECONDS = 3000 };

/* A name, and the file that it led to: held open, so that no other gets its number. */
struct file {
  int directory, held;
  const char *name;
  struct stat status;
};

/* Closes everything but these: above all the sockets of the server, which must be free when it has ended. */
static void close_all_but(const int *kept, int count) {
  for (int first = 3;;) {
    int next = INT_MAX;
    for (int i = 0; i < count; i++)
      if (kept[i] >= first && kept[i] < next) next = kept[i];
    if (next > first) syscall(SYS_close_range, first, next - 1, 0);
    if (next == INT_MAX) return;
    first = next + 1;
  }
}

static void wait_and_remove(int process, int link, const struct file *files, int count) {
  int kept[2 * MOST_FILES + 2] = {process, link}, known = 2;
  for (int i = 0; i < count; i++) kept[known++] = files[i].directory, kept[known++] = files[i].held;
  close_all_but(kept, known);
  int null = open("/dev/null", O_RDWR);
  for (int fd = 0; fd <= 2; fd++) dup2(null, fd);
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, NULL);
  setsid();
  prctl(PR_SET_NAME, "server-remover");
  struct pollfd ends[2] = {{.fd = process, .events = POLLIN}, {.fd = link, .events = POLLIN}};
  while (poll(ends, 2, -1) < 1);
  for (int i = 0; i < count; i++) {
    struct stat now;
    if (!fstatat(files[i].directory, files[i].name, &now, AT_SYMLINK_NOFOLLOW) &&
        now.st_dev == files[i].status.st_dev && now.st_ino == files[i].status.st_ino)
      unlinkat(files[i].directory, files[i].name, 0);
  }
  _exit(0);
}

int clinux_start_remover(const int *directories, const char *const *names, int count) {
  struct file files[MOST_FILES];
  int known = 0, ends[2] = {-1, -1}, process = clinux_pidfd(getpid());
  for (int i = 0; i < count && known < MOST_FILES; i++) {
    struct file *file = &files[known];
    *file = (struct file){directories[i], clinux_open_name(directories[i], names[i]), names[i], {0}};
    if (file->held >= 0 && !fstat(file->held, &file->status)) known++;
  }
  /* Forks twice: an application that waits for all its children must not wait for this one. */
  pid_t child = process < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) ? -1 : fork();
  if (!child) {
    pid_t remover = fork();
    if (!remover) wait_and_remove(process, ends[1], files, known);
    _exit(remover < 0);
  }
  int status = 1, saved = errno;
  for (int i = 0; i < known; i++) close(files[i].held);
  close(process);
  close(ends[1]);
  if (child > 0)
    while (waitpid(child, &status, 0) < 0 && errno == EINTR);
  if (child > 0 && !status) return ends[0];
  close(ends[0]);
  errno = child > 0 ? EAGAIN : saved;
  return -1;
}

void clinux_finish_remover(int link) {
  struct pollfd end = {.fd = link, .events = POLLIN};
  if (send(link, "", 1, MSG_NOSIGNAL) == 1) poll(&end, 1, PATIENCE_MILLISECONDS);
  close(link);
}
