/* SPDX-License-Identifier: Apache-2.0
 *
 * Statistics of one plane: pure arithmetic on decoded pixels, no files, no clock. Re-entrant.
 *
 * A pixel is `invalid` when its mask & 0xFFFF is not 0 or when it holds the no-data value (largest
 * of an unsigned type, smallest of a signed one, not finite for floats); it enters nothing else. */
#ifndef SLUICE_READERS_STATS_H
#define SLUICE_READERS_STATS_H

#include <stdbool.h>

#include "core/frame.h"
#include "core/status.h"

struct sluice_stats {
    uint64_t valid, invalid, zero;
    uint64_t saturated; /* valid pixels above the saturation value */
    bool has_saturated; /* a saturation value is known */
    bool is_float;
    /* null in JSON when valid is 0. Integers are exact; floats use compensated sums. */
    __int128 min, max, sum;
    double min_float, max_float, sum_float;
    double mean, std;    /* population's */
    double com_x, com_y; /* pixel, 0-based centres; NaN when the sum of the values is 0 */
};

/* `mask` may be NULL; `saturation` may be NULL. `pixels` is aligned to its type. UNSUPPORTED for a
 * type it does not know, LIMIT above 2^31 pixels. */
enum sluice_status sluice_stats_plane(const void *pixels, uint32_t width, uint32_t height,
                                      enum sluice_dtype dtype, const uint32_t *mask,
                                      const int64_t *saturation, struct sluice_stats *stats);

#endif
