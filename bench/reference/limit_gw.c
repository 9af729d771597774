/* limit_gw scgi|uwsgi|fcgi PORT|unix:PATH: the least a single-threaded gateway server can do. Accepts,
 * reads until the request is framed, writes a fixed answer, closes (FastCGI: keeps, if the client sets
 * FCGI_KEEP_CONN). Reads no variable of the environment, and a body only with FastCGI. */
#include "reference.h"

#define ANSWER "Content-Type: text/plain\r\nContent-Length: 12\r\n\r\nHello World\n"
static const char cgi_answer[] = "Status: 200 OK\r\n" ANSWER;
static const char http_answer[] = "HTTP/1.1 200 OK\r\n" ANSWER;

struct connection {
  unsigned have, keep;
  char input[4088];
};

static enum { SCGI, UWSGI, FCGI } protocol;
static struct connection *table[DESCRIPTORS];
static int poller;

static unsigned framed_uwsgi(const unsigned char *bytes, unsigned have) {
  unsigned length = have < 4 ? 0 : 4 + (bytes[1] | (unsigned)bytes[2] << 8);
  return have >= 4 && have >= length ? length : 0;
}

static unsigned framed_scgi(const unsigned char *bytes, unsigned have) {
  unsigned at = 0, length = 0;
  while (at < have && bytes[at] >= '0' && bytes[at] <= '9') length = length * 10 + bytes[at++] - '0';
  length += at + 2;
  return at < have && have >= length ? length : 0;
}

/* Records up to the empty FCGI_STDIN. */
static unsigned framed_fcgi(const unsigned char *bytes, unsigned have, unsigned *keep) {
  for (unsigned at = 0; at + 8 <= have;) {
    unsigned content = (unsigned)bytes[at + 4] << 8 | bytes[at + 5], next = at + 8 + content + bytes[at + 6];
    if (next > have) return 0;
    if (bytes[at + 1] == 1) *keep = bytes[at + 10] & 1;
    if (bytes[at + 1] == 5 && !content) return next;
    at = next;
  }
  return 0;
}

/* Length of the first request; 0 while it is incomplete. */
static unsigned framed(struct connection *connection) {
  const unsigned char *bytes = (const unsigned char *)connection->input;
  switch (protocol) {
  case UWSGI: return framed_uwsgi(bytes, connection->have);
  case SCGI: return framed_scgi(bytes, connection->have);
  default: return framed_fcgi(bytes, connection->have, &connection->keep);
  }
}

/* STDOUT with the answer, END_REQUEST with status 0. */
static void send_records(int fd, const char *input) {
  char out[256] = {1, 6, input[2], input[3], 0, sizeof cgi_answer - 1, 0, 0};
  const char end[16] = {1, 3, input[2], input[3], 0, 8};
  memcpy(out + 8, cgi_answer, sizeof cgi_answer - 1);
  memcpy(out + 8 + sizeof cgi_answer - 1, end, sizeof end);
  send(fd, out, 8 + sizeof cgi_answer - 1 + sizeof end, MSG_NOSIGNAL);
}

/* 1 while the connection stays. */
static int serve(int fd) {
  struct connection *connection = table[fd];
  unsigned length;
  size_t room = sizeof connection->input - connection->have;
  ssize_t count = recv(fd, connection->input + connection->have, room, 0);
  if (count < 0 && errno == EAGAIN) return 1;
  int stays = count > 0;
  if (stays) connection->have += (unsigned)count;
  while (stays && (length = framed(connection))) {
    if (protocol == FCGI) send_records(fd, connection->input);
    else if (protocol == UWSGI) send(fd, http_answer, sizeof http_answer - 1, MSG_NOSIGNAL);
    else send(fd, cgi_answer, sizeof cgi_answer - 1, MSG_NOSIGNAL);
    stays = protocol == FCGI && connection->keep;
    connection->have -= length;
    if (stays) memmove(connection->input, connection->input + length, connection->have);
  }
  if (stays && connection->have < sizeof connection->input) return 1;
  free(connection);
  table[fd] = NULL;
  close(fd);
  return 0;
}

static void accept_all(int listener) {
  int fd;
  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
    table[fd] = malloc(sizeof(struct connection));
    table[fd]->have = table[fd]->keep = 0;
    send_without_delay(fd);
    if (serve(fd)) watch(poller, fd, EPOLL_CTL_ADD, EPOLLIN); /* only if it was not served at once */
  }
}

int main(int count, char **words) {
  if (count < 3) return 2;
  protocol = !strcmp(words[1], "fcgi") ? FCGI : !strcmp(words[1], "uwsgi") ? UWSGI : SCGI;
  int listener = listen_on(words[2]);
  raise_descriptor_limit();
  poller = epoll_create1(EPOLL_CLOEXEC);
  watch(poller, listener, EPOLL_CTL_ADD, EPOLLIN);
  for (struct epoll_event events[EVENTS];;) {
    int ready = epoll_wait(poller, events, EVENTS, -1);
    for (int i = 0; i < ready; i++) {
      if (events[i].data.fd == listener) accept_all(listener);
      else serve(events[i].data.fd);
    }
  }
}
