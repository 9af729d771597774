/* What the bare C references have in common: the listening socket and their limits. They do the least that
 * a single-threaded server of their protocol can do: the limit that a real one is measured against. */
#pragma once
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { DESCRIPTORS = 1 << 17, EVENTS = 256 };

static int is_unix;

static inline void raise_descriptor_limit(void) {
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
}

static inline void send_without_delay(int fd) {
  int one = 1;
  if (!is_unix) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

/* "PORT" on 127.0.0.1, or "unix:PATH". */
static inline int listen_on(const char *address) {
  struct sockaddr_un path = {.sun_family = AF_UNIX};
  struct sockaddr_in port = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)atoi(address)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  is_unix = !strncmp(address, "unix:", 5);
  int one = 1;
  if (is_unix) {
    snprintf(path.sun_path, sizeof path.sun_path, "%s", address + 5);
    unlink(path.sun_path);
  }
  int fd = socket(is_unix ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr *bound = is_unix ? (struct sockaddr *)&path : (struct sockaddr *)&port;
  if (bind(fd, bound, is_unix ? sizeof path : sizeof port) || listen(fd, 4096)) {
    perror(address);
    exit(1);
  }
  return fd;
}

static inline void watch(int poller, int fd, int operation, unsigned events) {
  struct epoll_event event = {.events = events, .data.fd = fd};
  epoll_ctl(poller, operation, fd, &event);
}
