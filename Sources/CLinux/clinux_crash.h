/* Where a thread was when a signal interrupted it, and its callers: from what the kernel recorded at that
 * moment. A walk up from the handler itself ends if another runtime's handler is between that place and ours,
 * on a stack of its own and without unwind data (Go's is one). */
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

/* Call it once, before any of the others, which run in handlers. */
void clinux_prepare_places(void);
/* Call it in a copy of the process, which must not share the means by which the walk reads memory. */
void clinux_renew_places(void);
/* Reads a handler's arguments; 0 if there are none: a forwarding handler may pass on only the number. */
int clinux_interrupted(int signal_number, const siginfo_t *information, const void *context,
                       clinux_place *place);
/* The callers of the place, innermost first; returns how many. */
int clinux_callers(const clinux_place *place, void **frames, int most);
#endif
