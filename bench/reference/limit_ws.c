/* limit_ws PORT|unix:PATH [broadcast]: the least a single-threaded epoll WebSocket server can do. Answers the
 * handshake without looking at more than the key, and sends each message of at most 125 bytes back, unmasked;
 * with `broadcast`, to every open socket, one send() each. Knows no fragments, pings, UTF-8 or compression; a
 * close frame ends the connection. */
#include "reference.h"
#include <openssl/evp.h>
#include <openssl/sha.h>

enum { INPUT = 65536, MOST = 125, KEY = 24, FRAME_HEAD = 6 };

struct connection {
  unsigned char *kept;  /* half a frame or half a head, until the rest has come */
  unsigned kept_bytes;
  unsigned char is_there, is_open; /* accepted; the handshake is done */
};

/* Pages of it that no descriptor has reached take no memory. */
static struct connection table[DESCRIPTORS];
static int poller, broadcasts, highest;

static void shut(int fd) {
  free(table[fd].kept);
  memset(&table[fd], 0, sizeof table[fd]);
  close(fd);
}

/* Everything at once, or nothing: the socket of a client that reads has room. */
static int send_all(int fd, const void *bytes, size_t count) {
  return send(fd, bytes, count, MSG_NOSIGNAL) == (ssize_t)count;
}

/* Bytes of the head that are done with, 0 if there are too few, -1 if they are none. */
static long take_head(int fd, const unsigned char *input, size_t count) {
  static const char name[] = "Sec-WebSocket-Key: ", salt[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  const unsigned char *blank = memmem(input, count, "\r\n\r\n", 4);
  if (!blank) return count < INPUT / 2 ? 0 : -1;
  size_t bytes = (size_t)(blank + 4 - input);
  const unsigned char *key = memmem(input, bytes, name, sizeof name - 1);
  if (!key || key + sizeof name - 1 + KEY > blank) return -1;
  unsigned char text[KEY + sizeof salt], digest[SHA_DIGEST_LENGTH], encoded[32];
  memcpy(text, key + sizeof name - 1, KEY);
  memcpy(text + KEY, salt, sizeof salt);
  SHA1(text, KEY + sizeof salt - 1, digest);
  EVP_EncodeBlock(encoded, digest, sizeof digest);
  char answer[256];
  int length = snprintf(answer, sizeof answer,
                        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Accept: %s\r\n\r\n", (const char *)encoded);
  if (!send_all(fd, answer, (size_t)length)) return -1;
  table[fd].is_open = 1;
  return (long)bytes;
}

/* A message to everybody. Who does not take it misses it. */
static void tell(const unsigned char *frame, size_t count) {
  for (int fd = 0; fd <= highest; fd++) {
    if (table[fd].is_open) send(fd, frame, count, MSG_NOSIGNAL);
  }
}

/* Bytes of whole frames, -1 if they are none; what they answer goes out together. */
static long take_frames(int fd, const unsigned char *input, size_t count) {
  static unsigned char out[INPUT];
  size_t taken = 0, filled = 0;
  while (count - taken >= FRAME_HEAD) {
    const unsigned char *frame = input + taken, *mask = frame + 2, *payload = frame + FRAME_HEAD;
    size_t length = frame[1] & 127;
    int is_masked = frame[1] & 128, is_data = frame[0] == 0x81 || frame[0] == 0x82;
    if (!is_masked || !is_data || length > MOST) return -1;
    if (count - taken < FRAME_HEAD + length) break;
    unsigned char *answer = out + filled;
    answer[0] = frame[0];
    answer[1] = (unsigned char)length;
    for (size_t i = 0; i < length; i++) answer[2 + i] = payload[i] ^ mask[i & 3];
    taken += FRAME_HEAD + length;
    if (broadcasts) tell(answer, 2 + length);
    else filled += 2 + length;
  }
  if (filled && !send_all(fd, out, filled)) return -1;
  return (long)taken;
}

/* What is left over waits for the next bytes; rarely anything. */
static void keep(struct connection *connection, const unsigned char *bytes, size_t count) {
  free(connection->kept);
  connection->kept = NULL;
  connection->kept_bytes = (unsigned)count;
  if (!count) return;
  connection->kept = malloc(count);
  memcpy(connection->kept, bytes, count);
}

static void serve(int fd) {
  static unsigned char input[INPUT];
  struct connection *connection = &table[fd];
  size_t have = connection->kept_bytes;
  if (have) memcpy(input, connection->kept, have);
  ssize_t count = recv(fd, input + have, sizeof input - have, 0);
  if (count < 0 && errno == EAGAIN) return;
  if (count <= 0) return shut(fd);
  have += (size_t)count;
  size_t taken = 0;
  if (!connection->is_open) {
    long head = take_head(fd, input, have);
    if (head < 0) return shut(fd);
    taken = (size_t)head;
  }
  if (connection->is_open) {
    long frames = take_frames(fd, input + taken, have - taken);
    if (frames < 0) return shut(fd);
    taken += (size_t)frames;
  }
  if (have - taken || connection->kept) keep(connection, input + taken, have - taken);
}

static void accept_all(int listener) {
  int fd;
  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
    if (fd >= DESCRIPTORS) {
      close(fd);
      continue;
    }
    table[fd].is_there = 1;
    if (fd > highest) highest = fd;
    send_without_delay(fd);
    watch(poller, fd, EPOLL_CTL_ADD, EPOLLIN);
    serve(fd); /* the handshake is usually there already */
  }
}

int main(int count, char **words) {
  if (count < 2) return 2;
  int listener = listen_on(words[1]);
  broadcasts = count > 2;
  raise_descriptor_limit();
  poller = epoll_create1(EPOLL_CLOEXEC);
  watch(poller, listener, EPOLL_CTL_ADD, EPOLLIN);
  for (struct epoll_event events[EVENTS];;) {
    int ready = epoll_wait(poller, events, EVENTS, -1);
    for (int i = 0; i < ready; i++) {
      int fd = events[i].data.fd;
      if (fd == listener) accept_all(listener);
      else if (table[fd].is_there) serve(fd); /* not what an earlier event of this turn has shut */
    }
  }
}
