/* Shims for what Swift's importer cannot see: macros, packed structs, GNU extensions, thread-locals.
 * No logic: one call per function. */
#ifndef CLINUX_H
#define CLINUX_H
#include "clinux_fork.h"
#include "clinux_log.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* epoll: struct epoll_event is packed on x86-64 and holds a union. */
static inline int clinux_epoll_ctl(int epoll, int operation, int fd, uint32_t events, uint64_t token) {
  struct epoll_event event = {.events = events, .data = {.u64 = token}};
  return epoll_ctl(epoll, operation, fd, &event);
}
static inline uint64_t clinux_epoll_token(const struct epoll_event *events, int index) {
  return events[index].data.u64;
}
static inline uint32_t clinux_epoll_events(const struct epoll_event *events, int index) {
  return events[index].events;
}
#define CLINUX_EPOLLIN 0x001u
#define CLINUX_EPOLLOUT 0x004u
#define CLINUX_EPOLLERR 0x008u
#define CLINUX_EPOLLHUP 0x010u
#define CLINUX_EPOLLRDHUP 0x2000u
#define CLINUX_EPOLLEXCLUSIVE 0x10000000u
#define CLINUX_EPOLLET 0x80000000u

/* accept4, non-blocking, closed on exec, our own. */
int clinux_accept(int fd, struct sockaddr_storage *peer, socklen_t *length);
static inline int clinux_socket(int family) {
  int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  clinux_own(fd);
  return fd;
}

static inline ssize_t clinux_sendfile(int fd, int file, off_t *offset, size_t count) {
  return sendfile(fd, file, offset, count);
}
/* The loop's calls of every request. libc's functions of these names are cancellation points, which costs two
 * atomic operations each in a process with threads; these are the bare calls. */
int clinux_epoll_wait(int epoll, struct epoll_event *events, int count, int milliseconds);
/* keeps: the bytes stay in the socket (MSG_PEEK). */
ssize_t clinux_receive(int fd, void *bytes, size_t count, int keeps);
/* Makes the coming close a reset (SO_LINGER with no time), or a normal end again. */
int clinux_reset_on_close(int fd, int resets);
/* send and sendmsg without SIGPIPE; write and writev for anything that is not a socket. more: with TCP the
 * last piece waits for bytes that follow at once (MSG_MORE). */
ssize_t clinux_send(int fd, const void *bytes, size_t count, int more);
static inline ssize_t clinux_send2(int fd, const void *a, size_t na, const void *b, size_t nb) {
  struct iovec parts[2] = {{(void *)a, na}, {(void *)b, nb}};
  struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
  ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);
  return sent < 0 && errno == ENOTSOCK ? writev(fd, parts, 2) : sent;
}

/* dup3, closed on exec. */
int clinux_put_in_place(int source, int fd);

static inline int clinux_datagram_socket(void) { return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0); }

/* Blocks the given signals in the calling thread, and returns a descriptor that reads them. */
static inline int clinux_signalfd(const int *signals, int count) {
  sigset_t set;
  sigemptyset(&set);
  for (int i = 0; i < count; i++) sigaddset(&set, signals[i]);
  if (sigprocmask(SIG_BLOCK, &set, NULL)) return -1;
  return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}
/* The same for a process in which others start programs, which would find the signals blocked: handlers
 * deliver them, through a pipe. Once per process. */
int clinux_take_signals(const int *signals, int count);
/* Sets the handlers of those signals again, whoever else has set one, and unblocks them in the calling thread
 * and those that it starts. Does nothing if none were taken. */
void clinux_retake_signals(void);
/* Blocks those signals in the calling thread: one that is sent to it stays until it waits. */
void clinux_hold_signals(void);
/* Whether some were taken. */
int clinux_has_taken_signals(void);
/* Waits for one of them, which are blocked in the calling thread from now on; returns its number, -1 if a
 * handler of another signal has run. The first thread of a process that waits like this gets a signal before
 * any handler, whoever has set it: the kernel offers it to that thread before all others. */
int clinux_wait_signal(void);
/* For the thread that will call apps: returns when the first thread waits, so that no app takes a signal from
 * it; after a tenth of a second in any case. */
