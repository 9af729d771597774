/* The connections, in one thread: a request goes out when the schedule says so, whatever the answers do. A
 * connection is opened when it is first needed, so that a server which waits for the request of whoever has
 * connected is not held up by those that have none yet. */
#include "pool.h"
#include "../load/gwload.h"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

/* Below this the wait for the next request is spent awake: a sleeper is woken too late. */
enum { AWAKE_NS = 150000, LOOK_NS = 50000000, CLOSE_NS = 200000000 };

enum state { SHUT, IDLE, BUSY, CLOSING }; /* CLOSING: answered, and the server has yet to close */

struct client {
  int fd, wants_write, is_fresh, has_input, is_retried;
  enum state state;
  size_t sent;
  uint64_t closing_since;
  struct answer answer;
};

struct traffic traffic;

static struct client *clients;
static struct pool *pool;
static int poller;
static uint64_t now; /* as of the last look; answers are stamped anew */
static char input[1 << 16];

uint64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static int number_of(const struct client *client) { return (int)(client - clients); }

static void shut(struct client *client) {
  if (client->fd >= 0) close(client->fd);
  client->fd = -1;
  client->state = SHUT;
  client->wants_write = 0;
}

static void fail(struct client *client, enum failure failure) {
  shut(client);
  pool_failed(pool, number_of(client), failure);
  pool_release(pool, number_of(client), now_ns());
}

static void watch(struct client *client, int writing, int operation) {
  struct epoll_event event = {.events = EPOLLIN | (writing ? EPOLLOUT : 0), .data.ptr = client};
  epoll_ctl(poller, operation, client->fd, &event);
  client->wants_write = writing;
}

static int open_connection(struct client *client) { /* 0, or -1: it cannot be had */
  int family = options.address.ss_family, one = 1;
  client->fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (client->fd < 0) return -1;
  if (family == AF_INET) setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (connect(client->fd, (struct sockaddr *)&options.address, options.address_bytes) && errno != EINPROGRESS)
    return -1;
  traffic.opened++;
  client->is_fresh = 1;
  return 0;
}

static int send_rest(struct client *client) { /* 0 all sent, 1 would block, -1 error */
  while (client->sent < batch_bytes) {
    ssize_t count = send(client->fd, batch + client->sent, batch_bytes - client->sent, MSG_NOSIGNAL);
    if (count < 0) return errno == EAGAIN || errno == ENOTCONN ? 1 : -1;
    client->sent += (size_t)count;
  }
  return 0;
}

static void begin(struct client *client);

/* The connection broke. A kept one that had no byte of an answer yet may have been closed by the server while
 * nothing was asked: then the request goes out once more, on a new one, and is as old as it was. */
static void broke(struct client *client) {
  int was_kept = !client->is_fresh && !client->has_input && !client->is_retried;
  if (!was_kept) return fail(client, client->is_fresh ? FAILED_CONNECT : FAILED_IO);
  shut(client);
  traffic.retried++;
  client->is_retried = 1;
  begin(client);
}

static void begin(struct client *client) {
  int is_new = client->fd < 0;
  answer_begin(&client->answer);
  client->sent = 0;
  client->has_input = 0;
  client->state = BUSY;
  if (is_new && open_connection(client)) return fail(client, FAILED_CONNECT);
  int left = send_rest(client);
  if (left < 0) return broke(client);
  if (is_new || left != client->wants_write) watch(client, left, is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD);
}

static void answered(struct client *client, int at_end) {
  const struct answer *answer = &client->answer;
  long body = (long)answer->body_bytes;
  if (options.body_bytes < 0) options.body_bytes = body;
  if (answer->status != 200) return fail(client, FAILED_STATUS);
  if (body != options.body_bytes) return fail(client, FAILED_LENGTH);
  traffic.bytes += (uint64_t)body;
  pool_answered(pool, number_of(client), now_ns());
  if (!at_end && (answer->closing || options.protocol == HTTP_CLOSE)) {
    client->state = CLOSING;
    client->closing_since = now;
    return;
  }
  if (at_end) shut(client);
  else client->state = IDLE;
  pool_release(pool, number_of(client), now_ns());
}

