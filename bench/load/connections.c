/* The connections: each sends a batch, reads its answers, and begins again at once (closed loop). */
#include "gwload.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

struct connection *connections;
struct counts counts;
int is_measuring;

static int poller, is_stopping, waiting_to_retry;
static long issued; /* batches begun for the first time */
static char input[1 << 18];

static void begin(struct connection *connection);

uint64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static int keeps_alive(void) { return options.protocol == HTTP || options.protocol == FCGI_KEEP; }

static void drop(struct connection *connection) {
  if (connection->fd >= 0) close(connection->fd);
  connection->fd = -1;
  connection->wants_write = connection->is_fresh = connection->is_kept = 0;
}

static void retry_later(struct connection *connection) {
  drop(connection);
  if (is_stopping || connection->must_retry) return;
  connection->must_retry = 1;
  waiting_to_retry++;
}

static void fail(struct connection *connection, unsigned long *counter) {
  if (is_measuring) (*counter)++;
  retry_later(connection);
}

/* The server closed a kept connection before the next request reached it: not an error, but counted. */
static int was_stale(struct connection *connection) {
  if (!connection->is_kept || connection->has_input || is_stopping) return 0;
  counts.reopened += (unsigned long)is_measuring;
  retry_later(connection);
  return 1;
}

/* One answer of the batch is complete. */
static int check(struct connection *connection) {
  const struct answer *answer = &connection->answer;
  long body = (long)answer->body_bytes;
  counts.total++;
  if (options.body_bytes < 0) options.body_bytes = body;
  if (answer->status != 200) return fail(connection, &counts.status), 0;
  int agrees = answer->content_length < 0 || body == answer->content_length;
  if (body != options.body_bytes || !agrees) return fail(connection, &counts.length), 0;
  if (is_measuring) {
    counts.requests++;
    counts.bytes += (unsigned long)body;
    connection->requests++;
    record_latency(now_ns() - connection->began);
  }
  if (options.requests >= 0 && (long)counts.total >= options.requests) is_stopping = 1;
  connection->answered++;
  return 1;
}

/* The batch is answered. */
static void finish(struct connection *connection, int at_end) {
  if (at_end || connection->answer.closing || !keeps_alive()) drop(connection);
  int is_enough = options.requests >= 0 && issued * options.pipeline >= options.requests;
  if (options.is_idle || is_stopping || is_enough) connection->is_settled = 1;
  else begin(connection);
}

/* The server has ended the connection. */
static void ended(struct connection *connection) {
  if (options.is_idle && connection->is_settled) return drop(connection);
  if (was_stale(connection)) return;
  if (!answer_is_complete(&connection->answer, 1)) return fail(connection, &counts.io);
  if (check(connection)) finish(connection, 1);
}

static int send_rest(struct connection *connection) { /* 0 all sent, 1 would block, -1 error */
  while (connection->sent < batch_bytes) {
    size_t left = batch_bytes - connection->sent;
    ssize_t count = send(connection->fd, batch + connection->sent, left, MSG_NOSIGNAL);
    if (count < 0) return errno == EAGAIN || errno == ENOTCONN ? 1 : -1;
    connection->sent += (size_t)count;
  }
  return 0;
}

static void watch(struct connection *connection, int writing, int is_new) {
  struct epoll_event event = {.events = EPOLLIN | (writing ? EPOLLOUT : 0), .data.ptr = connection};
  epoll_ctl(poller, is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, connection->fd, &event);
  connection->wants_write = writing;
}

static int open_socket(struct connection *connection) {
  int family = options.address.ss_family, one = 1;
  connection->fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (connection->fd < 0) return fail(connection, &counts.connect), -1;
  if (family == AF_INET) setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (connect(connection->fd, (struct sockaddr *)&options.address, options.address_bytes) &&
      errno != EINPROGRESS) {
    if (errno != EAGAIN) return fail(connection, &counts.connect), -1;
    counts.retries++; /* the backlog of a unix socket is full */
    retry_later(connection);
    return -1;
  }
  counts.opened++;
  connection->is_fresh = 1;
  return 0;
}

