/* Processes that another one forks for the master: the descriptors that they get, and their identity. */
#define _GNU_SOURCE
#include "clinux.h"
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

ssize_t clinux_send_descriptors(int fd, const void *bytes, size_t count, const int *descriptors, int number) {
  struct iovec part = {(void *)bytes, count};
  union { char room[CMSG_SPACE(sizeof(int) * CLINUX_DESCRIPTORS)]; struct cmsghdr align; } control;
  if (number < 1 || number > CLINUX_DESCRIPTORS) return errno = EINVAL, -1;
  memset(&control, 0, sizeof control);
  size_t size = sizeof(int) * (size_t)number;
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.room,
                           .msg_controllen = CMSG_SPACE(size)};
  struct cmsghdr *head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(size);
  memcpy(CMSG_DATA(head), descriptors, size);
  ssize_t sent;
  do sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  while (sent < 0 && errno == EINTR);
  return sent;
}

int clinux_tell_sender(int fd) {
  int yes = 1;
  return setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes);
}

ssize_t clinux_receive_from(int fd, void *bytes, size_t count, pid_t *sender) {
  struct iovec part = {bytes, count};
  /* No room for descriptors: the kernel drops attached ones. */
  union { char room[CMSG_SPACE(sizeof(struct ucred))]; struct cmsghdr align; } control;
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.room,
                           .msg_controllen = sizeof control.room};
  *sender = 0;
  ssize_t received = recvmsg(fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  if (received < 0) return received;
  for (struct cmsghdr *head = CMSG_FIRSTHDR(&message); head; head = CMSG_NXTHDR(&message, head)) {
    if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_CREDENTIALS) continue;
    struct ucred who;
    memcpy(&who, CMSG_DATA(head), sizeof who);
    *sender = who.pid;
  }
  if (message.msg_flags & MSG_TRUNC) return errno = EMSGSIZE, -1;
  return received;
}

int clinux_adopt_orphans(void) { return prctl(PR_SET_CHILD_SUBREAPER, 1); }

int clinux_is_child(pid_t pid) {
  siginfo_t information;
  return pid > 0 && !waitid(P_PID, (id_t)pid, &information, WEXITED | WNOHANG | WNOWAIT);
}

pid_t clinux_ended_child(void) {
  siginfo_t information = {0};
  return waitid(P_ALL, 0, &information, WEXITED | WNOHANG | WNOWAIT) ? 0 : information.si_pid;
}