/* The server has closed, or the connection is broken. */
static void ended(struct client *client, int is_error) {
  switch (client->state) {
  case SHUT: return;
  case IDLE: traffic.reopened++; return shut(client);
  case CLOSING: shut(client); return pool_release(pool, number_of(client), now_ns());
  case BUSY:
    if (!is_error && client->answer.phase == BODY_TO_END) return answered(client, 1);
    /* A short body, or not even a whole head. */
    if (!is_error && client->has_input) return fail(client, FAILED_LENGTH);
    return broke(client);
  }
}

static void receive(struct client *client) {
  for (;;) {
    ssize_t count = recv(client->fd, input, sizeof input, 0);
    if (count < 0 && (errno == EAGAIN || errno == ENOTCONN)) return;
    if (count <= 0) return ended(client, count < 0);
    client->is_fresh = 0;
    if (client->state != BUSY) return client->state == CLOSING ? (void)0 : shut(client);
    client->has_input = 1;
    long taken = answer_take(&client->answer, input, (size_t)count);
    if (taken < 0 || taken < count) return fail(client, FAILED_ANSWER);
    if (client->answer.phase == DONE) answered(client, 0);
    if (client->state == BUSY || client->state == CLOSING) continue;
    return;
  }
}

static void drive(struct client *client) {
  if (client->fd < 0) return;
  if (client->state == BUSY && client->sent < batch_bytes) {
    int left = send_rest(client);
    if (left < 0) return broke(client);
    if (!left && client->wants_write) watch(client, 0, EPOLL_CTL_MOD);
  }
  receive(client);
}

/* Now and then: who has waited too long, and servers that were to close and do not. */
static void look(void) {
  for (int i = 0; i < pool->size; i++) {
    struct client *client = &clients[i];
    int is_late = client->state == CLOSING && now - client->closing_since > CLOSE_NS;
    if (!is_late && !pool_times_out(pool, i, now)) continue;
    shut(client);
    pool_release(pool, i, now);
  }
}

static int send_due(void) {
  int count = 0;
  for (int slot; count < 64 && (slot = pool_take(pool, now)) >= 0; count++) {
    clients[slot].is_retried = 0;
    begin(&clients[slot]);
    now = now_ns();
  }
  return count;
}

/* Until an answer comes or the next request is due; how many connections had news. */
static int await(uint64_t looked) {
  struct epoll_event events[256];
  uint64_t wake = looked + LOOK_NS, due = pool->idle_count ? pool_due(pool) : UINT64_MAX;
  if (due < wake) wake = due;
  int64_t rest = (int64_t)(wake - now) - AWAKE_NS;
  struct timespec time = {0, rest > 0 ? rest : 0};
  int count = epoll_pwait2(poller, events, 256, &time, NULL);
  for (int i = 0; i < count; i++) drive(events[i].data.ptr);
  return count;
}

static void make_clients(void) {
  poller = epoll_create1(EPOLL_CLOEXEC);
  clients = calloc((size_t)pool->size, sizeof *clients);
  for (int i = 0; i < pool->size; i++) clients[i].fd = -1;
}

void run_connections(struct pool *with, uint64_t grace, void (*at_begin)(void), void (*at_end)(void)) {
  pool = with;
  make_clients();
  uint64_t looked = now = now_ns(), idle = 0;
  int has_begun = 0, has_ended = 0;
  while (!(has_ended && (pool_is_over(pool) || now > pool->end + grace))) {
    if (!has_begun && now >= pool->measured_from) has_begun = 1, at_begin();
    if (!has_ended && now >= pool->end) has_ended = 1, at_end();
    uint64_t before = now;
    int done = send_due() + await(looked);
    now = now_ns();
    if (!done && has_begun && !has_ended) idle += now - before;
    if (now - looked < LOOK_NS) continue;
    looked = now;
    look();
  }
  traffic.busy = 1 - (double)idle / (double)(pool->end - pool->measured_from);
  pool_end(pool, now);
  for (int i = 0; i < pool->size; i++) shut(&clients[i]);
}
