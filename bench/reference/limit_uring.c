/* limit_uring PORT: limit_http over io_uring. Multishot accept, multishot receive into a ring of provided
 * buffers, send; one thread submits and reaps. It takes for granted that a request comes in one piece, which
 * is enough for a limit. */
#include "reference.h"
#include <liburing.h>

#define HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 12\r\n"
static const char kept[] = HEAD "\r\nHello World\n";
static const char closed[] = HEAD "Connection: close\r\n\r\nHello World\n";

enum operation { ACCEPT, RECEIVE, SEND, SEND_LAST, CLOSE };
enum { BUFFERS = 4096, BUFFER_BYTES = 2048 };

static struct io_uring ring;
static struct io_uring_buf_ring *provided;
static char *pool;

static struct io_uring_sqe *new_entry(void) {
  struct io_uring_sqe *entry = io_uring_get_sqe(&ring);
  if (!entry) {
    io_uring_submit(&ring);
    entry = io_uring_get_sqe(&ring);
  }
  return entry;
}

static void tag(struct io_uring_sqe *entry, enum operation operation, int fd) {
  entry->user_data = (__u64)operation << 32 | (unsigned)fd;
}

static void accept_on(int listener) {
  struct io_uring_sqe *accepting = new_entry();
  io_uring_prep_multishot_accept(accepting, listener, NULL, NULL, SOCK_CLOEXEC);
  tag(accepting, ACCEPT, listener);
}

static void receive_on(int fd) {
  struct io_uring_sqe *receiving = new_entry();
  io_uring_prep_recv_multishot(receiving, fd, NULL, 0, 0);
  receiving->flags |= IOSQE_BUFFER_SELECT;
  receiving->buf_group = 0;
  tag(receiving, RECEIVE, fd);
}

static void close_descriptor(int fd) {
  struct io_uring_sqe *closing = new_entry();
  io_uring_prep_close(closing, fd);
  tag(closing, CLOSE, fd);
}

static void answer(int fd, const char *request, size_t count) {
  const char *blank = memmem(request, count, "\r\n\r\n", 4);
  if (!blank) return;
  int last = memmem(request, (size_t)(blank - request), "Connection: close", 17) != NULL;
  struct io_uring_sqe *sending = new_entry();
  size_t bytes = (last ? sizeof closed : sizeof kept) - 1;
  io_uring_prep_send(sending, fd, last ? closed : kept, bytes, MSG_NOSIGNAL);
  if (!last) sending->flags |= IOSQE_CQE_SKIP_SUCCESS;
  tag(sending, last ? SEND_LAST : SEND, fd);
}

static void give_back(int buffer, int offset) {
  char *bytes = pool + (size_t)buffer * BUFFER_BYTES;
  int mask = io_uring_buf_ring_mask(BUFFERS);
  io_uring_buf_ring_add(provided, bytes, BUFFER_BYTES, (unsigned short)buffer, mask, offset);
}

/* How many buffers came back. */
static int received(int fd, const struct io_uring_cqe *done, int offset) {
  if (done->res <= 0) {
    if (done->res == -ENOBUFS) receive_on(fd);
    else close_descriptor(fd);
    return 0;
  }
  int buffer = (int)(done->flags >> IORING_CQE_BUFFER_SHIFT);
  answer(fd, pool + (size_t)buffer * BUFFER_BYTES, (size_t)done->res);
  give_back(buffer, offset);
  if (!(done->flags & IORING_CQE_F_MORE)) receive_on(fd);
  return 1;
}

static int complete(const struct io_uring_cqe *done, int offset) {
  int fd = (int)done->user_data;
  switch ((enum operation)(done->user_data >> 32)) {
  case ACCEPT:
    if (done->res >= 0) {
      send_without_delay(done->res);
      receive_on(done->res);
    }
    if (!(done->flags & IORING_CQE_F_MORE)) accept_on(fd);
    return 0;
  case RECEIVE: return received(fd, done, offset);
  case SEND_LAST: shutdown(fd, SHUT_RDWR); return 0; /* ends the receive, which closes */
  default: return 0;
  }
}

static int set_up(void) {
  struct io_uring_params parameters = {
      .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE,
      .cq_entries = 16384};
  int result = io_uring_queue_init_params(2048, &ring, &parameters);
  if (result) return result;
  pool = malloc((size_t)BUFFERS * BUFFER_BYTES);
  if (posix_memalign((void **)&provided, 4096, BUFFERS * sizeof(struct io_uring_buf))) return -ENOMEM;
  struct io_uring_buf_reg where = {.ring_addr = (unsigned long)provided, .ring_entries = BUFFERS};
  if ((result = io_uring_register_buf_ring(&ring, &where, 0))) return result;
  io_uring_buf_ring_init(provided);
  for (int i = 0; i < BUFFERS; i++) give_back(i, i);
  io_uring_buf_ring_advance(provided, BUFFERS);
  return 0;
}

int main(int count, char **words) {
  if (count < 2) return 2;
  int listener = listen_on(words[1]), result = set_up();
  raise_descriptor_limit();
  if (result) {
    fprintf(stderr, "io_uring: %s\n", strerror(-result));
    return 1;
  }
  accept_on(listener);
  for (;;) {
    result = io_uring_submit_and_wait(&ring, 1);
    if (result < 0 && result != -EINTR) return 1;
    struct io_uring_cqe *done;
    unsigned head, seen = 0;
    int returned = 0;
    io_uring_for_each_cqe(&ring, head, done) {
      returned += complete(done, returned);
      seen++;
    }
    if (returned) io_uring_buf_ring_advance(provided, returned);
    io_uring_cq_advance(&ring, seen);
  }
}