static void begin(struct connection *connection) {
  int is_new = connection->fd < 0;
  answer_begin(&connection->answer);
  connection->answered = 0;
  connection->sent = 0;
  connection->has_input = 0;
  if (connection->must_retry) { /* a retried request keeps the time at which it began */
    connection->must_retry = 0;
    waiting_to_retry--;
  } else {
    connection->began = now_ns();
    issued++;
  }
  if (!is_new) connection->is_kept = 1;
  else if (open_socket(connection)) return;
  int left = send_rest(connection);
  if (left < 0) {
    if (!was_stale(connection)) fail(connection, &counts.io);
    return;
  }
  if (is_new || left != connection->wants_write) watch(connection, left, is_new);
}

/* Bytes of answers; 0 when the connection has moved on to another batch or is gone. */
static int take(struct connection *connection, const char *bytes, size_t count) {
  while (count) {
    long taken = answer_take(&connection->answer, bytes, count);
    if (taken < 0) return fail(connection, &counts.record), 0;
    bytes += taken;
    count -= (size_t)taken;
    if (!answer_is_complete(&connection->answer, 0)) {
      if (count) return fail(connection, &counts.record), 0;
      return 1;
    }
    if (connection->answer.closing) return 1; /* the end must follow */
    if (!check(connection)) return 0;
    if (connection->answered == (unsigned)options.pipeline) {
      if (count) return fail(connection, &counts.record), 0;
      finish(connection, 0);
      return 0;
    }
    answer_begin(&connection->answer);
  }
  return 1;
}

static void drive(struct connection *connection) {
  if (connection->sent < batch_bytes) {
    int left = send_rest(connection);
    if (left < 0) {
      if (connection->is_fresh) fail(connection, &counts.connect);
      else if (!was_stale(connection)) fail(connection, &counts.io);
      return;
    }
    if (!left && connection->wants_write) watch(connection, 0, 0);
  }
  for (;;) {
    ssize_t count = recv(connection->fd, input, sizeof input, 0);
    if (count < 0) {
      if (errno == EAGAIN || errno == ENOTCONN) return;
      /* A server that closes with unread input resets the connection; a complete answer counts. */
      if (answer_is_complete(&connection->answer, 1)) return ended(connection);
      if (was_stale(connection)) return;
      return fail(connection, connection->is_fresh ? &counts.connect : &counts.io);
    }
    if (count == 0) return ended(connection);
    connection->is_fresh = 0;
    connection->has_input = 1;
    if (!take(connection, input, (size_t)count)) return;
    if (keeps_alive() && (size_t)count < sizeof input) return;
  }
}

void connections_open(void) {
  poller = epoll_create1(EPOLL_CLOEXEC);
  for (int i = 0; i < options.connections; i++) {
    connections[i].fd = -1;
    begin(&connections[i]);
  }
}

static void turn(int timeout_ms) {
  struct epoll_event events[256];
  int count = epoll_wait(poller, events, 256, timeout_ms);
  for (int i = 0; i < count; i++) {
    struct connection *connection = events[i].data.ptr;
    if (connection->fd >= 0) drive(connection);
  }
}

static int all_settled(void) {
  for (int i = 0; i < options.connections; i++) {
    if (!connections[i].is_settled) return 0;
  }
  return 1;
}

static void fail_overdue(uint64_t now) {
  int64_t allowed = (int64_t)(options.timeout * 1e9);
  for (int i = 0; i < options.connections; i++) {
    struct connection *connection = &connections[i];
    int waits = connection->fd >= 0 && !connection->is_settled;
    if (waits && (int64_t)(now - connection->began) > allowed) fail(connection, &counts.timeout);
  }
}

double run_until(uint64_t end) {
  uint64_t began = now_ns(), now = began, looked = began;
  while ((now = now_ns()) < end && !is_stopping) {
    int retries = waiting_to_retry;
    for (int i = 0, left = retries; left > 0 && i < options.connections; i++) {
      if (!connections[i].must_retry) continue;
      left--;
      begin(&connections[i]);
    }
    turn(retries ? 1 : 50);
    if (options.is_idle && all_settled()) break;
    if (now - looked < 200000000u) continue;
    looked = now;
    fail_overdue(now);
  }
  return (double)(now_ns() - began) / 1e9;
}

void hold_until(uint64_t end) {
  while (now_ns() < end) turn(100);
}
