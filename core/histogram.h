/* SPDX-License-Identifier: Apache-2.0
 *
 * A log-linear histogram of durations in ns: 64 buckets an octave, so a percentile is right to
 * 1.6 %; the largest value is kept exactly. 0 to 2^63 ns. Plain data of fixed size, zeroed memory
 * is an empty one; no allocation; one thread. Histograms add up (merge). */
#ifndef SLUICE_CORE_HISTOGRAM_H
#define SLUICE_CORE_HISTOGRAM_H

#include <stdint.h>

#define SLUICE_HISTOGRAM_SUB_BITS 6
#define SLUICE_HISTOGRAM_BUCKETS  ((64 - SLUICE_HISTOGRAM_SUB_BITS + 1) << SLUICE_HISTOGRAM_SUB_BITS)

struct sluice_histogram {
    uint64_t count, max;
    double sum;
    uint32_t buckets[SLUICE_HISTOGRAM_BUCKETS];
};

void sluice_histogram_clear(struct sluice_histogram *histogram);
/* Negative values count as 0. */
void sluice_histogram_record(struct sluice_histogram *histogram, int64_t value_ns);
void sluice_histogram_merge(struct sluice_histogram *into, const struct sluice_histogram *from);
/* The smallest bucket bound with at least `fraction` (0 to 1) of the values at or below it, never
 * above max; 0 when empty. */
uint64_t sluice_histogram_percentile(const struct sluice_histogram *histogram, double fraction);

#endif
