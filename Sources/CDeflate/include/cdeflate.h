/* cdeflate.h - raw DEFLATE (RFC 1951) as WebSockets use it (RFC 7692), by the system's zlib. That is loaded
 * when it is first asked for: a server whose clients never compress does without. */
#pragma once
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Whether zlib is there; loads it. Any thread. */
int cdeflate_is_there(void);

/* A stream of one direction; NULL without memory. bits: of the window, 9 to 15. For one thread at a time. */
void *cdeflate_compressor(int bits);
void *cdeflate_decompressor(int bits);
void cdeflate_free(void *stream);

/* Forgets all that went through the stream. */
void cdeflate_reset(void *stream);

enum { CDEFLATE_DONE = 0, CDEFLATE_MORE = 1, CDEFLATE_BAD = -1 };

/* Runs bytes through: *in and *n move over what was taken, *made is what was written to out. CDEFLATE_MORE:
 * there was no room for all, call again; CDEFLATE_DONE: all was taken, and all of it written; CDEFLATE_BAD:
 * not DEFLATE, or no memory. A compressor ends what it is given at a byte (Z_SYNC_FLUSH). */
int cdeflate_run(void *stream, const void **in, size_t *n, void *out, size_t room, size_t *made);

#ifdef __cplusplus
}
#endif