void clinux_await_reader(void);
/* Waits for one that a handler delivers; returns its number, 0 if none comes in time. */
int clinux_taken_signal(int milliseconds);
/* Unblocks signals and stops ignoring them, whatever the launcher has left, except those that are meant for
 * the programs that the process starts. */
void clinux_reset_signals(void);
/* Sends one to the descriptor of clinux_take_signals. */
void clinux_pass_signal(int number);
/* The number of the next signal, 0 if there is none, and who has sent it: only where the kernel has filled
 * that in (kill, tgkill), because sigqueue lets the sender write what it likes. The process is 0 where it is
 * unknown, or in no namespace of ours. */
static inline int clinux_next_signal_from(int fd, uid_t *user, pid_t *process) {
  struct signalfd_siginfo info;
  *user = 0;
  *process = 0;
  if (read(fd, &info, sizeof info) != (ssize_t)sizeof info) return 0;
  if (info.ssi_code == SI_USER || info.ssi_code == SI_TKILL) {
    *user = (uid_t)info.ssi_uid;
    *process = (pid_t)info.ssi_pid;
  }
  return (int)info.ssi_signo;
}
/* The number alone. */
static inline int clinux_next_signal(int fd) {
  uid_t user;
  pid_t process;
  return clinux_next_signal_from(fd, &user, &process);
}
/* Makes a peer that is gone (SIGPIPE) and a file at its maximum size (SIGXFSZ, `ulimit -f`) errors of the
 * call. Uses a handler that does nothing: started programs then find both signals at their defaults, which
 * they would not if they were ignored. */
void clinux_disarm_write_signals(void);

/* Ignores signals that would end this process although nobody means that: SIGUSR2, those of timers, SIGIO,
 * SIGPWR, real-time signals. Keeps existing handlers. `clinux_spawn` passes none of this on: programs find
 * them at their defaults. */
void clinux_ignore_stray_signals(void);

/* Whether `bytes` contains `text`, in time linear in both (memmem). */
int clinux_contains(const void *bytes, size_t count, const void *text, size_t length);

/* Returns memory that malloc does not need to the system. */
void clinux_trim(void);

/* Bytes that a socket has taken and its peer has not (SIOCOUTQ); -1 if unknown. */
int clinux_unsent(int fd);

/* An unnamed file in `directory`: O_TMPFILE, or created and unlinked if that is not supported. */
int clinux_unnamed_file(const char *directory);

int clinux_open_directory(const char *path);
/* openat2 with RESOLVE_BENEATH: EXDEV for anything that leads out of the directory. As below, EINVAL for
 * anything but a file or a directory, which stays untouched: no writer of a pipe is woken. */
int clinux_open_beneath(int directory, const char *path);
/* 1 for a file that the kernel makes while it is read (proc, sysfs and their like): its size is a claim. */
int clinux_is_kernels(int file);
/* Opens what a path leads to, without reading it: nothing happens to a device or a pipe. */
int clinux_open_place(const char *path);
/* Opens for reading the file or directory that such a descriptor refers to; EINVAL for anything else. */
int clinux_open_again(int place);
/* Writes the path of a descriptor's file into `size` bytes with a NUL; returns its length, or -1. */
long clinux_place_of(int descriptor, char *path, unsigned long size);

/* The exchange that this thread is in; NULL outside an application's call. */
extern _Thread_local void *clinux_current;
static inline void *clinux_get_current(void) { return clinux_current; }
static inline void clinux_set_current(void *value) { clinux_current = value; }

static inline uint64_t clinux_monotonic_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
/* Sets how much a pipe holds. The corresponding call is fcntl with F_SETPIPE_SZ. */
int clinux_pipe_size(int fd, int bytes);
static inline int64_t clinux_realtime_s(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME_COARSE, &t);
  return t.tv_sec;
}

/* Starts `path` with descriptors as `map` says (pairs: ours, the child's; the child's are above none of
 * ours), the signal mask empty and every signal at its default; in its parent's process group, or as `family`
 * says. 0 or an errno. */
enum { CLINUX_OWN_SESSION = 1, CLINUX_OWN_GROUP = 2 };
int clinux_spawn(pid_t *pid, const char *path, char *const *arguments, char *const *environment,
                 const int *map, int pairs, int family);
/* Opens the null device in place of closed standard descriptors: the next file or socket would be mistaken
 * for one of them. 0, or -1 with errno. */
