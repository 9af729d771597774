/* expat for Swift. */
#ifndef CEXPAT_H
#define CEXPAT_H
#include <expat.h>
#include <stdint.h>
#include <stddef.h>

/* For expat alone; declared here, since headers of an older glibc do not. */
void arc4random_buf(void *buffer, size_t n);
uint32_t arc4random(void);
#endif
