/* limit_tls PORT CERTIFICATE KEY: what OpenSSL costs in the least server around it: HTTP/1.1 over TLS on
 * epoll, one thread, the library on the descriptor itself. 12 bytes at /, 100 KiB at /100k; keeps the
 * connection unless the request says "Connection: close". */
#include "reference.h"
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>

#define HEAD(length) "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: " length "\r\n"
static const char kept[] = HEAD("12") "\r\nHello World\n";
static const char closed[] = HEAD("12") "Connection: close\r\n\r\nHello World\n";
static const char large_head[] = HEAD("102400") "\r\n";
static char large[sizeof large_head - 1 + 102400];

enum { RECORD = 16384 };

struct connection {
  SSL *ssl;
  unsigned have, events; /* of the head; what is waited for */
  size_t large_left;     /* of an answer that did not fit into the socket */
  char input[2000];
};

static struct connection *table[DESCRIPTORS];
static SSL_CTX *context;
static int poller;

static void shut(int fd) {
  SSL_set_quiet_shutdown(table[fd]->ssl, 1);
  SSL_free(table[fd]->ssl);
  free(table[fd]);
  table[fd] = NULL;
  close(fd);
}

static void wait_for(int fd, unsigned events) {
  if (table[fd]->events == events) return;
  table[fd]->events = events;
  watch(poller, fd, EPOLL_CTL_MOD, events);
}

/* After a call of the library that has not done it all: the socket has to be ready, or it is the end. */
static void wait_or_shut(int fd, int result) {
  switch (SSL_get_error(table[fd]->ssl, result)) {
  case SSL_ERROR_WANT_READ: return wait_for(fd, EPOLLIN);
  case SSL_ERROR_WANT_WRITE: return wait_for(fd, EPOLLOUT);
  default: shut(fd);
  }
}

/* 100 KiB, in records: what the socket takes now, the rest when it is writable. */
static void send_large(int fd) {
  struct connection *connection = table[fd];
  while (connection->large_left) {
    const char *from = large + sizeof large - connection->large_left;
    size_t count = connection->large_left < RECORD ? connection->large_left : RECORD;
    ERR_clear_error();
    int sent = SSL_write(connection->ssl, from, (int)count);
    if (sent <= 0) return wait_or_shut(fd, sent);
    connection->large_left -= (size_t)sent;
  }
  wait_for(fd, EPOLLIN);
}

/* A request whose head ends at `blank`; 0 if the connection is over, or the answer waits. */
static int answer(int fd, const char *blank) {
  struct connection *connection = table[fd];
  size_t bytes = (size_t)(blank - connection->input);
  int closing = memmem(connection->input, bytes, "Connection: close", 17) != NULL;
  int is_large = connection->input[5] == '1';
  connection->have = 0;
  if (is_large) {
    connection->large_left = sizeof large;
    send_large(fd);
    return table[fd] != NULL && !table[fd]->large_left;
  }
  int length = (int)(closing ? sizeof closed - 1 : sizeof kept - 1);
  if (SSL_write(connection->ssl, closing ? closed : kept, length) != length) return shut(fd), 0;
  if (!closing) return 1;
  SSL_shutdown(connection->ssl);
  shut(fd);
  return 0;
}

/* The first read does the handshake too. */
static void serve(int fd) {
  struct connection *connection = table[fd];
  do {
    ERR_clear_error();
    int room = (int)(sizeof connection->input - connection->have);
    int count = SSL_read(connection->ssl, connection->input + connection->have, room);
    if (count <= 0) return wait_or_shut(fd, count);
    connection->have += (unsigned)count;
    const char *blank = memmem(connection->input, connection->have, "\r\n\r\n", 4);
    if (!blank && connection->have == sizeof connection->input) return shut(fd);
    if (blank && !answer(fd, blank)) return;
  } while (SSL_pending(connection->ssl));
  wait_for(fd, EPOLLIN);
}

static void accept_all(int listener) {
  int fd;
  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
    struct connection *connection = table[fd] = malloc(sizeof *connection);
    memset(connection, 0, offsetof(struct connection, input));
    connection->ssl = SSL_new(context);
    SSL_set_fd(connection->ssl, fd);
    SSL_set_accept_state(connection->ssl);
    send_without_delay(fd);
    connection->events = EPOLLIN;
    watch(poller, fd, EPOLL_CTL_ADD, EPOLLIN);
  }
}

int main(int count, char **words) {
  if (count < 4) return 2;
  signal(SIGPIPE, SIG_IGN);
  context = SSL_CTX_new(TLS_server_method());
  if (SSL_CTX_use_certificate_chain_file(context, words[2]) != 1 ||
      SSL_CTX_use_PrivateKey_file(context, words[3], SSL_FILETYPE_PEM) != 1) {
    ERR_print_errors_fp(stderr);
    return 1;
  }
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  memcpy(large, large_head, sizeof large_head - 1);
  memset(large + sizeof large_head - 1, 'x', 102400);
  int listener = listen_on(words[1]);
  raise_descriptor_limit();
  poller = epoll_create1(EPOLL_CLOEXEC);
  watch(poller, listener, EPOLL_CTL_ADD, EPOLLIN);
  for (struct epoll_event events[EVENTS];;) {
    int ready = epoll_wait(poller, events, EVENTS, -1);
    for (int i = 0; i < ready; i++) {
      int fd = events[i].data.fd;
      if (fd == listener) accept_all(listener);
      else if (table[fd] && table[fd]->large_left) send_large(fd);
      else if (table[fd]) serve(fd);
    }
  }
}
