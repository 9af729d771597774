#define _GNU_SOURCE
#include "clinux_ring.h"
#include "clinux_fork.h"
#include <errno.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

_Static_assert((0x4000 | 0x40 | 0x100) == (MSG_NOSIGNAL | MSG_DONTWAIT | MSG_WAITALL), "send flags");

static void *map(size_t bytes, int fd, off_t what) {
  void *place = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, what);
  if (place == MAP_FAILED) return NULL;
  madvise(place, bytes, MADV_DONTFORK);
  return place;
}

static int map_rings(struct clinux_ring *ring, const struct io_uring_params *made) {
  size_t completion_end = made->cq_off.cqes + made->cq_entries * sizeof(struct io_uring_cqe);
  size_t submission_end = made->sq_off.array + made->sq_entries * sizeof(unsigned);
  ring->rings_bytes = completion_end > submission_end ? completion_end : submission_end;
  ring->entry_bytes = made->sq_entries * sizeof(struct io_uring_sqe);
  char *base = ring->rings = map(ring->rings_bytes, ring->fd, IORING_OFF_SQ_RING);
  ring->entries = ring->entry_map = map(ring->entry_bytes, ring->fd, IORING_OFF_SQES);
  if (!base || !ring->entries) return -1;
  ring->submitted_head = (unsigned *)(base + made->sq_off.head);
  ring->submitted_tail = (unsigned *)(base + made->sq_off.tail);
  ring->flags = (unsigned *)(base + made->sq_off.flags);
  ring->entry_mask = made->sq_entries - 1;
  ring->entry_count = made->sq_entries;
  ring->tail = *ring->submitted_tail;
  ring->completed_head = (unsigned *)(base + made->cq_off.head);
  ring->completed_tail = (unsigned *)(base + made->cq_off.tail);
  ring->completion_flags = (unsigned *)(base + made->cq_off.flags);
  ring->completion_mask = made->cq_entries - 1;
  ring->completions = (struct io_uring_cqe *)(base + made->cq_off.cqes);
  /* Entry i is always the one at place i. */
  unsigned *array = (unsigned *)(base + made->sq_off.array);
  for (unsigned i = 0; i < made->sq_entries; i++) array[i] = i;
  return 0;
}

static int map_blocks(struct clinux_ring *ring, unsigned count) {
  size_t bytes = count * sizeof(struct io_uring_buf);
  void *place = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (place == MAP_FAILED) return -1;
  /* If it were shared with a copy, the first entry written after a fork() would go to a page that the kernel
   * does not look at. */
  madvise(place, bytes, MADV_DONTFORK);
  ring->blocks = place;
  ring->block_mask = (uint16_t)(count - 1);
  struct io_uring_buf_reg where = {.ring_addr = (uint64_t)(uintptr_t)place, .ring_entries = count};
  return (int)syscall(SYS_io_uring_register, ring->fd, IORING_REGISTER_PBUF_RING, &where, 1);
}

int clinux_ring_open(struct clinux_ring *ring, unsigned entries, unsigned completions, unsigned blocks,
                     int bell) {
  memset(ring, 0, sizeof *ring);
  struct io_uring_params made = {.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                                          IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP |
                                          IORING_SETUP_TASKRUN_FLAG,
                                 .cq_entries = completions};
  ring->fd = (int)syscall(SYS_io_uring_setup, entries, &made);
  if (ring->fd < 0) return -1;
  clinux_own(ring->fd);
  const unsigned needed = IORING_FEAT_SINGLE_MMAP | IORING_FEAT_NODROP;
  int suits = (made.features & needed) == needed;
  if (suits && !map_rings(ring, &made) && !map_blocks(ring, blocks) &&
      !syscall(SYS_io_uring_register, ring->fd, IORING_REGISTER_EVENTFD, &bell, 1))
    return 0;
  int reason = suits ? errno : ENOSYS;
  clinux_ring_close(ring);
  errno = reason;
  return -1;
}

void clinux_ring_close(struct clinux_ring *ring) {
  clinux_disown(ring->fd);
  if (ring->fd >= 0) close(ring->fd);
  if (ring->rings) munmap(ring->rings, ring->rings_bytes);
  if (ring->entry_map) munmap(ring->entry_map, ring->entry_bytes);
  if (ring->blocks) munmap(ring->blocks, (ring->block_mask + 1u) * sizeof(struct io_uring_buf));
  memset(ring, 0, sizeof *ring);
  ring->fd = -1;
}

static int enter(struct clinux_ring *ring, unsigned flags) {
  unsigned waiting = clinux_ring_waiting(ring);
  __atomic_store_n(ring->submitted_tail, ring->tail, __ATOMIC_RELEASE);
  return (int)syscall(SYS_io_uring_enter, ring->fd, waiting, 0, flags, NULL, (size_t)0);
}

int clinux_ring_enter(struct clinux_ring *ring) { return enter(ring, IORING_ENTER_GETEVENTS); }

int clinux_ring_submit(struct clinux_ring *ring) { return enter(ring, 0); }
