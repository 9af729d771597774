#include "cdeflate.h"

#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <zlib.h>

/* The functions of zlib that are used; of its own header only types come in. */
static struct {
  int (*deflateInit2_)(z_streamp, int, int, int, int, int, const char *, int);
  int (*deflate)(z_streamp, int);
  int (*deflateReset)(z_streamp);
  int (*deflateEnd)(z_streamp);
  int (*inflateInit2_)(z_streamp, int, const char *, int);
  int (*inflate)(z_streamp, int);
  int (*inflateReset)(z_streamp);
  int (*inflateEnd)(z_streamp);
  int is_there;
} zlib;

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void load(void) {
  void *library = dlopen("libz.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) return;
  struct { const char *name; void **place; } names[] = {
      {"deflateInit2_", (void **)&zlib.deflateInit2_}, {"deflate", (void **)&zlib.deflate},
      {"deflateReset", (void **)&zlib.deflateReset},   {"deflateEnd", (void **)&zlib.deflateEnd},
      {"inflateInit2_", (void **)&zlib.inflateInit2_}, {"inflate", (void **)&zlib.inflate},
      {"inflateReset", (void **)&zlib.inflateReset},   {"inflateEnd", (void **)&zlib.inflateEnd},
  };
  for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
    *names[i].place = dlsym(library, names[i].name);
    if (*names[i].place == NULL) return;
  }
  zlib.is_there = 1;
}

int cdeflate_is_there(void) {
  pthread_once(&once, load);
  return zlib.is_there;
}

typedef struct stream {
  z_stream z;
  int compresses;
} stream;

/* Levels as zlib's own default has them; 8 is its default memory. */
void *cdeflate_compressor(int bits) {
  if (!cdeflate_is_there()) return NULL;
  stream *made = calloc(1, sizeof(stream));
  if (made == NULL) return NULL;
  made->compresses = 1;
  int result = zlib.deflateInit2_(&made->z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -bits, 8, Z_DEFAULT_STRATEGY,
                                  ZLIB_VERSION, (int)sizeof(z_stream));
  if (result == Z_OK) return made;
  free(made);
  return NULL;
}

void *cdeflate_decompressor(int bits) {
  if (!cdeflate_is_there()) return NULL;
  stream *made = calloc(1, sizeof(stream));
  if (made == NULL) return NULL;
  if (zlib.inflateInit2_(&made->z, -bits, ZLIB_VERSION, (int)sizeof(z_stream)) == Z_OK) return made;
  free(made);
  return NULL;
}

void cdeflate_free(void *given) {
  stream *s = given;
  if (s == NULL) return;
  s->compresses ? zlib.deflateEnd(&s->z) : zlib.inflateEnd(&s->z);
  free(s);
}

void cdeflate_reset(void *given) {
  stream *s = given;
  s->compresses ? zlib.deflateReset(&s->z) : zlib.inflateReset(&s->z);
}

int cdeflate_run(void *given, const void **in, size_t *n, void *out, size_t room, size_t *made) {
  stream *s = given;
  uInt taken = *n > UINT_MAX ? UINT_MAX : (uInt)*n, left = room > UINT_MAX ? UINT_MAX : (uInt)room;
  s->z.next_in = (Bytef *)*in;
  s->z.avail_in = taken;
  s->z.next_out = out;
  s->z.avail_out = left;
  int result = s->compresses ? zlib.deflate(&s->z, *n > taken ? Z_NO_FLUSH : Z_SYNC_FLUSH)
                             : zlib.inflate(&s->z, Z_SYNC_FLUSH);
  *made = left - s->z.avail_out;
  *in = s->z.next_in;
  *n -= taken - s->z.avail_in;
  /* Z_BUF_ERROR: nothing was left to do. */
  if (result == Z_STREAM_END) {
    /* A block that says it is the last (RFC 7692 7.2.3.4): what follows it begins anew. */
    if (zlib.inflateReset(&s->z) != Z_OK) return CDEFLATE_BAD;
  } else if (result != Z_OK && result != Z_BUF_ERROR) {
    return CDEFLATE_BAD;
  }
  return *n > 0 || s->z.avail_out == 0 ? CDEFLATE_MORE : CDEFLATE_DONE;
}
