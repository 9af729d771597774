/* An app whose library puts a handler before the server's and passes the signal on, as Go's runtime does: on
 * a stack of its own and without unwind data; with NUMBER_ONLY as handlers of one argument do. It answers
 * nothing but a fault, in a function that the report has to name. */
#include <nsgi.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>

__attribute__((visibility("hidden"), used)) struct { void *handler; uintptr_t kept; } forwarded;
__attribute__((visibility("hidden"), used)) char forwarding_stack[128 * 1024] __attribute__((aligned(16)));

void forward(int number, siginfo_t *information, void *context);
#if defined(__x86_64__)
__asm__(
  ".text\n.hidden forward\n.globl forward\n.type forward, @function\nforward:\n"
  "movq %rsp, forwarded+8(%rip)\n"
  "leaq forwarding_stack+131072(%rip), %rsp\n"
#ifdef NUMBER_ONLY
  "movl $7, %esi\nmovl $7, %edx\n"
#endif
  "xorl %ebp, %ebp\n"
  "call *forwarded(%rip)\n"
  "movq forwarded+8(%rip), %rsp\n"
  "ret\n");
#elif defined(__aarch64__)
__asm__(
  ".text\n.hidden forward\n.globl forward\n.type forward, %function\nforward:\n"
  "adrp x9, forwarded\nadd x9, x9, :lo12:forwarded\n"
  "mov x10, sp\nstp x30, x10, [sp, #-16]!\nmov x10, sp\nstr x10, [x9, #8]\n"
  "adrp x11, forwarding_stack\nadd x11, x11, :lo12:forwarding_stack\nmov x12, #131072\nadd sp, x11, x12\n"
#ifdef NUMBER_ONLY
  "mov x1, #7\nmov x2, #7\n"
#endif
  "mov x29, #0\n"
  "ldr x12, [x9]\nblr x12\n"
  "adrp x9, forwarded\nadd x9, x9, :lo12:forwarded\nldr x10, [x9, #8]\nmov sp, x10\n"
  "ldp x30, x10, [sp], #16\nret\n");
#endif

__attribute__((constructor)) static void take(void) {
  struct sigaction before, own;
  sigaction(SIGSEGV, NULL, &before);
  if (!(before.sa_flags & SA_SIGINFO)) return;
  forwarded.handler = (void *)(uintptr_t)before.sa_sigaction;
  memset(&own, 0, sizeof own);
  own.sa_sigaction = forward;
  own.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  sigaction(SIGSEGV, &own, NULL);
}

static volatile int *volatile nowhere;
static int (*volatile missing)(void);

__attribute__((noinline, visibility("default"))) int the_endless_function(volatile char *below) {
  static volatile int is_endless = 1;
  volatile char room[4096];
  room[0] = below ? below[0] : 1;
  return is_endless ? the_endless_function(room) + room[0] : 0;
}

__attribute__((noinline, visibility("default"))) int the_broken_function(const char *path) {
  if (!strcmp(path, "/deep")) return the_endless_function(NULL);
  if (!strcmp(path, "/jump")) return missing() + 1;
  *nowhere = 1;
  return 1;
}

__attribute__((noinline, visibility("default"))) int the_calling_function(const char *path) {
  return the_broken_function(path) + 1;
}

int application(const nsgi_environ *environ, nsgi_start_response start_response) {
  (void)start_response;
  return the_calling_function(environ->get("PATH_INFO"));
}
