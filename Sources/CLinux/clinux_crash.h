/* Where a thread was when a signal interrupted it, and who had called it: from what the kernel wrote down at
 * that moment. A walk up from the handler itself ends where another runtime's handler stands between that
 * and ours, on a stack of its own and without unwind data (Go's is one). */
#ifndef CLINUX_CRASH_H
#define CLINUX_CRASH_H
#include <signal.h>
#include <ucontext.h>

typedef struct clinux_place {
  /* The interrupted instruction. */
  void *code;
  /* The registers from which the walk begins. */
  ucontext_t registers;
} clinux_place;

/* Once, before the first of the others, which run in handlers. */
void clinux_prepare_places(void);
/* In a copy of the process, which must not share with it what the walk reads memory by. */
void clinux_renew_places(void);
/* Reads a handler's arguments; 0 when they are none: a handler that forwards may pass on the number alone. */
int clinux_interrupted(int signal_number, const siginfo_t *information, const void *context,
                       clinux_place *place);
/* The callers of the place, the innermost first: how many. */
int clinux_callers(const clinux_place *place, void **frames, int most);
#endif
