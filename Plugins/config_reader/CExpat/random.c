/* Debian's expat takes the seed of its hash tables from functions that glibc has from 2.36 on. With these of
 * our own the program starts where glibc is older (docs/INSTALL.md). */
#include "cexpat.h"
#include <stdlib.h>
#include <sys/random.h>

void arc4random_buf(void *buffer, size_t n) {
  unsigned char *at = buffer;
  while (n > 0) {
    ssize_t taken = getrandom(at, n > 256 ? 256 : n, 0);
    if (taken < 0) continue; /* a signal: the pool itself is never refused to those who wait for it */
    at += taken;
    n -= (size_t)taken;
  }
}

uint32_t arc4random(void) {
  uint32_t number;
  arc4random_buf(&number, sizeof number);
  return number;
}