int clinux_fill_standard(void);
/* How many descriptors this process may have; -1 if unknown. */
long clinux_descriptor_limit(void);
/* A descriptor that becomes readable when the process ends. */
int clinux_pidfd(pid_t pid);
/* Sends a signal to the process of such a descriptor, and to no other that may have its number by now. */
int clinux_pidfd_signal(int process, int signal);
/* The ending of a child: 1 and its wait status, 0 while it runs, -1 with errno. */
int clinux_reap(pid_t pid, int *status);
/* Why no socket can be bound at a path, by the error and by what is there; the numbers of SocketPlace. */
enum {
  CLINUX_PLACE_UNKNOWN, CLINUX_PLACE_IN_USE, CLINUX_PLACE_DIRECTORY, CLINUX_PLACE_FILE,
  CLINUX_PLACE_DANGLING_LINK, CLINUX_PLACE_OTHER_TYPE, CLINUX_PLACE_FOREIGN,
  CLINUX_PLACE_NO_DIRECTORY, CLINUX_PLACE_DIRECTORY_IS_FILE, CLINUX_PLACE_CLOSED_DIRECTORY,
  CLINUX_PLACE_READ_ONLY
};
int clinux_socket_place(const char *path, int error);
/* A pipe, closed on exec. */
int clinux_pipe(int ends[2]);
/* A pair of connected packet sockets, closed on exec, non-blocking. */
int clinux_packet_pair(int ends[2]);
int clinux_stream_pair(int ends[2]);
/* One packet with at most one descriptor (-1 for none). */
ssize_t clinux_send_packet(int fd, const void *bytes, size_t count, int descriptor);
/* One packet; *descriptor is -1 or a new descriptor, closed on exec; without `descriptor` none is accepted. A
 * packet longer than `count` is lost: EMSGSIZE. */
ssize_t clinux_receive_packet(int fd, void *bytes, size_t count, int *descriptor);
/* The most descriptors that one packet carries (SCM_MAX_FD of Linux). */
enum { CLINUX_DESCRIPTORS = 253 };
/* One packet with 1 to CLINUX_DESCRIPTORS descriptors. */
ssize_t clinux_send_descriptors(int fd, const void *bytes, size_t count, const int *descriptors, int number);
/* Makes the kernel say with each packet from now on which process has sent it. */
int clinux_tell_sender(int fd);
/* One packet, and which process has sent it; 0 if the kernel does not tell. Descriptors are dropped. */
ssize_t clinux_receive_from(int fd, void *bytes, size_t count, pid_t *sender);
/* Makes descendants of this process its children when their parents end. */
int clinux_adopt_orphans(void);
/* Whether a process is a child of this one that has not been waited for. */
int clinux_is_child(pid_t pid);
/* A child that has ended and has not been waited for; 0 for none. */
pid_t clinux_ended_child(void);
/* A file in memory, closed on exec. */
int clinux_memory_file(const char *name);
/* Memory of a fixed size to share, closed on exec: nobody who gets it can make it smaller or larger. */
int clinux_sealed_memory(const char *name, size_t count);
/* A copy of a descriptor at `least` or above, closed on exec. */
static inline int clinux_duplicate(int fd, int least) { return fcntl(fd, F_DUPFD_CLOEXEC, least); }
/* The signal that this process gets when its parent dies; 0, or -1 with errno. */
int clinux_death_signal(int signal);
/* Binds the calling process to a processor, counted among those that it may use. */
int clinux_bind_processor(unsigned place, unsigned per_worker);
/* fork(2), in a process of one thread. */
pid_t clinux_fork(void);
/* The file of the shared library that this code is in; NULL in a program's own code. */
const char *clinux_own_library(void);
/* How many processors the process may use. */
int clinux_processors(void);

/* Shows other words in place of the command line (title.c). Call it before other threads are started: the
 * environment variables move. 0, or -1 with errno. */
int clinux_set_title(const char *title);

/* ---- Names that others may interfere with (guarded.c) ---- */

/* Opens a file like open(2), but follows no link that another user could have made, and accepts no file of
 * another user where others can create names: then -1 with ELOOP or EPERM. O_TRUNC is up to the caller. */
