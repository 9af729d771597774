/* wsload: a small closed-loop load generator for WebSockets (RFC 6455) over HTTP/1.1.
 *
 *   wsload -a 127.0.0.1:PORT|unix:PATH [-c connections=64] [-d seconds=5] [-w warm-up seconds] [-b bytes=16]
 *          [-u uri=/] [-t timeout seconds=5] [-x] [-i seconds to hold idle sockets]
 *
 * Each connection sends a text message of so many bytes, and the next one when it has come back. With -x the
 * first connection alone sends, and the next one when each connection has it. With -i: one message on each
 * connection, "ready", and they are held. Every message has to be of that length, in one frame. Prints
 * "begin" when the warm-up is over and one line of JSON at the end, as gwload does. Latency: from the send to
 * the message, with -x to the last one of them. Compression is not offered. The connections end by a reset,
 * so that thousands of them leave no ports in TIME_WAIT behind. */
#define _GNU_SOURCE
#include "../load/address.h"
#include "../load/histogram.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* The key of RFC 6455's example, and what has to be answered. */
#define KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

enum { MOST_BYTES = 65535, EVENTS = 256, CLOSE = 8 };

struct client {
  int fd, is_settled;
  unsigned char head[10]; /* of the frame that is coming in */
  unsigned head_bytes, is_in_payload;
  uint64_t length, left; /* of its payload */
  uint64_t began;
  unsigned long messages;
};

static struct {
  struct sockaddr_storage address;
  socklen_t address_bytes;
  const char *uri;
  int connections, is_broadcast, is_idle;
  size_t bytes;
  double seconds, warmup, timeout, hold;
} options = {.uri = "/", .connections = 64, .bytes = 16, .seconds = 5, .timeout = 5};

static struct {
  unsigned long messages, rounds, total;
  unsigned long open, closed, frame, io, timeout; /* errors */
} counts;

static struct client *clients;
static struct histogram latencies;
static int poller, is_measuring, is_stopping, alive, told, settled;
static unsigned char frame[14 + MOST_BYTES];
static size_t frame_bytes;

static uint64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static double cpu_seconds(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  struct timeval user = usage.ru_utime, system = usage.ru_stime;
  return (double)(user.tv_sec + system.tv_sec) + (double)(user.tv_usec + system.tv_usec) / 1e6;
}

/* The message, masked; always the same one. */
static void build_frame(void) {
  static const unsigned char mask[] = {0x12, 0x34, 0x56, 0x78};
  frame[frame_bytes++] = 0x81;
  if (options.bytes > 125) {
    frame[frame_bytes++] = 0x80 | 126;
    frame[frame_bytes++] = (unsigned char)(options.bytes >> 8);
    frame[frame_bytes++] = (unsigned char)options.bytes;
  } else {
    frame[frame_bytes++] = (unsigned char)(0x80 | options.bytes);
  }
  memcpy(frame + frame_bytes, mask, sizeof mask);
  frame_bytes += sizeof mask;
  for (size_t i = 0; i < options.bytes; i++)
    frame[frame_bytes++] = (unsigned char)("hello websocket!"[i % 16] ^ mask[i % 4]);
}

/* Without a client a broadcast is never complete: all of them end the run. */
static void fail(struct client *client, unsigned long *counter) {
  (*counter)++;
  if (client->fd >= 0) close(client->fd);
  client->fd = -1;
  alive--;
  if (options.is_broadcast || !alive) is_stopping = 1;
}

static void send_message(struct client *client) {
  client->began = now_ns();
  /* It fits into the buffer of a socket whose client waits for its message. */
  ssize_t sent = send(client->fd, frame, frame_bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent != (ssize_t)frame_bytes) fail(client, &counts.io);
}

/* A message is complete. */
static void heard(struct client *client) {
  counts.total++;
  client->messages++;
  if (is_measuring) counts.messages++;
  if (options.is_idle) {
    settled += !client->is_settled;
    client->is_settled = 1;
    return;
  }
  struct client *next = client;
  if (options.is_broadcast) {
    if (++told < alive) return;
    told = 0;
    next = &clients[0];
  }
  if (is_measuring) {
    counts.rounds++;
    histogram_record(&latencies, now_ns() - next->began);
  }
  if (!is_stopping) send_message(next);
}

