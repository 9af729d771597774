/* Starting processes, talking to them, and their ends. */
#define _GNU_SOURCE
#include "clinux.h"
#include <dlfcn.h>
#include <elf.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static sigset_t taken_signals;
static int signal_pipe[2] = {-1, -1};
static _Atomic pid_t signal_owner;

static void take_signal(int number) {
  int saved = errno;
  if (getpid() != signal_owner) {
    /* A copy that somebody's fork() has made: the signal is its own affair, but the pipe is not. */
    signal(number, SIG_DFL);
    raise(number);
  } else {
    clinux_pass_signal(number);
  }
  errno = saved;
}

int clinux_take_signals(const int *signals, int count) {
  sigemptyset(&taken_signals);
  for (int i = 0; i < count; i++) sigaddset(&taken_signals, signals[i]);
  if (pipe2(signal_pipe, O_NONBLOCK | O_CLOEXEC)) return -1;
  clinux_own(signal_pipe[0]);
  clinux_own(signal_pipe[1]);
  clinux_retake_signals();
  return signal_pipe[0];
}

static void do_nothing(int number) { (void)number; }

void clinux_disarm_write_signals(void) {
  struct sigaction action = {.sa_handler = do_nothing, .sa_flags = SA_RESTART};
  sigemptyset(&action.sa_mask);
  sigaction(SIGPIPE, &action, NULL);
  sigaction(SIGXFSZ, &action, NULL);
}

void clinux_ignore_stray_signals(void) {
  static const int strays[] = {SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR, SIGSTKFLT};
  const int count = sizeof strays / sizeof *strays;
  for (int i = 0; i < count + SIGRTMAX - SIGRTMIN + 1; i++) {
    int number = i < count ? strays[i] : SIGRTMIN + i - count;
    struct sigaction action;
    /* Ignored, not taken: a handler would interrupt calls that wait. */
    if (!sigaction(number, NULL, &action) && action.sa_handler == SIG_DFL) signal(number, SIG_IGN);
  }
}

void clinux_retake_signals(void) {
  if (signal_pipe[1] < 0) return;
  signal_owner = getpid();
  /* Threads of other runtimes (Go) have stacks that are too small for a handler. */
  struct sigaction action = {.sa_handler = take_signal, .sa_flags = SA_RESTART | SA_ONSTACK};
  sigemptyset(&action.sa_mask);
  for (int number = 1; number < NSIG; number++)
    if (sigismember(&taken_signals, number) == 1) sigaction(number, &action, NULL);
  pthread_sigmask(SIG_UNBLOCK, &taken_signals, NULL);
}

int clinux_has_taken_signals(void) { return signal_pipe[1] >= 0; }

void clinux_hold_signals(void) { pthread_sigmask(SIG_BLOCK, &taken_signals, NULL); }

static _Atomic int is_waiting;

int clinux_wait_signal(void) {
  clinux_hold_signals();
  is_waiting = 1;
  return sigtimedwait(&taken_signals, NULL, NULL);
}

/* Whether the first thread sleeps; without /proc it is taken to. */
static int first_thread_sleeps(void) {
  char text[256];
  int file = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
  if (file < 0) return 1;
  ssize_t count = read(file, text, sizeof text - 1);
  close(file);
  text[count > 0 ? count : 0] = 0;
  /* The name in brackets may hold anything (proc(5)). */
  const char *end = strrchr(text, ')');
  return !end || end[1] != ' ' || end[2] == 'S';
}

void clinux_await_reader(void) {
  enum { TRIES = 5000, MICROSECONDS = 20 };
  for (int i = 0; i < TRIES && !(is_waiting && first_thread_sleeps()); i++) usleep(MICROSECONDS);
}

int clinux_taken_signal(int milliseconds) {
  struct pollfd entry = {.fd = signal_pipe[0], .events = POLLIN};
  return poll(&entry, 1, milliseconds) > 0 ? clinux_next_signal(signal_pipe[0]) : 0;
}

