// A look at a thread of Python that does not stand still.
#define _GNU_SOURCE
#include "CPython.h"
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* The life of the copy: whatever its frames lead to is its end alone, without a report, a core or a wait. */
static void write_and_end(int fd, PyThreadState *thread) {
  static const int ends[] = {SIGSEGV, SIGBUS, SIGILL, SIGABRT, SIGFPE, SIGALRM};
  sigset_t none;
  prctl(PR_SET_DUMPABLE, 0);
  for (unsigned i = 0; i < sizeof ends / sizeof *ends; i++) signal(ends[i], SIG_DFL);
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  /* Frames can also lead round in a circle. */
  alarm(1);
  py_dump_traceback(fd, thread);
  _exit(0);
}

bool py_dump_traceback_in_copy(int fd, PyThreadState *thread) {
  if (!py_dumps_traceback()) return false;
  /* By the system call, without what libraries have to be done at a fork, and without a signal at its end:
     the application's handlers, and whoever waits for all children, do not learn of it. */
  long copy = syscall(SYS_clone, 0L, NULL, NULL, NULL, NULL);
  if (copy == 0) write_and_end(fd, thread);
  if (copy < 0) return false;
  while (waitpid((pid_t)copy, NULL, __WALL) < 0 && errno == EINTR) continue;
  return true;
}