/* Bytes of a head that say how long it is, or all of it. */
static unsigned head_wanted(const struct client *client) {
  if (client->head_bytes < 2) return 2;
  unsigned length = client->head[1] & 127;
  return length == 126 ? 4 : length == 127 ? 10 : 2;
}

static uint64_t payload_bytes(const struct client *client) {
  uint64_t length = client->head[1] & 127;
  if (client->head_bytes == 2) return length;
  length = 0;
  for (unsigned i = 2; i < client->head_bytes; i++) length = length << 8 | client->head[i];
  return length;
}

/* A frame is complete; 0 if it ends the connection. */
static int check(struct client *client) {
  unsigned opcode = client->head[0] & 15;
  if (opcode == CLOSE) return fail(client, &counts.closed), 0;
  if (opcode > CLOSE) return 1; /* a ping: who measures sends none in this time */
  if (client->head[0] != 0x81 || client->length != options.bytes) return fail(client, &counts.frame), 0;
  heard(client);
  return client->fd >= 0;
}

/* Bytes of frames; 0 when the connection is gone. */
static int take(struct client *client, const unsigned char *bytes, size_t count) {
  while (count) {
    if (!client->is_in_payload) {
      client->head[client->head_bytes++] = *bytes++;
      count--;
      if (client->head_bytes < head_wanted(client)) continue;
      client->length = client->left = payload_bytes(client);
      client->is_in_payload = 1;
    }
    size_t here = client->left < count ? (size_t)client->left : count;
    client->left -= here;
    bytes += here;
    count -= here;
    if (client->left) continue;
    client->is_in_payload = client->head_bytes = 0;
    if (!check(client)) return 0;
  }
  return 1;
}

static void drive(struct client *client) {
  static unsigned char input[1 << 18];
  ssize_t count = recv(client->fd, input, sizeof input, MSG_DONTWAIT);
  if (count < 0 && errno == EAGAIN) return;
  if (count <= 0) return fail(client, count ? &counts.io : &counts.closed);
  take(client, input, (size_t)count);
}

/* Reads the answer of the handshake and no byte more; 0 if it is none. */
static int read_answer(int fd) {
  char head[4096];
  for (;;) {
    ssize_t count = recv(fd, head, sizeof head, MSG_PEEK);
    if (count <= 0) return 0;
    char *blank = memmem(head, (size_t)count, "\r\n\r\n", 4);
    if (!blank && count == (ssize_t)sizeof head) return 0;
    if (!blank) continue; /* servers send it whole: this does not last */
    size_t bytes = (size_t)(blank + 4 - head);
    if (recv(fd, head, bytes, MSG_WAITALL) != (ssize_t)bytes) return 0;
    return !memcmp(head, "HTTP/1.1 101", 12) && memmem(head, bytes, ACCEPT, sizeof ACCEPT - 1);
  }
}