void clinux_reset_signals(void) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  for (int number = 1; number < NSIG; number++) {
    struct sigaction action;
    switch (number) {
    /* nohup(1), and a launcher that keeps its terminal to itself. */
    case SIGHUP: case SIGTSTP: case SIGTTIN: case SIGTTOU: continue;
    default:
      if (!sigaction(number, NULL, &action) && action.sa_handler == SIG_IGN) signal(number, SIG_DFL);
    }
  }
}

void clinux_pass_signal(int number) {
  struct signalfd_siginfo information = {.ssi_signo = (uint32_t)number};
  /* A full pipe has enough signals in it. */
  if (write(signal_pipe[1], &information, sizeof information) < 0) return;
}

int clinux_spawn(pid_t *pid, const char *path, char *const *arguments, char *const *environment,
                 const int *map, int pairs, int family) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t all, none;
  int above = STDERR_FILENO + 1, copies[pairs + 1], lifted = 0;
  int result = posix_spawn_file_actions_init(&actions);
  if (result) return result;
  for (int i = 0; i < pairs; i++)
    if (map[2 * i + 1] >= above) above = map[2 * i + 1] + 1;
  posix_spawnattr_init(&attributes);
  sigfillset(&all);
  sigemptyset(&none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setsigmask(&attributes, &none);
  short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
  if (family == CLINUX_OWN_SESSION) flags |= POSIX_SPAWN_SETSID;
  if (family == CLINUX_OWN_GROUP) flags |= POSIX_SPAWN_SETPGROUP;
  posix_spawnattr_setflags(&attributes, flags);
  for (int i = 0; !result && i < pairs; i++) {
    int source = map[2 * i];
    /* One in a place that another will take would be overwritten before its turn. */
    if (source < above) {
      source = copies[lifted] = fcntl(source, F_DUPFD_CLOEXEC, above);
      if (source < 0) {
        /* EINVAL: the limit itself is too low. */
        result = errno == EINVAL ? EMFILE : errno;
        break;
      }
      lifted++;
    }
    result = posix_spawn_file_actions_adddup2(&actions, source, map[2 * i + 1]);
  }
  if (!result) result = posix_spawn(pid, path, &actions, &attributes, arguments, environment);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  while (lifted > 0) close(copies[--lifted]);
  return result;
}

int clinux_fill_standard(void) {
  for (int fd = 0; fd <= STDERR_FILENO; fd++)
    /* The lowest free number is the closed one. */
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd) return -1;
  return 0;
}

long clinux_descriptor_limit(void) {
  struct rlimit limit;
  return getrlimit(RLIMIT_NOFILE, &limit) ? -1 : (long)limit.rlim_cur;
}

int clinux_pidfd(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

int clinux_pidfd_signal(int process, int signal) {
  return (int)syscall(SYS_pidfd_send_signal, process, signal, NULL, 0);
}

int clinux_reap(pid_t pid, int *status) {
  pid_t ended;
  do ended = waitpid(pid, status, WNOHANG);
  while (ended < 0 && errno == EINTR);
  return ended < 0 ? -1 : ended == pid;
}

int clinux_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC); }

int clinux_packet_pair(int ends[2]) {
  return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends);
}

int clinux_stream_pair(int ends[2]) {
  return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends);
}

ssize_t clinux_send_packet(int fd, const void *bytes, size_t count, int descriptor) {
  struct iovec part = {(void *)bytes, count};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  union { char room[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } control;
  if (descriptor >= 0) {
    memset(&control, 0, sizeof control);
    message.msg_control = control.room;
    message.msg_controllen = sizeof control.room;
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(head), &descriptor, sizeof descriptor);
  }
  ssize_t sent;
  int attempts = 0;
  /* A lost message is not repeated: bridges a moment without memory. */
  do sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  while (sent < 0 && (errno == EINTR || errno == ENOMEM || errno == ENOBUFS) && ++attempts < 100);
  return sent;
}

