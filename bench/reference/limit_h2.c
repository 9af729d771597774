/* limit_h2 PORT|unix:PATH: the least a single-threaded epoll server of HTTP/2 (prior knowledge) can do on
 * libnghttp2. Answers 12 bytes at / and 100 KiB at /100k; bodies of requests are dropped. h2load asks it:
 * `h2load -n 1000000 -c 16 -m 32 http://127.0.0.1:PORT/`. */
#include "reference.h"

#include <nghttp2/nghttp2.h>
#include <sys/types.h>

enum { TURN = 1 << 16 };

static const char small[] = "Hello World\n";
static char large[102400];

struct connection {
  nghttp2_session *session;
  uint8_t *left; /* what the socket did not take */
  size_t left_count;
};

static struct connection *table[DESCRIPTORS];
static nghttp2_session_callbacks *callbacks;
static int poller;

static void shut(int fd) {
  nghttp2_session_del(table[fd]->session);
  free(table[fd]->left);
  free(table[fd]);
  table[fd] = NULL;
  close(fd);
}

/* The number of the source is how much has been sent. */
static ssize_t send_body(
  const char *bytes, size_t count, uint8_t *out, size_t room, uint32_t *flags, nghttp2_data_source *source) {
  size_t left = count - (size_t)source->fd, piece = left < room ? left : room;
  memcpy(out, bytes + source->fd, piece);
  source->fd += (int)piece;
  if (piece == left) *flags |= NGHTTP2_DATA_FLAG_EOF;
  return (ssize_t)piece;
}

static ssize_t send_small(
  nghttp2_session *session, int32_t stream, uint8_t *out, size_t room, uint32_t *flags,
  nghttp2_data_source *source, void *data) {
  (void)session, (void)stream, (void)data;
  return send_body(small, sizeof small - 1, out, room, flags, source);
}

static ssize_t send_large(
  nghttp2_session *session, int32_t stream, uint8_t *out, size_t room, uint32_t *flags,
  nghttp2_data_source *source, void *data) {
  (void)session, (void)stream, (void)data;
  return send_body(large, sizeof large, out, room, flags, source);
}

static int on_header(
  nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_count,
  const uint8_t *value, size_t value_count, uint8_t flags, void *data) {
  (void)flags, (void)data;
  if (name_count == 5 && !memcmp(name, ":path", 5) && value_count > 1 && value[1] == '1')
    nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, large);
  return 0;
}

#define FIELD(name, value)                                                                 \
  {(uint8_t *)name, (uint8_t *)value, sizeof name - 1, sizeof value - 1,                   \
   NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *data) {
  static const nghttp2_nv
    small_head[] = {
      FIELD(":status", "200"), FIELD("content-type", "text/plain"), FIELD("content-length", "12")},
    large_head[] = {
      FIELD(":status", "200"), FIELD("content-type", "text/plain"), FIELD("content-length", "102400")};
  (void)data;
  if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) return 0;
  if (!(frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) return 0;
  int is_large = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id) != NULL;
  nghttp2_data_provider body = {.source = {.fd = 0}, .read_callback = is_large ? send_large : send_small};
  return nghttp2_submit_response(
    session, frame->hd.stream_id, is_large ? large_head : small_head, 3, &body);
}

/* What the session has to say, as far as the socket takes it. */
static void say(int fd) {
  static uint8_t out[2 * TURN];
  struct connection *connection = table[fd];
  for (;;) {
    size_t filled = 0;
    const uint8_t *bytes;
    ssize_t count = 0;
    while (filled < TURN && (count = nghttp2_session_mem_send(connection->session, &bytes)) > 0) {
      memcpy(out + filled, bytes, (size_t)count);
      filled += (size_t)count;
    }
    if (count < 0) return shut(fd);
    if (filled == 0) break;
    ssize_t sent = send(fd, out, filled, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return shut(fd);
    if (sent < 0) sent = 0;
    if ((size_t)sent == filled) continue;
    connection->left_count = filled - (size_t)sent;
    connection->left = malloc(connection->left_count);
    memcpy(connection->left, out + sent, connection->left_count);
    return watch(poller, fd, EPOLL_CTL_MOD, EPOLLOUT);
  }
  if (!nghttp2_session_want_read(connection->session)) shut(fd);
}

/* The socket has room again. */
static void go_on(int fd) {
  struct connection *connection = table[fd];
  ssize_t sent = send(fd, connection->left, connection->left_count, MSG_NOSIGNAL);
  if (sent < 0 && errno == EAGAIN) return;
  if (sent < 0) return shut(fd);
  connection->left_count -= (size_t)sent;
  memmove(connection->left, connection->left + sent, connection->left_count);
  if (connection->left_count > 0) return;
  free(connection->left);
  connection->left = NULL;
  watch(poller, fd, EPOLL_CTL_MOD, EPOLLIN);
  say(fd);
}

static void serve(int fd) {
  static uint8_t input[TURN];
  ssize_t count = recv(fd, input, sizeof input, 0);
  if (count < 0 && errno == EAGAIN) return;
  if (count <= 0) return shut(fd);
  if (nghttp2_session_mem_recv(table[fd]->session, input, (size_t)count) < 0) return shut(fd);
  say(fd);
}

static void accept_all(int listener) {
  static const nghttp2_settings_entry settings = {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 100};
  int fd;
  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
    table[fd] = calloc(1, sizeof(struct connection));
    nghttp2_session_server_new(&table[fd]->session, callbacks, NULL);
    nghttp2_submit_settings(table[fd]->session, NGHTTP2_FLAG_NONE, &settings, 1);
    send_without_delay(fd);
    watch(poller, fd, EPOLL_CTL_ADD, EPOLLIN);
    serve(fd); /* the request is usually there already */
  }
}

int main(int count, char **words) {
  if (count < 2) return 2;
  int listener = listen_on(words[1]);
  memset(large, 'x', sizeof large);
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
  raise_descriptor_limit();
  poller = epoll_create1(EPOLL_CLOEXEC);
  watch(poller, listener, EPOLL_CTL_ADD, EPOLLIN);
  for (struct epoll_event events[EVENTS];;) {
    int ready = epoll_wait(poller, events, EVENTS, -1);
    for (int i = 0; i < ready; i++) {
      int fd = events[i].data.fd;
      if (fd == listener) accept_all(listener);
      else if (events[i].events & EPOLLOUT) go_on(fd);
      else serve(fd);
    }
  }
}