/* One after the other: the time that it takes is nobody's measure. */
static int open_client(struct client *client) {
  int family = options.address.ss_family, one = 1;
  int fd = client->fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return 0;
  struct timeval patience = {.tv_sec = (time_t)options.timeout + 1};
  struct linger reset = {.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  if (family == AF_INET) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (connect(fd, (struct sockaddr *)&options.address, options.address_bytes)) return 0;
  char request[1024];
  int length = snprintf(request, sizeof request,
                        "GET %s HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Key: " KEY "\r\nSec-WebSocket-Version: 13\r\n\r\n", options.uri);
  if (length >= (int)sizeof request || send(fd, request, (size_t)length, MSG_NOSIGNAL) != length) return 0;
  if (!read_answer(fd)) return 0;
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
  return !epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
}

static int open_all(void) {
  poller = epoll_create1(EPOLL_CLOEXEC);
  for (int i = 0; i < options.connections; i++) {
    alive++;
    if (open_client(&clients[i])) continue;
    fprintf(stderr, "wsload: connection %d is not opened: %s\n", i + 1, strerror(errno));
    counts.open++;
    return 0;
  }
  return 1;
}

/* Serves until a point in time, or until everything asked for is done; seconds it took. */
static double run_until(uint64_t end) {
  uint64_t began = now_ns(), moved = began, now;
  unsigned long seen = counts.total;
  while ((now = now_ns()) < end && !is_stopping) {
    if (options.is_idle && settled == options.connections) break;
    struct epoll_event events[EVENTS];
    int ready = epoll_wait(poller, events, EVENTS, 50);
    for (int i = 0; i < ready; i++) {
      struct client *client = events[i].data.ptr;
      if (client->fd >= 0) drive(client);
    }
    if (counts.total != seen) {
      seen = counts.total;
      moved = now;
    } else if ((double)(now - moved) > options.timeout * 1e9) {
      counts.timeout++;
      is_stopping = 1;
    }
  }
  return (double)(now_ns() - began) / 1e9;
}

static int hold_idle(uint64_t began) {
  for (int i = 0; i < options.connections; i++) send_message(&clients[i]);
  run_until(now_ns() + 60000000000u);
  printf("ready connections=%d of %d after %.2f s\n", settled, options.connections,
         (double)(now_ns() - began) / 1e9);
  fflush(stdout);
  options.timeout = options.hold + 1; /* nothing is to come */
  settled = 0;
  run_until(now_ns() + (uint64_t)(options.hold * 1e9));
  printf("held connections=%d\n", alive);
  return 0;
}

static double percentile(double share) { return (double)histogram_percentile(&latencies, share) / 1e3; }

static void report(double seconds, double cpu) {
  int starved = 0;
  for (int i = 0; i < options.connections; i++) starved += !clients[i].messages;
  unsigned long errors = counts.open + counts.closed + counts.frame + counts.io + counts.timeout;
  printf("{\"mode\":\"%s\",\"connections\":%d,\"bytes\":%zu,\"seconds\":%.4f,\"messages\":%lu,",
         options.is_broadcast ? "broadcast" : "echo", options.connections, options.bytes, seconds,
         counts.messages);
  printf("\"rounds\":%lu,", counts.rounds);
  printf("\"total\":%lu,\"mps\":%.1f,\"p50_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,\"max_us\":%.1f,",
         counts.total, (double)counts.messages / seconds, percentile(.5), percentile(.99), percentile(.999),
         (double)latencies.largest / 1e3);
  printf("\"mean_us\":%.1f,\"starved\":%d,\"errors\":%lu,\"e_open\":%lu,\"e_closed\":%lu,\"e_frame\":%lu,",
         latencies.sum / (double)(latencies.count + !latencies.count) / 1e3, starved, errors, counts.open,
         counts.closed, counts.frame);
  printf("\"e_io\":%lu,\"e_timeout\":%lu,\"load_cpu\":%.3f}\n", counts.io, counts.timeout, cpu / seconds);
}

static int read_options(int count, char **words) {
  int good = 1, option;
  while ((option = getopt(count, words, "a:c:d:w:b:u:t:xi:")) != -1) {
    switch (option) {
    case 'a': good &= (options.address_bytes = address_read(optarg, &options.address)) > 0; break;
    case 'c': options.connections = atoi(optarg); break;
    case 'd': options.seconds = atof(optarg); break;
    case 'w': options.warmup = atof(optarg); break;
    case 'b': options.bytes = (size_t)atol(optarg); break;
    case 'u': options.uri = optarg; break;
    case 't': options.timeout = atof(optarg); break;
    case 'x': options.is_broadcast = 1; break;
    case 'i': options.hold = atof(optarg); options.is_idle = 1; break;
    default: good = 0;
    }
  }
  return good && options.address_bytes && options.connections > 0 && options.bytes <= MOST_BYTES;
}

int main(int count, char **words) {
  if (!read_options(count, words)) {
    fputs("usage: wsload -a HOST:PORT|unix:PATH [-c connections] [-d seconds] [-w seconds] [-b bytes]\n"
          "  [-u uri] [-t seconds] [-x] [-i seconds]\n", stderr);
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  build_frame();
  clients = calloc((size_t)options.connections, sizeof *clients);
  uint64_t began = now_ns();
  if (!open_all()) return 1;
  if (options.is_idle) return hold_idle(began);
  int senders = options.is_broadcast ? 1 : options.connections;
  for (int i = 0; i < senders; i++) send_message(&clients[i]);
  run_until(now_ns() + (uint64_t)(options.warmup * 1e9));
  is_measuring = 1;
  puts("begin");
  fflush(stdout);
  double cpu = cpu_seconds();
  double seconds = run_until(now_ns() + (uint64_t)(options.seconds * 1e9));
  report(seconds, cpu_seconds() - cpu);
  return 0;
}
