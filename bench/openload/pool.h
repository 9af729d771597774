/* openload in four files: main (openload.c), the schedule and what becomes of each request (pool.c, which
 * knows no clock and no socket), the connections (connections.c) and a server that is only reckoned
 * (virtual.c). What is sent and how answers are read is gwload's (../load). */
#pragma once
#include "../load/histogram.h"
#include <stdint.h>

/* How a request went wrong. */
enum failure { FAILED_CONNECT, FAILED_STATUS, FAILED_LENGTH, FAILED_IO, FAILED_ANSWER, FAILURES };

/* One connection as the pool sees it. */
struct slot {
  uint64_t intended;   /* when its request was to be sent, by the schedule */
  uint64_t sent;       /* when it was */
  uint64_t idle_since; /* when it last became free for one */
  int is_busy;
};

struct pool {
  /* The schedule, fixed in advance: request i is due at start + i * interval. Times in nanoseconds. */
  uint64_t start, measured_from, end, timeout;
  double interval;
  uint64_t total, next;
  struct slot *slots;
  int *idle, size, idle_head, idle_count; /* a queue: the slot that waits longest is next */
  struct histogram latency;      /* from the intended moment: corrected for coordinated omission */
  struct histogram from_sending; /* from the moment of sending: what a closed loop would have said */
  struct histogram lag;          /* how late the generator was, with a connection free and a request due */
  uint64_t replies;              /* answers that were complete within the measured time */
  uint64_t answered, timeouts, never_sent, unanswered, failures[FAILURES];
};

void pool_begin(struct pool *pool, int size, uint64_t start, double rate, double warmup, double seconds,
                double timeout);
/* When the next request is due; UINT64_MAX if all have been begun. */
uint64_t pool_due(const struct pool *pool);
/* The slot on which the next request is to be sent now, or -1: none is due or none is free. */
int pool_take(struct pool *pool, uint64_t now);
void pool_answered(struct pool *pool, int slot, uint64_t now);
void pool_failed(struct pool *pool, int slot, enum failure failure);
/* The slot is free for another request. */
void pool_release(struct pool *pool, int slot, uint64_t now);
/* Whether a busy slot has waited longer than the client's patience: then it counts as timed out. */
int pool_times_out(struct pool *pool, int slot, uint64_t now);
int pool_is_over(const struct pool *pool);
/* What is still owed an answer counts, as old as it is. */
void pool_end(struct pool *pool, uint64_t now);

/* virtual.c: a server of one thread that takes `service` for each request and does nothing for `stall` from
 * `stall_at` on (nanoseconds from the start): the same pool, no clock. When it was over, in its own time. */
uint64_t run_virtually(struct pool *pool, uint64_t service, uint64_t stall_at, uint64_t stall);

/* connections.c. `busy`: the share of the measured time in which there was something to do. */
struct traffic { uint64_t opened, reopened, retried, bytes; double busy; };
extern struct traffic traffic;
extern uint64_t now_ns(void);
/* Sends and receives until the schedule is over and its answers are there; `at_begin` and `at_end` are called
 * when the measured time begins and when it ends. Waits for answers until `grace` nanoseconds after it. */
void run_connections(struct pool *pool, uint64_t grace, void (*at_begin)(void), void (*at_end)(void));
