/* A process and the copies that code of an application makes of it by fork() (fork.c): which is which, and
 * whose a descriptor is. */
#ifndef CLINUX_FORK_H
#define CLINUX_FORK_H

/* From now on copies of this process know that they are copies, and do not have the descriptors that were
 * said to be the process's own. Once a process, before code of others runs in it. 0, or -1 with errno. */
int clinux_watch_forks(void);

/* 1 in the process itself. The kernel makes it 0 in a copy, however that was made. */
extern const volatile unsigned char *clinux_original;
static inline int clinux_is_copy(void) { return __builtin_expect(*clinux_original == 0, 0); }

/* The descriptor is the server's: no copy keeps it. Until it is closed or `disowned`. */
void clinux_own(int fd);
void clinux_disown(int fd);

/* Ends a copy: no function of atexit, no destructor, no buffer of stdio that the server has as well. */
_Noreturn void clinux_end_copy(int status);
#endif
