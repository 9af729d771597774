/* Writing to standard error without ever waiting for its reader. */
#ifndef CLINUX_LOG_H
#define CLINUX_LOG_H
#include <sys/types.h>

typedef struct {
  /* The target: standard error, or an open description of the same pipe or terminal that is ours alone. */
  int fd;
  /* How a write is kept from waiting; see log.c. */
  int way;
} clinux_log;

/* The write end of a pipe that does not wait (O_NONBLOCK), of which others have copies. */
clinux_log clinux_log_of_pipe(int fd);

/* Looks at what standard error is now. */
void clinux_log_open(clinux_log *log);

/* Closes what clinux_log_open() has opened. */
void clinux_log_close(clinux_log *log);

/* Writes at most count bytes, to a pipe no more than fit in one piece; returns how many were taken, 0 if none
 * can be now, -1 with errno if none ever will. */
ssize_t clinux_log_write(const clinux_log *log, const void *bytes, size_t count);

#endif
