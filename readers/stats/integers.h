/* SPDX-License-Identifier: Apache-2.0
 *
 * Exact integer totals over a plane of up to 32-bit pixels: what stats.c turns into a struct
 * sluice_stats. Private to the room. Re-entrant, no allocation. */
#ifndef SLUICE_READERS_STATS_INTEGERS_H
#define SLUICE_READERS_STATS_INTEGERS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/frame.h"
#include "readers/stats/stats.h"

/* More pixels than this could overflow the totals (and no detector has them). */
#define SLUICE_STATS_PIXELS_MAX (UINT64_C(1) << 31)

struct sluice_totals {
    uint64_t valid, zero, above; /* above: valid pixels over `limit` */
    int64_t min, max;            /* defined when valid > 0 */
    __int128 sum;
    unsigned __int128 squares;
    __int128 sum_x, sum_y; /* value times column, value times row */
};

/* `limit` is compared in the pixels' own type: beyond the type's range it means none or all.
 * `mask` may be NULL. False for a dtype that is not an integer of at most 32 bits. */
bool sluice_totals_small(const void *pixels, uint32_t width, uint32_t height,
                         enum sluice_dtype dtype, const uint32_t *mask, int64_t limit,
                         struct sluice_totals *totals);

/* Everything of `stats` from the totals of a plane of so many pixels. */
void sluice_stats_of_totals(const struct sluice_totals *totals, uint64_t pixels, bool has_saturated,
                            struct sluice_stats *stats);
void sluice_stats_without_centre(struct sluice_stats *stats);

#endif
