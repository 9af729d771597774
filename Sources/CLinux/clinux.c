#define _GNU_SOURCE
#include "clinux.h"
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <linux/sockios.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/statvfs.h>

_Static_assert(CLINUX_EPOLLIN == EPOLLIN && CLINUX_EPOLLOUT == EPOLLOUT && CLINUX_EPOLLERR == EPOLLERR &&
                 CLINUX_EPOLLHUP == EPOLLHUP && CLINUX_EPOLLRDHUP == EPOLLRDHUP &&
                 CLINUX_EPOLLEXCLUSIVE == EPOLLEXCLUSIVE &&
                 CLINUX_EPOLLET == (uint32_t)EPOLLET, "epoll flags");

_Thread_local void *clinux_current;

int clinux_put_in_place(int source, int fd) { return dup3(source, fd, O_CLOEXEC); }

int clinux_accept(int fd, struct sockaddr_storage *peer, socklen_t *length) {
  int accepted = accept4(fd, (struct sockaddr *)peer, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
  clinux_own(accepted);
  return accepted;
}

/* The Thread Sanitizer learns from libc's functions which thread waits for which. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define BARE_CALL(bare, libc) (libc)
#endif
#endif
#ifndef BARE_CALL
#define BARE_CALL(bare, libc) (bare)
#endif

int clinux_epoll_wait(int epoll, struct epoll_event *events, int count, int milliseconds) {
  return (int)BARE_CALL(syscall(SYS_epoll_pwait, epoll, events, count, milliseconds, NULL, (size_t)0),
                        epoll_wait(epoll, events, count, milliseconds));
}

ssize_t clinux_receive(int fd, void *bytes, size_t count, int keeps) {
  int flags = keeps ? MSG_PEEK : 0;
  return BARE_CALL(syscall(SYS_recvfrom, fd, bytes, count, flags, NULL, NULL), recv(fd, bytes, count, flags));
}

int clinux_reset_on_close(int fd, int resets) {
  struct linger how = {.l_onoff = resets, .l_linger = 0};
  return setsockopt(fd, SOL_SOCKET, SO_LINGER, &how, sizeof how);
}

ssize_t clinux_send(int fd, const void *bytes, size_t count, int more) {
  int flags = MSG_NOSIGNAL | (more ? MSG_MORE : 0);
  ssize_t sent = BARE_CALL(syscall(SYS_sendto, fd, bytes, count, flags, NULL, (socklen_t)0),
                           send(fd, bytes, count, flags));
  return sent < 0 && errno == ENOTSOCK ? write(fd, bytes, count) : sent;
}

void clinux_trim(void) {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

int clinux_unsent(int fd) {
  int count = 0;
  return ioctl(fd, SIOCOUTQ, &count) ? -1 : count;
}

int clinux_unnamed_file(const char *directory) {
  int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR)) return fd;
  char path[PATH_MAX];
  if (snprintf(path, sizeof path, "%s/nsgi-body-XXXXXX", directory) >= (int)sizeof path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  fd = mkostemp(path, O_CLOEXEC);
  if (fd >= 0) unlink(path);
  return fd;
}

int clinux_is_noexec(const char *path) {
  struct statvfs information;
  if (statvfs(path, &information)) return -1;
  return (information.f_flag & ST_NOEXEC) != 0;
}

int clinux_open_directory(const char *path) { return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC); }

int clinux_open_beneath(int directory, const char *path) {
  struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
  int place = (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
  if (place < 0) return place;
  int file = clinux_open_again(place);
  if (file < 0 && errno == ENOENT) {
    /* There is no /proc. The name could refer to another file by now, which is not waited for either. */
    how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    file = (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
  }
  int error = errno;
  close(place);
  errno = error;
  return file;
}

int clinux_is_kernels(int file) {
  struct statfs system;
  if (fstatfs(file, &system)) return 0;
  switch ((unsigned)system.f_type) {
  case PROC_SUPER_MAGIC: case SYSFS_MAGIC: case DEBUGFS_MAGIC: case TRACEFS_MAGIC: case CGROUP_SUPER_MAGIC:
  case CGROUP2_SUPER_MAGIC: case SECURITYFS_MAGIC: case BPF_FS_MAGIC: case PSTOREFS_MAGIC: return 1;
  default: return 0;
  }
}

int clinux_open_place(const char *path) { return open(path, O_PATH | O_CLOEXEC); }

static void link_of(int descriptor, char link[32]) { snprintf(link, 32, "/proc/self/fd/%d", descriptor); }

int clinux_open_again(int place) {
  char link[32];
  struct stat status;
  if (fstat(place, &status)) return -1;
  if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) {
    errno = EINVAL;
    return -1;
  }
  link_of(place, link);
  return open(link, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
}

long clinux_place_of(int descriptor, char *path, unsigned long size) {
  char link[32];
  link_of(descriptor, link);
  ssize_t count = readlink(link, path, size - 1);
  if (count >= 0) path[count] = 0;
  return count;
}

static int has_directory(const char *path) {
  char directory[PATH_MAX];
  const char *slash = strrchr(path, '/');
  struct stat status;
  if (!slash) return 1;
  if (snprintf(directory, sizeof directory, "%.*s", (int)(slash - path) + 1, path) >= (int)sizeof directory)
    return 1;
  return !stat(directory, &status);
}

int clinux_socket_place(const char *path, int error) {
  struct stat status;
  int is_there = !lstat(path, &status);
  switch (error) {
    case EADDRINUSE:
      if (is_there && S_ISLNK(status.st_mode) && stat(path, &status)) return CLINUX_PLACE_DANGLING_LINK;
      if (!is_there || S_ISSOCK(status.st_mode)) return CLINUX_PLACE_IN_USE;
      return S_ISDIR(status.st_mode) ? CLINUX_PLACE_DIRECTORY : CLINUX_PLACE_FILE;
    case EPROTOTYPE: return CLINUX_PLACE_OTHER_TYPE;
    case EACCES:
    case EPERM: return is_there ? CLINUX_PLACE_FOREIGN : CLINUX_PLACE_CLOSED_DIRECTORY;
    case ENOENT: return has_directory(path) ? CLINUX_PLACE_UNKNOWN : CLINUX_PLACE_NO_DIRECTORY;
    case ENOTDIR: return CLINUX_PLACE_DIRECTORY_IS_FILE;
    case EROFS: return CLINUX_PLACE_READ_ONLY;
    default: return CLINUX_PLACE_UNKNOWN;
  }
}

int clinux_contains(const void *bytes, size_t count, const void *text, size_t length) {
  return memmem(bytes, count, text, length) != NULL;
}

struct each_library {
  int (*each)(const char *name, void *argument);
  void *argument;
};

static int take_library(struct dl_phdr_info *information, size_t size, void *argument) {
  struct each_library *call = argument;
  (void)size;
  return !call->each(information->dlpi_name ? information->dlpi_name : "", call->argument);
}

void clinux_each_library(int (*each)(const char *name, void *argument), void *argument) {
  struct each_library call = {each, argument};
  dl_iterate_phdr(take_library, &call);
}

int clinux_loaded_as(const char *name, char *path, size_t room) {
  struct link_map *map = NULL;
  void *library = dlopen(name, RTLD_LAZY | RTLD_NOLOAD);
  if (!library) return 0;
  int is_known = !dlinfo(library, RTLD_DI_LINKMAP, &map) && map->l_name && strlen(map->l_name) < room;
  if (is_known) strcpy(path, map->l_name);
  dlclose(library);
  return is_known;
}

int clinux_pipe_size(int fd, int bytes) { return fcntl(fd, F_SETPIPE_SZ, bytes); }
