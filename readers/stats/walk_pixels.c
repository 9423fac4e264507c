/* SPDX-License-Identifier: Apache-2.0
 *
 * The way through pixels: masked ones are made to hold the no-data value, and rows go through
 * integers.c. Histograms are made in tables that take turns, so that equal pixels in a row do not
 * wait for each other; no-data values are counted there too and taken out in the end. */
#include <stdlib.h>
#include <string.h>

#include "readers/stats/walk.h"

#define TABLES 4

static void mask_pixels(uint8_t *pixels, size_t element_bytes, const uint8_t *bits, size_t first,
                        size_t count)
{
    for (size_t i = 0; i < count; i += 64) {
        uint64_t word = sluice_mask_word(bits, first + i, count - i);

        if (word == UINT64_MAX) {
            memset(pixels + i * element_bytes, 0xff, 64 * element_bytes);
            continue;
        }
        for (; word != 0; word &= word - 1)
            memset(pixels + (i + (size_t)__builtin_ctzll(word)) * element_bytes, 0xff,
                   element_bytes);
    }
}

#define COUNT_VALUES(type)                                                                         \
    {                                                                                              \
        const type *p = pixels;                                                                    \
        size_t i = 0;                                                                              \
        for (; i + TABLES <= count; i += TABLES) {                                                 \
            for (size_t k = 0; k < TABLES; k++)                                                    \
                tables[k * bin_count + (p[i + k] < last ? p[i + k] : last)]++;                     \
        }                                                                                          \
        for (; i < count; i++)                                                                     \
            tables[p[i] < last ? p[i] : last]++;                                                   \
    }

static void histogram_of_pixels(const struct sluice_walk *walk, const void *pixels, size_t count)
{
    uint32_t *tables = walk->tables;
    const size_t bin_count = walk->histogram->bin_count, last = bin_count - 1;

    if (walk->element_bytes == 1)
        COUNT_VALUES(uint8_t)
    else if (walk->element_bytes == 2)
        COUNT_VALUES(uint16_t)
    else
        COUNT_VALUES(uint32_t)
}

static void add_row_part(struct sluice_walk *walk, const uint8_t *pixels, uint32_t count,
                         uint64_t column)
{
    struct sluice_totals part, *t = &walk->totals;

    sluice_totals_small(pixels, count, 1, walk->channel->dtype, NULL, walk->limit, &part);
    walk->tabled_invalid += count - part.valid;
    if (part.valid == 0)
        return;
    sluice_walk_note(t, part.min, part.max, part.valid);
    t->zero += part.zero;
    t->above += part.above;
    t->sum += part.sum;
    t->squares += part.squares;
    t->sum_x += part.sum_x + part.sum * (__int128)column;
    t->sum_y += part.sum * walk->row;
}

void sluice_walk_pixels(struct sluice_walk *walk, uint8_t *pixels, uint64_t first, size_t count)
{
    if (walk->channel->mask_plane)
        mask_pixels(pixels, walk->element_bytes, walk->channel->mask_plane, first, count);
    if (walk->histogram)
        histogram_of_pixels(walk, pixels, count);
    while (count > 0) {
        uint64_t left = walk->row_end - first;
        uint32_t n = count < left ? (uint32_t)count : (uint32_t)left;

        add_row_part(walk, pixels, n, walk->channel->width - left);
        pixels += n * walk->element_bytes;
        first += n;
        count -= n;
        if (n == left)
            sluice_walk_next_row(walk);
    }
}

bool sluice_walk_begin_tables(struct sluice_walk *walk, struct sluice_stats_scratch *scratch)
{
    if (!walk->histogram || walk->tables)
        return true;
    if (scratch->table_bins < walk->histogram->bin_count) {
        free(scratch->tables);
        scratch->table_bins = 0;
        scratch->tables = calloc(walk->histogram->bin_count, TABLES * sizeof *scratch->tables);
        if (!scratch->tables)
            return false;
        scratch->table_bins = walk->histogram->bin_count;
    } else {
        memset(scratch->tables, 0, walk->histogram->bin_count * TABLES * sizeof *scratch->tables);
    }
    walk->tables = scratch->tables;
    return true;
}

void sluice_walk_tables(struct sluice_walk *walk)
{
    const size_t bin_count = walk->histogram->bin_count;
    const uint64_t no_data = UINT64_MAX >> (64 - 8 * walk->element_bytes);
    uint64_t *bins = walk->histogram->bins;

    for (size_t k = 0; k < TABLES; k++) {
        for (size_t i = 0; i < bin_count; i++)
            bins[i] += walk->tables[k * bin_count + i];
    }
    bins[no_data < bin_count ? no_data : bin_count - 1] -= walk->tabled_invalid;
}
