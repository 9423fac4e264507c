/* SPDX-License-Identifier: Apache-2.0
 *
 * Design: values below 64 have a bucket each; above, an octave [2^e, 2^(e+1)) is cut into 64 equal
 * parts. A bucket's number is the octave and the six bits behind the leading one, so recording is a
 * count of leading zeros and one increment. Buckets saturate instead of wrapping. */
#include "core/histogram.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#define SUB (1u << SLUICE_HISTOGRAM_SUB_BITS)

static size_t bucket_of(uint64_t value)
{
    unsigned shift;

    if (value < SUB)
        return (size_t)value;
    shift = 63u - (unsigned)__builtin_clzll(value) - SLUICE_HISTOGRAM_SUB_BITS;
    return ((size_t)(shift + 1) << SLUICE_HISTOGRAM_SUB_BITS) + ((value >> shift) & (SUB - 1));
}

/* The largest value that falls into the bucket. */
static uint64_t bucket_bound(size_t bucket)
{
    unsigned shift;

    if (bucket < SUB)
        return bucket;
    shift = (unsigned)(bucket >> SLUICE_HISTOGRAM_SUB_BITS) - 1;
    return ((UINT64_C(1) + SUB + (bucket & (SUB - 1))) << shift) - 1;
}

static void add(uint32_t *bucket, uint32_t count)
{
    *bucket = count > UINT32_MAX - *bucket ? UINT32_MAX : *bucket + count;
}

void sluice_histogram_clear(struct sluice_histogram *histogram)
{
    memset(histogram, 0, sizeof *histogram);
}

void sluice_histogram_record(struct sluice_histogram *histogram, int64_t value_ns)
{
    uint64_t value = value_ns > 0 ? (uint64_t)value_ns : 0;

    histogram->count++;
    histogram->sum += (double)value;
    if (value > histogram->max)
        histogram->max = value;
    add(&histogram->buckets[bucket_of(value)], 1);
}

void sluice_histogram_merge(struct sluice_histogram *into, const struct sluice_histogram *from)
{
    into->count += from->count;
    into->sum += from->sum;
    if (from->max > into->max)
        into->max = from->max;
    for (size_t i = 0; i < SLUICE_HISTOGRAM_BUCKETS; i++)
        add(&into->buckets[i], from->buckets[i]);
}

uint64_t sluice_histogram_percentile(const struct sluice_histogram *histogram, double fraction)
{
    double rank = ceil(fraction * (double)histogram->count);
    uint64_t seen = 0;

    if (histogram->count == 0)
        return 0;
    if (!(rank >= 1))
        rank = 1;
    for (size_t i = 0; i < SLUICE_HISTOGRAM_BUCKETS; i++) {
        seen += histogram->buckets[i];
        if ((double)seen >= rank) {
            uint64_t bound = bucket_bound(i);

            return bound < histogram->max ? bound : histogram->max;
        }
    }
    return histogram->max; /* buckets that saturated hold fewer than were counted */
}
