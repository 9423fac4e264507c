/* SPDX-License-Identifier: Apache-2.0
 *
 * An image on its way through payload.c, and the two ways that a part of it can take: as a piece of
 * bit planes, or as pixels. Parts come in order. Private to the room; one thread. */
#ifndef SLUICE_READERS_STATS_WALK_H
#define SLUICE_READERS_STATS_WALK_H

#include "readers/stats/integers.h"
#include "readers/stats/payload.h"
#include "readers/stats/planes.h"

struct sluice_walk {
    const struct sluice_stats_channel *channel;
    struct sluice_histogram_counts *histogram; /* or NULL */
    struct sluice_totals totals;
    size_t element_bytes;
    int64_t limit;
    uint32_t row;                           /* that the next element lies in */
    uint64_t row_end;                       /* number of its last element + 1 */
    uint64_t small[SLUICE_SMALL_VALUES][8]; /* in eight parts, as the kernels count */
    uint32_t *tables;                       /* histograms of what went through pixels, or NULL */
    uint64_t tabled_invalid;                /* pixels in them, at the place of the no-data value */
    unsigned pause, paused; /* pieces: that are not counted, and that were not already */
    void (*count)(const struct sluice_piece *piece, struct sluice_piece_counts *counts,
                  uint64_t small[SLUICE_SMALL_VALUES][8]);
};

/* Elements from number `first` on, a multiple of 8; fills piece->hot_max. False, with nothing
 * counted, where pixels are the quicker way. */
bool sluice_walk_piece(struct sluice_walk *walk, struct sluice_piece *piece, uint64_t first);
/* `pixels` is writable, and aligned to its type; with a histogram the tables were begun. */
void sluice_walk_pixels(struct sluice_walk *walk, uint8_t *pixels, uint64_t first, size_t count);
/* Before the first pixels, and whenever: only once an image is anything done. False: no memory. */
bool sluice_walk_begin_tables(struct sluice_walk *walk, struct sluice_stats_scratch *scratch);

/* At the end: what pieces and tables hold goes into totals and histogram. */
void sluice_walk_small(struct sluice_walk *walk);
void sluice_walk_tables(struct sluice_walk *walk);

static inline void sluice_walk_next_row(struct sluice_walk *walk)
{
    walk->row++;
    walk->row_end += walk->channel->width;
}

static inline void sluice_walk_note(struct sluice_totals *t, int64_t min, int64_t max,
                                    uint64_t valid)
{
    if (t->valid == 0 || min < t->min)
        t->min = min;
    if (t->valid == 0 || max > t->max)
        t->max = max;
    t->valid += valid;
}

static inline void sluice_walk_bin(struct sluice_histogram_counts *histogram, uint64_t value,
                                   uint64_t count)
{
    histogram->bins[value < histogram->bin_count ? value : histogram->bin_count - 1] += count;
}

/* Bits of a mask plane for elements first to first + count - 1 (at most 64 of them), 0 behind. */
static inline uint64_t sluice_mask_word(const uint8_t *bits, size_t first, size_t count)
{
    uint64_t word = 0;

    for (size_t i = 0; i < 8 && 8 * i < count; i++)
        word |= (uint64_t)bits[first / 8 + i] << (8 * i);
    return count < 64 ? word & ((UINT64_C(1) << count) - 1) : word;
}

#endif
