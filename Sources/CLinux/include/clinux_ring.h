/* io_uring by its bare system calls: a ring for one thread, with a ring of provided blocks for receiving. No
 * logic: names for what the kernel and user space share. The host's Ring decides. */
#ifndef CLINUX_RING_H
#define CLINUX_RING_H
#include <linux/io_uring.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct clinux_ring {
  int fd;
  /* Submission: the kernel takes from head to tail; `tail` is our copy. */
  unsigned *submitted_head, *submitted_tail, *flags, entry_mask, entry_count, tail;
  struct io_uring_sqe *entries;
  /* Completion. */
  unsigned *completed_head, *completed_tail, *completion_flags, completion_mask;
  struct io_uring_cqe *completions;
  void *rings, *entry_map;
  size_t rings_bytes, entry_bytes;
  /* Blocks for receiving. */
  struct io_uring_buf_ring *blocks;
  uint16_t block_mask, block_tail;
};

/* Makes a ring that only the calling thread submits to and reaps, with `blocks` (a power of two) places for
 * blocks; `bell` is an eventfd that is rung when there is work, if that is requested. 0, or -1 with errno:
 * the kernel has none, forbids it, or is too old. */
int clinux_ring_open(struct clinux_ring *ring, unsigned entries, unsigned completions, unsigned blocks,
                     int bell);
/* Any thread: closes it. Its operations are cancelled, and nothing more is received into its blocks. */
void clinux_ring_close(struct clinux_ring *ring);
/* Submits prepared entries and performs pending work, without waiting. Returns how many were submitted, or -1
 * with errno. */
int clinux_ring_enter(struct clinux_ring *ring);
/* Submits only: input that waits to be received goes on waiting. */
int clinux_ring_submit(struct clinux_ring *ring);

/* Entries that are prepared but not submitted. */
static inline unsigned clinux_ring_waiting(const struct clinux_ring *ring) {
  return ring->tail - __atomic_load_n(ring->submitted_head, __ATOMIC_ACQUIRE);
}
static inline unsigned clinux_ring_room(const struct clinux_ring *ring) {
  return ring->entry_count - clinux_ring_waiting(ring);
}
/* The next entry, empty; there is room. */
static inline struct io_uring_sqe *clinux_ring_entry(struct clinux_ring *ring, uint64_t token) {
  struct io_uring_sqe *entry = &ring->entries[ring->tail++ & ring->entry_mask];
  memset(entry, 0, sizeof *entry);
  entry->user_data = token;
  return entry;
}

/* Receives from a socket into blocks, until it is cancelled or has ended. */
static inline void clinux_ring_receive(struct clinux_ring *ring, int fd, uint64_t token) {
  struct io_uring_sqe *entry = clinux_ring_entry(ring, token);
  entry->opcode = IORING_OP_RECV;
  entry->fd = fd;
  entry->ioprio = IORING_RECV_MULTISHOT;
  entry->flags = IOSQE_BUFFER_SELECT;
}
/* Sends now or not at all: completes only if not everything was taken, with the bytes that were. */
static inline void clinux_ring_send(struct clinux_ring *ring, int fd, const void *bytes, size_t count,
                                    uint64_t token) {
  struct io_uring_sqe *entry = clinux_ring_entry(ring, token);
  entry->opcode = IORING_OP_SEND;
  entry->fd = fd;
  entry->addr = (uint64_t)(uintptr_t)bytes;
  entry->len = (uint32_t)count;
  entry->msg_flags = 0x4000 | 0x40 | 0x100; /* MSG_NOSIGNAL | MSG_DONTWAIT | MSG_WAITALL */
  entry->flags = IOSQE_CQE_SKIP_SUCCESS;
}
/* Cancels the operation with a token; completes only if there is none. */
static inline void clinux_ring_cancel(struct clinux_ring *ring, uint64_t begun, uint64_t token) {
  struct io_uring_sqe *entry = clinux_ring_entry(ring, token);
  entry->opcode = IORING_OP_ASYNC_CANCEL;
  entry->fd = -1;
  entry->addr = begun;
  entry->flags = IOSQE_CQE_SKIP_SUCCESS;
}

/* How many completions there are. */
static inline unsigned clinux_ring_completed(const struct clinux_ring *ring) {
  return __atomic_load_n(ring->completed_tail, __ATOMIC_ACQUIRE) - *ring->completed_head;
}
/* The completion `index` places after the first one. */
static inline struct io_uring_cqe clinux_ring_completion(const struct clinux_ring *ring, unsigned index) {
  return ring->completions[(*ring->completed_head + index) & ring->completion_mask];
}
/* Gives the places of the first `count` completions back to the kernel. */
static inline void clinux_ring_seen(struct clinux_ring *ring, unsigned count) {
  __atomic_store_n(ring->completed_head, *ring->completed_head + count, __ATOMIC_RELEASE);
}
/* Something is prepared, has completed, or is pending in this thread. */
static inline int clinux_ring_has_work(const struct clinux_ring *ring) {
  unsigned flags = __atomic_load_n(ring->flags, __ATOMIC_RELAXED);
  return clinux_ring_waiting(ring) || clinux_ring_completed(ring) ||
         (flags & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
}
/* Sets whether the bell is rung for work that comes from now on: then check again whether there is some. */
static inline void clinux_ring_ask(struct clinux_ring *ring, int rings) {
  __atomic_store_n(ring->completion_flags, rings ? 0u : IORING_CQ_EVENTFD_DISABLED, __ATOMIC_SEQ_CST);
}
/* There are more completions than places: the kernel keeps them until it is entered again. */
static inline int clinux_ring_overflows(const struct clinux_ring *ring) {
  return (__atomic_load_n(ring->flags, __ATOMIC_RELAXED) & IORING_SQ_CQ_OVERFLOW) != 0;
}
/* More completions with this token will come. */
static inline int clinux_ring_goes_on(uint32_t flags) { return (flags & IORING_CQE_F_MORE) != 0; }
/* The number of the block that was received into; -1 for none. */
static inline int clinux_ring_block(uint32_t flags) {
  return flags & IORING_CQE_F_BUFFER ? (int)(flags >> IORING_CQE_BUFFER_SHIFT) : -1;
}

/* Lends the kernel a block, to be shown with the next `clinux_ring_show`. */
static inline void clinux_ring_lend(struct clinux_ring *ring, void *block, uint32_t bytes, uint16_t number) {
  struct io_uring_buf *place = &ring->blocks->bufs[ring->block_tail++ & ring->block_mask];
  place->addr = (uint64_t)(uintptr_t)block;
  place->len = bytes;
  place->bid = number;
}
static inline void clinux_ring_show(struct clinux_ring *ring) {
  __atomic_store_n(&ring->blocks->tail, ring->block_tail, __ATOMIC_RELEASE);
}
#endif
