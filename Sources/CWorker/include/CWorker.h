/* The worker library as an extension module of CPython: so an interpreter's own program loads it. */
#ifndef NSGI_CWORKER_H
#define NSGI_CWORKER_H

/* What the module's one function calls, with the interpreter unlocked; it ends the process. */
void nsgi_worker_serve(void);

#endif
