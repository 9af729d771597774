/* A process and the copies that code of an application makes of it by fork() (fork.c): which is which, and
 * which of them owns a descriptor. */
#ifndef CLINUX_FORK_H
#define CLINUX_FORK_H

/* Makes copies of this process know that they are copies, and close the descriptors that are marked as the
 * process's own. Once per process, before code of others runs in it. 0, or -1 with errno. */
int clinux_watch_forks(void);

/* 1 in the process itself. The kernel makes it 0 in a copy, however it was made. */
extern const volatile unsigned char *clinux_original;
static inline int clinux_is_copy(void) { return __builtin_expect(*clinux_original == 0, 0); }

/* Marks the descriptor as the server's, until it is closed or `disowned`: no copy keeps it. */
void clinux_own(int fd);
void clinux_disown(int fd);

/* Ends a copy: no atexit functions, no destructors, no flushing of stdio buffers shared with the server. */
_Noreturn void clinux_end_copy(int status);
#endif
