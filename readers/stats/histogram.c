/* SPDX-License-Identifier: Apache-2.0
 *
 * Histogram of values.
 *
 * DESIGN. Four tables take turns, so that equal pixels in a row do not wait for each other; pixels
 * that do not count are 0 in the block, are counted as such, and taken off at the end. The cells of
 * small values are looked up; that of another comes from a multiplication by 2^64 / width, exact
 * for 32-bit values (Lemire, Kaser, Kurz: Faster remainder by direct computation, 2019); the wide
 * kinds divide. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "readers/stats/parts.h"

/* The cell of a value of up to 33 bits. `above` is bins + 1. */
static inline uint32_t cell(const struct sluice_values *part, int64_t value)
{
    uint32_t above = part->bins + 1;
    if (value < part->low)
        return 0;
    uint64_t distance = (uint64_t)value - (uint64_t)part->low;
    if (part->inverse == 0)
        return distance < part->bins ? (uint32_t)distance + 1 : above;
    if (distance > UINT32_MAX) /* low lies far below the type: divide */
        distance /= part->width;
    else
        distance = (uint64_t)((unsigned __int128)part->inverse * distance >> 64);
    return distance < part->bins ? (uint32_t)distance + 1 : above;
}

bool sluice_values_init(struct sluice_values *part, uint32_t bins, int64_t low, uint64_t width)
{
    size_t cells = (size_t)bins + 2;
    part->bins = bins;
    part->low = low;
    part->width = width;
    part->inverse = width > 1 ? UINT64_MAX / width + 1 : 0;
    part->image = calloc(cells, sizeof(*part->image));
    part->series = calloc(cells, sizeof(*part->series));
    part->tables = calloc(SLUICE_HISTOGRAM_TABLES * cells, sizeof(*part->tables));
    for (uint32_t v = 0; v < SLUICE_HISTOGRAM_KNOWN; v++)
        part->known[v] = cell(part, v);
    return part->image && part->series && part->tables;
}

void sluice_values_close(struct sluice_values *part)
{
    free(part->image);
    free(part->series);
    free(part->tables);
    memset(part, 0, sizeof(*part));
}

void sluice_values_begin(struct sluice_values *part)
{
    size_t cells = (size_t)part->bins + 2;
    memset(part->image, 0, cells * sizeof(*part->image));
    memset(part->tables, 0, SLUICE_HISTOGRAM_TABLES * cells * sizeof(*part->tables));
    part->excess = 0;
}

static inline int64_t value_of(const struct sluice_block *block, uint32_t i)
{
    return block->is_signed ? (int64_t)(int32_t)block->small[i] : (int64_t)block->small[i];
}

/* 64 pixels, in turn to each table. The cells of small values are looked up. */
static void count_word(struct sluice_values *part, const struct sluice_block *block, uint32_t word)
{
    const size_t cells = (size_t)part->bins + 2;
    const uint32_t *values = block->small + (size_t)word * 64, *known = part->known;
    uint32_t *tables[SLUICE_HISTOGRAM_TABLES];
    part->excess += 64 - (uint32_t)__builtin_popcountll(block->valid[word]);
    for (uint32_t k = 0; k < SLUICE_HISTOGRAM_TABLES; k++)
        tables[k] = part->tables + k * cells;
    for (uint32_t i = 0; i < 64; i += SLUICE_HISTOGRAM_TABLES) {
        for (uint32_t k = 0; k < SLUICE_HISTOGRAM_TABLES; k++) {
            uint32_t v = values[i + k];
            if (v < SLUICE_HISTOGRAM_KNOWN)
                tables[k][known[v]]++;
            else
                tables[k][cell(part, value_of(block, word * 64 + i + k))]++;
        }
    }
}

static uint32_t cell_wide(const struct sluice_values *part, __int128 value)
{
    if (value < part->low)
        return 0;
    unsigned __int128 bin = (unsigned __int128)(value - part->low) / part->width;
    return bin < part->bins ? (uint32_t)bin + 1 : part->bins + 1;
}

static uint32_t cell_real(const struct sluice_values *part, double value)
{
    long double bin =
        floorl(((long double)value - (long double)part->low) / (long double)part->width);
    if (bin < 0)
        return 0;
    return bin < part->bins ? (uint32_t)bin + 1 : part->bins + 1;
}

void sluice_values_add(struct sluice_values *part, const struct sluice_block *block)
{
    if (block->kind == SLUICE_BLOCK_SMALL) {
        for (uint32_t w = 0; w * 64 < block->count; w++)
            if (block->valid[w])
                count_word(part, block, w);
        return;
    }
    for (uint32_t i = 0; i < block->count; i++) {
        if (!sluice_bit(block->valid, i))
            continue;
        if (block->kind == SLUICE_BLOCK_REAL)
            part->image[cell_real(part, block->real[i])]++;
        else
            part->image[cell_wide(part, sluice_block_whole(block, i))]++;
    }
}

void sluice_values_end(struct sluice_values *part)
{
    size_t cells = (size_t)part->bins + 2;
    for (uint32_t k = 0; k < SLUICE_HISTOGRAM_TABLES; k++)
        for (size_t i = 0; i < cells; i++)
            part->image[i] += part->tables[k * cells + i];
    part->image[cell(part, 0)] -= part->excess;
    for (size_t i = 0; i < cells; i++)
        part->series[i] += part->image[i];
}
