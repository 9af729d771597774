/* Latencies in buckets; histogram.h says how wide. */
#include "histogram.h"

/* Values below 512 have a bucket each; above, the leading nine bits choose it. */
void histogram_record(struct histogram *histogram, uint64_t ns) {
  int exponent = 63 - __builtin_clzll(ns | 1), shift = exponent > 8 ? exponent - 8 : 0;
  histogram->buckets[shift * BUCKETS_OF_OCTAVE + (int)(ns >> shift)]++;
  histogram->count++;
  histogram->sum += (double)ns;
  if (ns > histogram->largest) histogram->largest = ns;
}

uint64_t histogram_percentile(const struct histogram *histogram, double share) {
  double exact = share * (double)histogram->count;
  uint64_t wanted = (uint64_t)exact, seen = 0;
  if ((double)wanted < exact) wanted++;
  if (wanted < 1) wanted = 1;
  for (int i = 0; i < OCTAVES * BUCKETS_OF_OCTAVE; i++) {
    seen += histogram->buckets[i];
    if (seen < wanted) continue;
    int shift = i < 2 * BUCKETS_OF_OCTAVE ? 0 : i / BUCKETS_OF_OCTAVE - 1;
    uint64_t low = (uint64_t)(i - shift * BUCKETS_OF_OCTAVE) << shift, middle = low + ((1ull << shift) >> 1);
    return middle < histogram->largest ? middle : histogram->largest;
  }
  return 0;
}
