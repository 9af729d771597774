/* The schedule, and what becomes of each request. Time is an argument: the arithmetic is the same with a
 * clock and without. A request that nobody can take waits, and its latency counts from when it was due. */
#include "pool.h"
#include <stdlib.h>

static uint64_t intended(const struct pool *pool, uint64_t number) {
  return pool->start + (uint64_t)((double)number * pool->interval);
}

void pool_begin(struct pool *pool, int size, uint64_t start, double rate, double warmup, double seconds,
                double timeout) {
  pool->start = start;
  pool->measured_from = start + (uint64_t)(warmup * 1e9);
  pool->end = start + (uint64_t)((warmup + seconds) * 1e9);
  pool->timeout = (uint64_t)(timeout * 1e9);
  pool->interval = 1e9 / rate;
  pool->total = (uint64_t)((warmup + seconds) * rate + .5);
  pool->size = pool->idle_count = size;
  pool->slots = calloc((size_t)size, sizeof *pool->slots);
  pool->idle = calloc((size_t)size, sizeof *pool->idle);
  for (int i = 0; i < size; i++) pool->idle[i] = i;
}

static int is_measured(const struct pool *pool, uint64_t intended) { return intended >= pool->measured_from; }

uint64_t pool_due(const struct pool *pool) {
  return pool->next < pool->total ? intended(pool, pool->next) : UINT64_MAX;
}

/* Whose patience ends before there is a connection for it never gets one. */
static void give_up(struct pool *pool, uint64_t now) {
  for (uint64_t due; (due = pool_due(pool)) != UINT64_MAX && due + pool->timeout < now; pool->next++) {
    if (!is_measured(pool, due)) continue;
    histogram_record(&pool->latency, pool->timeout);
    pool->timeouts++;
    pool->never_sent++;
  }
}

int pool_take(struct pool *pool, uint64_t now) {
  give_up(pool, now);
  uint64_t due = pool_due(pool);
  if (due == UINT64_MAX || due > now || !pool->idle_count) return -1;
  int number = pool->idle[pool->idle_head];
  pool->idle_head = (pool->idle_head + 1) % pool->size;
  pool->idle_count--;
  pool->next++;
  struct slot *slot = &pool->slots[number];
  uint64_t possible = due > slot->idle_since ? due : slot->idle_since;
  if (is_measured(pool, due)) histogram_record(&pool->lag, now > possible ? now - possible : 0);
  slot->intended = due;
  slot->sent = now;
  slot->is_busy = 1;
  return number;
}

void pool_answered(struct pool *pool, int number, uint64_t now) {
  struct slot *slot = &pool->slots[number];
  slot->is_busy = 0;
  if (now >= pool->measured_from && now < pool->end) pool->replies++;
  if (!is_measured(pool, slot->intended)) return;
  pool->answered++;
  histogram_record(&pool->latency, now - slot->intended);
  histogram_record(&pool->from_sending, now - slot->sent);
}

void pool_failed(struct pool *pool, int number, enum failure failure) {
  pool->slots[number].is_busy = 0;
  if (is_measured(pool, pool->slots[number].intended)) pool->failures[failure]++;
}

void pool_release(struct pool *pool, int number, uint64_t now) {
  pool->slots[number].idle_since = now;
  pool->idle[(pool->idle_head + pool->idle_count++) % pool->size] = number;
}

int pool_times_out(struct pool *pool, int number, uint64_t now) {
  struct slot *slot = &pool->slots[number];
  if (!slot->is_busy || now < slot->intended + pool->timeout) return 0;
  slot->is_busy = 0;
  if (!is_measured(pool, slot->intended)) return 1;
  histogram_record(&pool->latency, now - slot->intended);
  pool->timeouts++;
  return 1;
}

int pool_is_over(const struct pool *pool) {
  return pool->next >= pool->total && pool->idle_count == pool->size;
}

static void leave_unanswered(struct pool *pool, uint64_t since, uint64_t now) {
  if (!is_measured(pool, since)) return;
  histogram_record(&pool->latency, now - since);
  pool->unanswered++;
}

void pool_end(struct pool *pool, uint64_t now) {
  give_up(pool, now);
  for (int i = 0; i < pool->size; i++) {
    if (pool->slots[i].is_busy) leave_unanswered(pool, pool->slots[i].intended, now);
    pool->slots[i].is_busy = 0;
  }
  for (; pool->next < pool->total; pool->next++) {
    leave_unanswered(pool, intended(pool, pool->next), now);
    pool->never_sent++;
  }
}
