/* The bytes of Tests/Support/TestBody.swift: blocks of noise, each with its number in its first eight. */
#include <stdint.h>

enum { BLOCK = 1 << 20 };

static unsigned char block[BLOCK];

/* Fills the block that all others are copies of. */
static void fill_block(void) {
  uint64_t number = 0x9e3779b97f4a7c15u;
  for (int i = 0; i < BLOCK; i++) {
    number = number * 6364136223846793005u + 1442695040888963407u;
    block[i] = (unsigned char)(number >> 33);
  }
}

/* Writes the number of a block into a copy of which so many bytes are there. */
static void number_block(unsigned char *bytes, size_t size, uint64_t number) {
  for (size_t i = 0; i < 8 && i < size; i++) bytes[i] = (unsigned char)(number >> (8 * i));
}
