/* fork() by code of an application. The copy has one thread, which is in that code, and memory in which the
 * server looks as if it were still running: none of the server's code may run there, and none of its
 * descriptors may be kept. */
#define _GNU_SOURCE
#include "clinux.h"
#include "clinux_crash.h"
#include <stdatomic.h>
#include <sys/mman.h>

enum { BITS = 64, WORDS = (1 << 20) / BITS };
static const unsigned char always = 1;
static unsigned char *mark;
const volatile unsigned char *clinux_original = &always;
/* A bit for each descriptor below the default of fs.nr_open. */
static _Atomic uint64_t owned[WORDS];
/* Words that may have a bit set. */
static atomic_int used;

void clinux_own(int fd) {
  if (fd < 0 || fd >= WORDS * BITS) return;
  atomic_fetch_or_explicit(&owned[fd / BITS], UINT64_C(1) << fd % BITS, memory_order_relaxed);
  int before = atomic_load_explicit(&used, memory_order_relaxed);
  while (before <= fd / BITS && !atomic_compare_exchange_weak(&used, &before, fd / BITS + 1)) continue;
}

void clinux_disown(int fd) {
  if (fd < 0 || fd >= WORDS * BITS) return;
  atomic_fetch_and_explicit(&owned[fd / BITS], ~(UINT64_C(1) << fd % BITS), memory_order_relaxed);
}

/* Runs in the copy, before fork() returns there. */
static void become_copy(void) {
  *mark = 0;
  clinux_current = NULL;
  for (int word = 0; word < used; word++) {
    for (uint64_t bits = owned[word]; bits; bits &= bits - 1) close(word * BITS + __builtin_ctzll(bits));
    owned[word] = 0;
  }
  clinux_renew_places();
}

int clinux_watch_forks(void) {
  if (mark) return 0;
  size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
  void *page = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return -1;
  mark = page;
  *mark = 1;
  /* Only the kernel can mark copies that are made without libc's fork(). */
  if (madvise(page, bytes, MADV_WIPEONFORK)) return -1;
  clinux_original = mark;
  int result = pthread_atfork(NULL, NULL, become_copy);
  if (result) errno = result;
  return result ? -1 : 0;
}

void clinux_end_copy(int status) { _exit(status); }
