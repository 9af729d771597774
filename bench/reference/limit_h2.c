/* limit_h2 PORT|unix:PATH: what libnghttp2 costs in the least server around it: HTTP/2 by prior knowledge on
 * epoll, one thread. Answers 12 bytes to each request, and sends what a turn has made together. */
#include "reference.h"
#include <nghttp2/nghttp2.h>

enum { INPUT = 65536, OUTPUT = 1 << 20 };

/* Sessions by descriptor. */
static nghttp2_session *table[DESCRIPTORS];
static nghttp2_session_callbacks *callbacks;
static nghttp2_option *session_options;
static int poller;
static const char page[] = "Hello World\n";

static void shut(int fd) {
  nghttp2_session_del(table[fd]);
  table[fd] = NULL;
  close(fd);
}

static ssize_t read_page(nghttp2_session *session, int32_t stream, uint8_t *to, size_t room, uint32_t *flags,
                         nghttp2_data_source *source, void *unused) {
  (void)session, (void)stream, (void)room, (void)source, (void)unused;
  memcpy(to, page, sizeof page - 1);
  *flags |= NGHTTP2_DATA_FLAG_EOF;
  return sizeof page - 1;
}

#define FIELD(name, value)                                                          \
  {(uint8_t *)(name), (uint8_t *)(value), sizeof(name) - 1, sizeof(value) - 1,      \
   NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *unused) {
  (void)unused;
  static const nghttp2_nv fields[] = {FIELD(":status", "200"), FIELD("content-type", "text/plain"),
                                      FIELD("content-length", "12")};
  int is_request = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
  if (!is_request || !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) return 0;
  nghttp2_data_provider body = {.read_callback = read_page};
  return nghttp2_submit_response(session, frame->hd.stream_id, fields, 3, &body);
}

/* What waits to be sent; 0 if the connection is over. A client that does not read is not waited for. */
static int send_waiting(int fd) {
  static uint8_t out[OUTPUT];
  size_t filled = 0;
  const uint8_t *bytes;
  ssize_t count;
  while ((count = nghttp2_session_mem_send(table[fd], &bytes)) > 0) {
    if (filled + (size_t)count > sizeof out) return 0;
    memcpy(out + filled, bytes, (size_t)count);
    filled += (size_t)count;
  }
  if (count < 0 || (filled && send(fd, out, filled, MSG_NOSIGNAL) != (ssize_t)filled)) return 0;
  return nghttp2_session_want_read(table[fd]) || nghttp2_session_want_write(table[fd]);
}

static void serve(int fd) {
  static uint8_t input[INPUT];
  ssize_t count = recv(fd, input, sizeof input, 0);
  if (count < 0 && errno == EAGAIN) return;
  if (count <= 0 || nghttp2_session_mem_recv(table[fd], input, (size_t)count) < 0) return shut(fd);
  if (!send_waiting(fd)) shut(fd);
}

static void accept_all(int listener) {
  static const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 128}};
  int fd;
  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
    send_without_delay(fd);
    nghttp2_session_server_new2(&table[fd], callbacks, NULL, session_options);
    nghttp2_submit_settings(table[fd], NGHTTP2_FLAG_NONE, settings, 1);
    watch(poller, fd, EPOLL_CTL_ADD, EPOLLIN);
  }
}

int main(int count, char **words) {
  if (count < 2) return 2;
  int listener = listen_on(words[1]);
  raise_descriptor_limit();
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
  nghttp2_option_new(&session_options);
  nghttp2_option_set_no_closed_streams(session_options, 1);
  poller = epoll_create1(EPOLL_CLOEXEC);
  watch(poller, listener, EPOLL_CTL_ADD, EPOLLIN);
  for (struct epoll_event events[EVENTS];;) {
    int ready = epoll_wait(poller, events, EVENTS, -1);
    for (int i = 0; i < ready; i++) {
      int fd = events[i].data.fd;
      if (fd == listener) accept_all(listener);
      else if (table[fd]) serve(fd);
    }
  }
}
