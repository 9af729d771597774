/* A worker's last words: what crashed, and where. Runs in signal handlers, so in C: nothing here allocates
 * or takes a lock of ours. The dynamic linker's lock, which naming a frame takes, may be held by the thread
 * that crashed: an alarm ends the process even then. */
#define _GNU_SOURCE
#include "clinux.h"
#include <execinfo.h>
#include <string.h>
#include <sys/mman.h>

enum { FRAMES = 64, STACK_BYTES = 64 * 1024, PATIENCE_SECONDS = 5 };
static const int fatal_signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS};
static const char *(*crash_note)(int signal);

static void say(const char *text) {
  if (write(STDERR_FILENO, text, strlen(text)) < 0) return;
}

static void write_frames(void) {
  void *frames[FRAMES];
  int count = backtrace(frames, FRAMES);
  /* The first two are this file's. */
  if (count > 2) backtrace_symbols_fd(frames + 2, count - 2, STDERR_FILENO);
}

static void crashed(int signal_number, siginfo_t *information, void *context) {
  (void)information, (void)context;
  signal(signal_number, SIG_DFL);
  alarm(PATIENCE_SECONDS);
  const char *note = crash_note ? crash_note(signal_number) : NULL;
  say("server: crash: ");
  say(note ? note : "unknown");
  say("\n");
  write_frames();
  raise(signal_number);
}

static void traced(int signal_number) {
  int saved = errno;
  (void)signal_number;
  say("server: trace: native stack\n");
  write_frames();
  errno = saved;
}

void clinux_watch_crashes(const char *(*note)(int signal)) {
  crash_note = note;
  /* The unwinder is loaded on its first use, which must not be in a handler. */
  void *frame;
  backtrace(&frame, 1);
  void *room = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (room != MAP_FAILED) {
    stack_t stack = {.ss_sp = room, .ss_size = STACK_BYTES};
    sigaltstack(&stack, NULL);
  }
  struct sigaction action = {.sa_sigaction = crashed, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
  sigemptyset(&action.sa_mask);
  for (size_t i = 0; i < sizeof fatal_signals / sizeof *fatal_signals; i++)
    sigaction(fatal_signals[i], &action, NULL);
  struct sigaction trace = {.sa_handler = traced, .sa_flags = SA_RESTART};
  sigemptyset(&trace.sa_mask);
  sigaction(SIGRTMIN + 3, &trace, NULL);
}

void clinux_trace(pthread_t thread) {
  if (crash_note) pthread_kill(thread, SIGRTMIN + 3);
}
