/* Latencies in buckets, as HdrHistogram has them: 256 to each power of two, so that no value is off by more
 * than 0.4 %, from a nanosecond to centuries, in a fixed 116 KiB. */
#pragma once
#include <stdint.h>

enum { BUCKETS_OF_OCTAVE = 256, OCTAVES = 58 };

struct histogram {
  uint64_t buckets[OCTAVES * BUCKETS_OF_OCTAVE];
  uint64_t count, largest; /* `largest` is exact */
  double sum;
};

void histogram_record(struct histogram *histogram, uint64_t ns);
/* The value that a share (0 … 1) of all values does not exceed, as the middle of its bucket; 0 of none. */
uint64_t histogram_percentile(const struct histogram *histogram, double share);
