/* A server that is only reckoned, for tests of the arithmetic: it answers in the order of sending. */
#include "pool.h"
#include <stdlib.h>

/* When work of `service` that begins at `from` is done, if nothing is done for `stall` from `stall_at` on. */
static uint64_t done_at(uint64_t from, uint64_t service, uint64_t stall_at, uint64_t stall) {
  if (from >= stall_at && from < stall_at + stall) from = stall_at + stall;
  uint64_t done = from + service;
  return from < stall_at && done > stall_at ? done + stall : done;
}

uint64_t run_virtually(struct pool *pool, uint64_t service, uint64_t stall_at, uint64_t stall) {
  struct { int slot; uint64_t done; } *queue = calloc((size_t)pool->size, sizeof *queue);
  int head = 0, count = 0;
  uint64_t now = pool->start, free_at = now;
  stall_at += pool->start;
  while (!pool_is_over(pool)) {
    for (int slot; (slot = pool_take(pool, now)) >= 0; count++) {
      free_at = done_at(free_at > now ? free_at : now, service, stall_at, stall);
      queue[(head + count) % pool->size].slot = slot;
      queue[(head + count) % pool->size].done = free_at;
    }
    uint64_t due = pool->idle_count ? pool_due(pool) : UINT64_MAX;
    if (!count || due < queue[head].done) {
      if (due == UINT64_MAX) continue; /* the last ones were given up */
      now = due;
      continue;
    }
    now = queue[head].done;
    if (!pool_times_out(pool, queue[head].slot, now)) pool_answered(pool, queue[head].slot, now);
    pool_release(pool, queue[head].slot, now);
    head = (head + 1) % pool->size;
    count--;
  }
  free(queue);
  return now;
}
