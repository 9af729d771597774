/* limit_http PORT|unix:PATH [whole]: the least a single-threaded epoll HTTP/1.1 server can do. Reads, finds
 * the blank line, writes a fixed answer: 12 bytes at /, 100 KiB at /100k, the length of the body at POST.
 * Keeps the connection unless the request says "Connection: close". With `whole` a body is kept in one piece
 * until it is answered, as for an app that asks for it so; else it is dropped as it comes. */
#include "reference.h"

#define HEAD(length) "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: " length "\r\n"
static const char kept[] = HEAD("12") "\r\nHello World\n";
static const char closed[] = HEAD("12") "Connection: close\r\n\r\nHello World\n";
static const char large_head[] = HEAD("102400") "\r\n";
static char large[sizeof large_head - 1 + 102400];

struct connection {
  unsigned have;
  long body_left, body_bytes; /* of a POST */
  char *body;                 /* where it is kept */
  size_t large_left;          /* of an answer that did not fit into the socket */
  char input[2000];
};

static struct connection *table[DESCRIPTORS];
static int poller, keeps_body;

static void shut(int fd) {
  free(table[fd]->body);
  free(table[fd]);
  table[fd] = NULL;
  close(fd);
}

/* 100 KiB: what the socket takes now, the rest when it is writable. */
static int send_large(int fd, struct connection *connection) {
  int waited = connection->large_left != sizeof large;
  while (connection->large_left) {
    const char *from = large + sizeof large - connection->large_left;
    ssize_t count = send(fd, from, connection->large_left, MSG_NOSIGNAL);
    if (count < 0 && errno != EAGAIN) return shut(fd), 0;
    if (count < 0) {
      if (!waited) watch(poller, fd, EPOLL_CTL_MOD, EPOLLOUT);
      return 0;
    }
    connection->large_left -= (size_t)count;
  }
  if (waited) watch(poller, fd, EPOLL_CTL_MOD, EPOLLIN);
  return 1;
}

static void answer_length(int fd, struct connection *connection) {
  char answer[256], body[32];
  int digits = snprintf(body, sizeof body, "%ld\n", connection->body_bytes);
  int count = snprintf(answer, sizeof answer, HEAD("%d") "\r\n%s", digits, body);
  connection->have = 0;
  free(connection->body);
  connection->body = NULL;
  if (send(fd, answer, (size_t)count, MSG_NOSIGNAL) != count) shut(fd);
}

/* A body is read, and dropped or kept. */
static void read_body(int fd, struct connection *connection) {
  static char sink[256 * 1024];
  while (connection->body_left > 0) {
    char *to = keeps_body ? connection->body + connection->body_bytes - connection->body_left : sink;
    ssize_t count = recv(fd, to, keeps_body ? (size_t)connection->body_left : sizeof sink, 0);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) return shut(fd);
    connection->body_left -= count;
  }
  answer_length(fd, connection);
}

static void begin_post(int fd, struct connection *connection, char *head, char *end, char *have_end) {
  char *length = memmem(head, (size_t)(end - head), "Content-Length: ", 16);
  connection->body_bytes = length ? atol(length + 16) : 0;
  connection->body_left = connection->body_bytes - (have_end - end - 4);
  if (keeps_body) {
    connection->body = malloc((size_t)connection->body_bytes + 1);
    memcpy(connection->body, end + 4, (size_t)(have_end - end - 4));
  }
  read_body(fd, connection);
}

/* Every complete request that is there, pipelined ones together. */
static void serve(int fd) {
  struct connection *connection = table[fd];
  if (connection->body_left > 0) return read_body(fd, connection);
  char *at = connection->input, out[8192];
  ssize_t count = recv(fd, at + connection->have, sizeof connection->input - connection->have, 0);
  if (count < 0 && errno == EAGAIN) return;
  if (count <= 0) return shut(fd);
  char *end = at + connection->have + count, *blank;
  size_t filled = 0;
  int closing = 0;
  while ((blank = memmem(at, (size_t)(end - at), "\r\n\r\n", 4))) {
    if (*at == 'P') return begin_post(fd, connection, at, blank, end);
    if (at[5] == '1') {
      connection->large_left = sizeof large;
      connection->have = 0;
      send_large(fd, connection);
      return;
    }
    closing = memmem(at, (size_t)(blank - at), "Connection: close", 17) != NULL;
    size_t length = closing ? sizeof closed - 1 : sizeof kept - 1;
    if (filled + length > sizeof out) break;
    memcpy(out + filled, closing ? closed : kept, length);
    filled += length;
    at = blank + 4;
  }
  connection->have = (unsigned)(end - at);
  memmove(connection->input, at, connection->have);
  if (filled && send(fd, out, filled, MSG_NOSIGNAL) != (ssize_t)filled) closing = 1;
  if (closing || connection->have == sizeof connection->input) shut(fd);
}

static void accept_all(int listener) {
  int fd;
  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
    table[fd] = malloc(sizeof(struct connection));
    memset(table[fd], 0, offsetof(struct connection, input));
    send_without_delay(fd);
    watch(poller, fd, EPOLL_CTL_ADD, EPOLLIN);
    serve(fd); /* the request is usually there already */
  }
}

int main(int count, char **words) {
  if (count < 2) return 2;
  int listener = listen_on(words[1]);
  memcpy(large, large_head, sizeof large_head - 1);
  memset(large + sizeof large_head - 1, 'x', 102400);
  keeps_body = count > 2;
  raise_descriptor_limit();
  poller = epoll_create1(EPOLL_CLOEXEC);
  watch(poller, listener, EPOLL_CTL_ADD, EPOLLIN);
  for (struct epoll_event events[EVENTS];;) {
    int ready = epoll_wait(poller, events, EVENTS, -1);
    for (int i = 0; i < ready; i++) {
      int fd = events[i].data.fd;
      if (fd == listener) accept_all(listener);
      else if (events[i].events & EPOLLOUT) send_large(fd, table[fd]);
      else serve(fd);
    }
  }
}