int clinux_open_guarded(const char *path, int flags, mode_t mode);
/* Writes a small text as the file, under the same conditions: beside it and renamed, if possible. */
int clinux_write_guarded(const char *path, const char *text, mode_t mode);
/* Opens (O_PATH) the directory that the last name of `path` is in, following links as above; `name`, of
 * NAME_MAX + 1 bytes, gets that name. */
int clinux_open_parent(const char *path, char *name);
/* Renames an open file, under the same conditions and in the directories that the walk has found; where
 * others can create names, `path` must still lead to the same file. */
int clinux_rename_guarded(int file, const char *path, const char *name);
/* Makes a pipe for its owner alone, or takes an existing one if it belongs to us alone, and opens it for
 * reading without ever seeing its end: under the same conditions, and for nobody else. EEXIST for anything
 * else there, EADDRINUSE for one that another process has opened like this. */
int clinux_open_pipe(const char *path);
/* Whether the path leads to that pipe. */
int clinux_pipe_is_at(const char *path, int pipe);
/* Removes the path, if it leads to that pipe. */
int clinux_remove_pipe(const char *path, int pipe);
/* What an error of these means, for the operator. */
const char *clinux_guarded_reason(int error);
/* Opens (O_PATH) what a name in a directory refers to, even if it is a link. */
int clinux_open_name(int directory, const char *name);
/* Whether the user is root, or our own. */
int clinux_trusts_owner(uid_t owner);

/* ---- Another user (process.c) ---- */

/* Whether this thread may change its groups and its user. */
int clinux_may_change_user(void);
/* Gives up all capabilities of this thread. */
int clinux_drop_capabilities(void);
/* Prevents programs that this process starts from getting more rights than it has; 0, or -1 with errno. */
/* Lets only root trace this process, read its memory or get a core of it, as after a change of user;
 * execve(2) undoes this. */
int clinux_close_to_users(void);
int clinux_forbid_privileges(void);
static inline int clinux_forbids_privileges(void) { return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0); }
/* The user and the process at the other end of a unix socket, as they were when it connected. */
int clinux_peer(int fd, uid_t *user, pid_t *process);
/* Gives the file behind a descriptor, which may be of O_PATH, to a user and group. */
int clinux_give(int fd, uid_t user, gid_t group);
/* The real, effective and saved ids of this process: 3 users, then 3 groups. */
int clinux_identity(uint32_t ids[6]);
/* Sets all three. */
int clinux_set_user(uid_t user);
int clinux_set_group(gid_t group);

/* ---- A process that removes the files of one that has given up its privileges (remover.c) ---- */

/* Forks it: it waits until this process has ended, or asks it, and removes those names in their directories
 * (open descriptors) that still lead to the same files as now. Returns a descriptor for
 * clinux_finish_remover, -1 with errno. */
int clinux_start_remover(const int *directories, const char *const *names, int count);
/* Asks it, and waits until it is done, for at most three seconds. */
void clinux_finish_remover(int link);

/* ---- A worker's last words (crash.c) ---- */

/* Makes a fatal signal write what crashed and a backtrace to standard error before it kills. `note` is called
 * in the handler with the signal, and returns text for the first line. Async-signal-safe. */
void clinux_watch_crashes(const char *(*note)(int signal));
/* Makes a thread of this process write its backtrace to standard error, if crashes are watched. */
void clinux_trace(pthread_t thread);
/* A stack for the handlers of the calling thread, if crashes are watched; to be returned before it ends. */
void *clinux_begin_crash_stack(void);
void clinux_end_crash_stack(void *room);
/* From now on the process only runs destructors: a fatal signal is reported, and ends it with this code. */
void clinux_end_with(int code);

/* The path that execve(2) was given for this process: this program's, or a script's whose first line names
 * it. NULL if the kernel does not tell. */
static inline const char *clinux_executed(void) { return (const char *)getauxval(AT_EXECFN); }

/* Names each library of the process, as the dynamic linker knows it; ends when `each` returns 0. */
void clinux_each_library(int (*each)(const char *name, void *argument), void *argument);
/* The name of the loaded library that the linker would use for `name`; 0 if it would search for one. */
int clinux_loaded_as(const char *name, char *path, size_t room);

/* Whether the file system of `path` forbids mapping code (mounted noexec): 1, 0, or -1 with errno. */
int clinux_is_noexec(const char *path);
#endif
