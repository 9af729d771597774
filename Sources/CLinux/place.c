/* The walk up from an interrupted place (clinux_crash.h). Runs in signal handlers. */
#define _GNU_SOURCE
#include "clinux_crash.h"
#include "clinux_fork.h"
#include <dlfcn.h>
#include <execinfo.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

/* Reads memory through a pipe, which does not fault if there is none. */
static int probe[2] = {-1, -1};

static int open_probe(void) {
  if (!pipe2(probe, O_CLOEXEC | O_NONBLOCK)) return 1;
  probe[0] = probe[1] = -1;
  return 0;
}

void clinux_prepare_places(void) {
  if (probe[0] >= 0 || !open_probe()) return;
  clinux_own(probe[0]);
  clinux_own(probe[1]);
}

void clinux_renew_places(void) {
  if (probe[0] < 0) return;
  /* Those that a copy has made for itself belong to nobody in a copy of the copy. */
  close(probe[0]);
  close(probe[1]);
  open_probe();
}

static int peek(const void *address, void *bytes, size_t count) {
  if (probe[0] < 0 || write(probe[1], address, count) != (ssize_t)count) return 0;
  return read(probe[0], bytes, count) == (ssize_t)count;
}

static int is_code(void *address) {
  Dl_info found;
  return address && dladdr(address, &found);
}

#if defined(__x86_64__)

static void *counter(const ucontext_t *r) { return (void *)r->uc_mcontext.gregs[REG_RIP]; }

/* A call into nowhere (a null function pointer) has left its return address on the stack. */
static void return_from_nowhere(ucontext_t *r) {
  greg_t *g = r->uc_mcontext.gregs;
  uintptr_t back;
  if (is_code(counter(r)) || !peek((void *)g[REG_RSP], &back, sizeof back)) return;
  g[REG_RIP] = (greg_t)(back - 1);
  g[REG_RSP] += 8;
}

/* backtrace(), as if the interrupted code had called it: the unwind data of this function say that its
 * caller's registers are in the ucontext_t that rbx points to, as those of the C library's signal return do
 * for the one on the stack. 40 is the offset of its registers; S marks a signal's frame, whose address is an
 * instruction and not a return address. Returns what backtrace returned, this function first. */
int clinux_backtrace_from(const ucontext_t *registers, void **frames, int most);
__asm__(
  ".text\n"
  ".hidden clinux_backtrace_from\n"
  ".globl clinux_backtrace_from\n"
  ".type clinux_backtrace_from, @function\n"
  "clinux_backtrace_from:\n"
  ".cfi_startproc\n"
  ".cfi_signal_frame\n"
  "pushq %rbx\n"
  "movq %rdi, %rbx\n"
  "movq %rsi, %rdi\n"
  "movl %edx, %esi\n"
  ".cfi_remember_state\n"
  ".cfi_escape 0x0f, 0x04, 0x73, 0xa0, 0x01, 0x06\n"  /* the CFA is the saved rsp */
  ".cfi_escape 0x10, 0x08, 0x02, 0x73, 0x28\n"        /* r8 */
  ".cfi_escape 0x10, 0x09, 0x02, 0x73, 0x30\n"        /* r9 */
  ".cfi_escape 0x10, 0x0a, 0x02, 0x73, 0x38\n"        /* r10 */
  ".cfi_escape 0x10, 0x0b, 0x03, 0x73, 0xc0, 0x00\n"  /* r11 */
  ".cfi_escape 0x10, 0x0c, 0x03, 0x73, 0xc8, 0x00\n"  /* r12 */
  ".cfi_escape 0x10, 0x0d, 0x03, 0x73, 0xd0, 0x00\n"  /* r13 */
  ".cfi_escape 0x10, 0x0e, 0x03, 0x73, 0xd8, 0x00\n"  /* r14 */
  ".cfi_escape 0x10, 0x0f, 0x03, 0x73, 0xe0, 0x00\n"  /* r15 */
  ".cfi_escape 0x10, 0x05, 0x03, 0x73, 0xe8, 0x00\n"  /* rdi */
  ".cfi_escape 0x10, 0x04, 0x03, 0x73, 0xf0, 0x00\n"  /* rsi */
  ".cfi_escape 0x10, 0x06, 0x03, 0x73, 0xf8, 0x00\n"  /* rbp */
  ".cfi_escape 0x10, 0x03, 0x03, 0x73, 0x80, 0x01\n"  /* rbx */
  ".cfi_escape 0x10, 0x01, 0x03, 0x73, 0x88, 0x01\n"  /* rdx */
  ".cfi_escape 0x10, 0x00, 0x03, 0x73, 0x90, 0x01\n"  /* rax */
  ".cfi_escape 0x10, 0x02, 0x03, 0x73, 0x98, 0x01\n"  /* rcx */
  ".cfi_escape 0x10, 0x07, 0x03, 0x73, 0xa0, 0x01\n"  /* rsp */
  ".cfi_escape 0x10, 0x10, 0x03, 0x73, 0xa8, 0x01\n"  /* rip */
  "call backtrace@PLT\n"
  ".cfi_restore_state\n"
  "popq %rbx\n"
  "ret\n"
  ".cfi_endproc\n"
  ".size clinux_backtrace_from, . - clinux_backtrace_from\n");

_Static_assert(__builtin_offsetof(ucontext_t, uc_mcontext.gregs) == 40, "the unwind data above count on it");

int clinux_callers(const clinux_place *place, void **frames, int most) {
  enum { EXTRA = 2, MOST = 64 };
  void *found[MOST + EXTRA];
  if (most > MOST) most = MOST;
  int count = clinux_backtrace_from(&place->registers, found, most + EXTRA);
  /* The function itself, and the interrupted place, which has already been written unless it was nowhere. */
  int first = count > 1 && found[1] == place->code ? 2 : 1;
  if (count <= first) return 0;
  count = count - first > most ? most : count - first;
  memcpy(frames, found + first, (size_t)count * sizeof *frames);
  return count;
}

#elif defined(__aarch64__)

static void *counter(const ucontext_t *r) { return (void *)r->uc_mcontext.pc; }
static void return_from_nowhere(ucontext_t *r) { (void)r; }

/* Frame records (AAPCS64 6.4.6): x29 points to the caller's x29 and return address. A function that calls no
 * other has none, and its return address in x30. */
int clinux_callers(const clinux_place *place, void **frames, int most) {
  uintptr_t record[2], at = place->registers.uc_mcontext.regs[29];
  void *link = (void *)place->registers.uc_mcontext.regs[30];
  int count = 0;
  int has_record = peek((void *)at, record, sizeof record);
  if (is_code(link) && !(has_record && (void *)record[1] == link)) frames[count++] = link;
  while (count < most && at && peek((void *)at, record, sizeof record) && is_code((void *)record[1])) {
    frames[count++] = (void *)record[1];
    if (record[0] <= at) break;
    at = record[0];
  }
  return count;
}

#else
#error "the walk up from a signal knows x86_64 and aarch64"
#endif

int clinux_interrupted(int signal_number, const siginfo_t *information, const void *context,
                       clinux_place *place) {
  int number;
  if (!peek(&information->si_signo, &number, sizeof number) || number != signal_number) return 0;
  if (!peek(context, &place->registers, sizeof place->registers)) return 0;
  place->code = counter(&place->registers);
  return_from_nowhere(&place->registers);
  return 1;
}