ssize_t clinux_receive_packet(int fd, void *bytes, size_t count, int *descriptor) {
  struct iovec part = {bytes, count};
  union { char room[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } control;
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  /* If there is no room, the kernel drops attached descriptors, however many. */
  if (descriptor) {
    message.msg_control = control.room;
    message.msg_controllen = sizeof control.room;
    *descriptor = -1;
  }
  ssize_t received = recvmsg(fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  if (received < 0) return received;
  for (struct cmsghdr *head = CMSG_FIRSTHDR(&message); head; head = CMSG_NXTHDR(&message, head)) {
    if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) continue;
    int given;
    /* Because of alignment, the room for one is enough for two. */
    for (size_t place = CMSG_LEN(0); place + sizeof given <= head->cmsg_len; place += sizeof given) {
      memcpy(&given, (char *)head + place, sizeof given);
      if (*descriptor < 0) *descriptor = given;
      else close(given);
    }
  }
  if (message.msg_flags & MSG_TRUNC) {
    if (descriptor && *descriptor >= 0) close(*descriptor);
    errno = EMSGSIZE;
    return -1;
  }
  return received;
}

int clinux_memory_file(const char *name) { return memfd_create(name, MFD_CLOEXEC); }

int clinux_sealed_memory(const char *name, size_t count) {
  int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) return -1;
  if (!ftruncate(fd, (off_t)count) && !fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
    return fd;
  int error = errno;
  close(fd);
  errno = error;
  return -1;
}

int clinux_death_signal(int signal) { return prctl(PR_SET_PDEATHSIG, signal); }

int clinux_may_change_user(void) {
  struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct own[_LINUX_CAPABILITY_U32S_3];
  unsigned wanted = 1u << CAP_SETUID | 1u << CAP_SETGID;
  return !syscall(SYS_capget, &head, own) && (own[0].effective & wanted) == wanted;
}

int clinux_drop_capabilities(void) {
  struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
  return (int)syscall(SYS_capset, &head, none);
}

int clinux_close_to_users(void) { return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }

int clinux_forbid_privileges(void) { return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); }

int clinux_peer(int fd, uid_t *user, pid_t *process) {
  struct ucred peer;
  socklen_t length = sizeof peer;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length)) return -1;
  *user = peer.uid;
  *process = peer.pid;
  return 0;
}

int clinux_give(int fd, uid_t user, gid_t group) { return fchownat(fd, "", user, group, AT_EMPTY_PATH); }

int clinux_identity(uint32_t ids[6]) {
  return getresuid(&ids[0], &ids[1], &ids[2]) || getresgid(&ids[3], &ids[4], &ids[5]) ? -1 : 0;
}

int clinux_set_user(uid_t user) { return setresuid(user, user, user); }

int clinux_set_group(gid_t group) { return setresgid(group, group, group); }

pid_t clinux_fork(void) { return fork(); }

const char *clinux_own_library(void) {
  Dl_info own, program;
  const void *headers = (const void *)getauxval(AT_PHDR);
  if (!dladdr((const void *)&clinux_own_library, &own)) return NULL;
  if (dladdr(headers, &program) && program.dli_fbase == own.dli_fbase) return NULL;
  return own.dli_fname;
}

int clinux_processors(void) {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof set, &set) ? 1 : CPU_COUNT(&set);
}

int clinux_bind_processor(unsigned place, unsigned per_worker) {
  cpu_set_t allowed, wanted;
  if (sched_getaffinity(0, sizeof allowed, &allowed)) return -1;
  unsigned count = (unsigned)CPU_COUNT(&allowed), seen = 0;
  CPU_ZERO(&wanted);
  for (unsigned taken = 0; taken < per_worker && taken < count; taken++) {
    unsigned index = (place * per_worker + taken) % count;
    seen = 0;
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++)
      if (CPU_ISSET(cpu, &allowed) && seen++ == index) CPU_SET(cpu, &wanted);
  }
  return sched_setaffinity(0, sizeof wanted, &wanted);
}
