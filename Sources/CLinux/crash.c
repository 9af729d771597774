/* A worker's last words: what crashed, and where. Runs in signal handlers, so in C: nothing here allocates
 * or takes a lock of ours. The dynamic linker's lock, which naming a frame takes, may be held by the thread
 * that crashed: an alarm ends the process even then. */
#define _GNU_SOURCE
#include "clinux.h"
#include "clinux_crash.h"
#include <dlfcn.h>
#include <execinfo.h>
#include <string.h>
#include <sys/mman.h>

enum { FRAMES = 64, STACK_BYTES = 64 * 1024, PATIENCE_SECONDS = 5 };
static const int fatal_signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS};
static const char *(*crash_note)(int signal);
/* The exit code of a process that runs destructors; -1 before. */
static volatile sig_atomic_t ending_code = -1;

static void say(const char *text) {
  if (write(STDERR_FILENO, text, strlen(text)) < 0) return;
}

static void say_frames(void *const *frames, int count) {
  if (count > 0) backtrace_symbols_fd(frames, count, STDERR_FILENO);
}

/* Writes the interrupted code and its callers, innermost first; 0 if the place is unknown. Writes the place
 * itself at once: an overwritten stack can fault again on the way up. */
static int write_frames(int signal_number, const siginfo_t *information, const void *context, void **frames) {
  clinux_place place;
  if (clinux_interrupted(signal_number, information, context, &place)) {
    frames[0] = place.code;
    say_frames(frames, 1);
    int count = 1 + clinux_callers(&place, frames + 1, FRAMES - 1);
    say_frames(frames + 1, count - 1);
    return count;
  }
  int count = backtrace(frames, FRAMES);
  say_frames(frames, count);
  return count;
}

/* The first library on the way up that is neither libc nor the server itself. */
static const char *culprit(void *const *frames, int count) {
  Dl_info libc, own, here;
  if (!dladdr((void *)abort, &libc) || !dladdr((void *)say, &own)) return NULL;
  for (int i = 0; i < count; i++)
    if (dladdr(frames[i], &here) && here.dli_fbase != libc.dli_fbase && here.dli_fbase != own.dli_fbase)
      return here.dli_fname;
  return NULL;
}

/* A faulting destructor can do no more harm: the exit code stays the same. */
static void ended_badly(int signal_number, const siginfo_t *information, const void *context) {
  void *frames[FRAMES];
  char number[] = {(char)('0' + signal_number / 10), (char)('0' + signal_number % 10), 0};
  say("server: crash at the end, in a destructor or an atexit handler, signal ");
  say(signal_number < 10 ? number + 1 : number);
  say(":\n");
  const char *file = culprit(frames, write_frames(signal_number, information, context, frames));
  if (file) {
    say("server: the destructors that were still to run are left out after the crash in ");
    say(file);
    say("\n");
  }
  _exit(ending_code);
}

static void crashed(int signal_number, siginfo_t *information, void *context) {
  void *frames[FRAMES];
  signal(signal_number, SIG_DFL);
  alarm(PATIENCE_SECONDS);
  if (ending_code >= 0) ended_badly(signal_number, information, context);
  /* A copy belongs to the application: its crash concerns no request. */
  const char *note = clinux_is_copy() ? "in a copy of the process that an application has made by fork()"
                     : crash_note     ? crash_note(signal_number) : NULL;
  say("server: crash: ");
  say(note ? note : "unknown");
  say("\n");
  write_frames(signal_number, information, context, frames);
  raise(signal_number);
}

static void traced(int signal_number, siginfo_t *information, void *context) {
  void *frames[FRAMES];
  int saved = errno;
  say("server: trace: native stack\n");
  write_frames(signal_number, information, context, frames);
  errno = saved;
}

/* A thread whose stack is used up has no room left for a handler. */
void *clinux_begin_crash_stack(void) {
  if (!crash_note) return NULL;
  void *room = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (room == MAP_FAILED) return NULL;
  stack_t stack = {.ss_sp = room, .ss_size = STACK_BYTES};
  sigaltstack(&stack, NULL);
  return room;
}

void clinux_end_crash_stack(void *room) {
  stack_t current, none = {.ss_flags = SS_DISABLE};
  if (!room) return;
  /* An app may have given the thread another one. */
  if (!sigaltstack(NULL, &current) && current.ss_sp == room) sigaltstack(&none, NULL);
  munmap(room, STACK_BYTES);
}

void clinux_watch_crashes(const char *(*note)(int signal)) {
  crash_note = note;
  /* The unwinder is loaded on its first use, which must not be in a handler. */
  void *frame;
  backtrace(&frame, 1);
  clinux_prepare_places();
  clinux_begin_crash_stack();
  struct sigaction action = {.sa_sigaction = crashed, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
  sigemptyset(&action.sa_mask);
  for (size_t i = 0; i < sizeof fatal_signals / sizeof *fatal_signals; i++)
    sigaction(fatal_signals[i], &action, NULL);
  struct sigaction trace = {.sa_sigaction = traced, .sa_flags = SA_SIGINFO | SA_RESTART};
  sigemptyset(&trace.sa_mask);
  sigaction(SIGRTMIN + 3, &trace, NULL);
}

void clinux_trace(pthread_t thread) {
  if (crash_note) pthread_kill(thread, SIGRTMIN + 3);
}

void clinux_end_with(int code) { ending_code = code; }
