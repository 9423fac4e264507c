/* SPDX-License-Identifier: Apache-2.0
 *
 * Histogram of values.
 *
 * DESIGN. Detector images are mostly zeros and small numbers: with bins of one from 0 on (the
 * default) each round of 64 pixels counts the values 0 to 7 by comparison, and only the others go
 * to a table one by one. Where those are many, and for other bins, every pixel goes to a table;
 * four take turns. The bin of a value comes from a multiplication by 2^64 / width, exact for 32-bit
 * values (Lemire, Kaser, Kurz: Faster remainder by direct computation, 2019); the wide kinds
 * divide. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "readers/stats/parts.h"

#define MANY 24 /* of 64 pixels: then the tables are quicker */

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
    memset(part->few, 0, sizeof(part->few));
}

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

static inline int64_t value_of(const struct sluice_block *block, uint32_t i)
{
    return block->is_signed ? (int64_t)(int32_t)block->small[i] : (int64_t)block->small[i];
}

/* Four pixels, one to each table. */
static inline void count_four(struct sluice_values *part, const struct sluice_block *block,
                              uint32_t i)
{
    size_t cells = (size_t)part->bins + 2;
    for (uint32_t k = 0; k < SLUICE_HISTOGRAM_TABLES; k++)
        part->tables[k * cells + cell(part, value_of(block, i + k))]++;
}

static void count_bits(struct sluice_values *part, const struct sluice_block *block, uint32_t word,
                       uint64_t bits)
{
    size_t cells = (size_t)part->bins + 2;
    for (uint32_t turn = 0; bits; bits &= bits - 1, turn = (turn + 1) % SLUICE_HISTOGRAM_TABLES) {
        uint32_t i = word * 64 + (uint32_t)__builtin_ctzll(bits);
        part->tables[turn * cells + cell(part, value_of(block, i))]++;
    }
}

static void add_small(struct sluice_values *part, const struct sluice_kernels *kernels,
                      const struct sluice_block *block)
{
    bool plain = part->low == 0 && part->width == 1 && part->bins >= SLUICE_HISTOGRAM_FEW;
    bool many = !plain;
    for (uint32_t w = 0; w * 64 < block->count; w++) {
        uint64_t valid = block->valid[w];
        if (!many) {
            uint64_t others = kernels->few(block->small + (size_t)w * 64, valid, part->few);
            count_bits(part, block, w, others);
            many = __builtin_popcountll(others) > MANY; /* for the rest of the block */
        } else if (valid == UINT64_MAX) {
            for (uint32_t i = w * 64; i < w * 64 + 64; i += SLUICE_HISTOGRAM_TABLES)
                count_four(part, block, i);
        } else {
            count_bits(part, block, w, valid);
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

void sluice_values_add(struct sluice_values *part, const struct sluice_kernels *kernels,
                       const struct sluice_block *block)
{
    if (block->kind == SLUICE_BLOCK_SMALL) {
        add_small(part, kernels, block);
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
    for (uint32_t v = 0; v < SLUICE_HISTOGRAM_FEW; v++)
        if (part->few[v])
            part->image[v + 1] += part->few[v];
    for (size_t i = 0; i < cells; i++)
        part->series[i] += part->image[i];
}
