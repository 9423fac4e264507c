/* SPDX-License-Identifier: Apache-2.0
 *
 * Images of mean, variance and maximum over the series.
 *
 * DESIGN. Integers of up to 32 bits: exact sums of values and squares, each cut into a low word
 * that most images touch alone and a high one that they rarely do (kernels.h); untouched high words
 * take no memory, as they come zeroed from the system. What is masked is added as 0 and told apart
 * when it is read; pixels without data are counted. The variance is (n·Σv² − (Σv)²) / n², exact
 * until the division: n < 2^32 and Σv² < 2^96, so the product fits 128 bits.
 * 64-bit integers and floats: Welford's update in long double, whose error stays within a few units
 * of the last place for any number of images; squares of 64-bit values would need 160 bits. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "readers/stats/parts.h"

bool sluice_running_init(struct sluice_running *part, const struct sluice_shape *shape)
{
    size_t pixels = (size_t)shape->width * shape->height;
    struct sluice_running_rows *rows = &part->rows;
    part->missing = calloc(pixels, sizeof(*part->missing));
    bool ok = part->missing != NULL;
    if (shape->kind == SLUICE_BLOCK_SMALL) {
        rows->sum_low = calloc(pixels, sizeof(*rows->sum_low));
        rows->sum_high = calloc(pixels, sizeof(*rows->sum_high));
        rows->square_low = calloc(pixels, sizeof(*rows->square_low));
        rows->square_high = calloc(pixels, sizeof(*rows->square_high));
        rows->max = calloc(pixels, sizeof(*rows->max));
        ok = ok && rows->sum_low && rows->sum_high && rows->square_low && rows->square_high &&
             rows->max;
        for (size_t i = 0; ok && shape->is_signed && i < pixels; i++)
            rows->max[i] = (uint32_t)INT32_MIN;
        return ok;
    }
    part->mean = calloc(pixels, sizeof(*part->mean));
    part->spread = calloc(pixels, sizeof(*part->spread));
    if (shape->kind == SLUICE_BLOCK_WIDE) {
        part->wide_sum = calloc(pixels, sizeof(*part->wide_sum));
        part->wide_max = calloc(pixels, sizeof(*part->wide_max));
        ok = ok && part->wide_sum && part->wide_max;
    } else {
        part->real_max = calloc(pixels, sizeof(*part->real_max));
        ok = ok && part->real_max;
    }
    return ok && part->mean && part->spread;
}

void sluice_running_close(struct sluice_running *part)
{
    free(part->missing);
    free(part->rows.sum_low);
    free(part->rows.sum_high);
    free(part->rows.square_low);
    free(part->rows.square_high);
    free(part->rows.max);
    free(part->mean);
    free(part->spread);
    free(part->wide_sum);
    free(part->wide_max);
    free(part->real_max);
    memset(part, 0, sizeof(*part));
}

static void add_wide_max(struct sluice_running *part, const struct sluice_block *block, uint32_t i,
                         size_t at, bool is_first)
{
    if (block->kind == SLUICE_BLOCK_REAL) {
        if (is_first || block->real[i] > part->real_max[at])
            part->real_max[at] = block->real[i];
        return;
    }
    bool larger = block->is_signed ? (int64_t)block->wide[i] > (int64_t)part->wide_max[at]
                                   : block->wide[i] > part->wide_max[at];
    part->wide_sum[at] += block->wide[i];
    if (is_first || larger)
        part->wide_max[at] = block->wide[i];
}

static void add_welford(struct sluice_running *part, const struct sluice_block *block)
{
    for (uint32_t i = 0; i < block->count; i++) {
        size_t at = (size_t)block->first + i;
        if (!sluice_bit(block->valid, i))
            continue;
        long double v = block->kind == SLUICE_BLOCK_REAL
                            ? (long double)block->real[i]
                            : (long double)sluice_block_whole(block, i);
        uint64_t n = part->images + 1 - part->missing[at]; /* with this one */
        long double off = v - part->mean[at];
        part->mean[at] += off / (long double)n;
        part->spread[at] += off * (v - part->mean[at]);
        add_wide_max(part, block, i, at, n == 1);
    }
}

void sluice_running_add(struct sluice_running *part, const struct sluice_kernels *kernels,
                        const struct sluice_block *block)
{
    for (uint32_t w = 0; block->no_data_count && w * 64 < block->count; w++)
        for (uint64_t bits = block->no_data[w]; bits; bits &= bits - 1)
            part->missing[block->first + w * 64 + (uint32_t)__builtin_ctzll(bits)]++;
    if (block->kind != SLUICE_BLOCK_SMALL) {
        add_welford(part, block);
        return;
    }
    const struct sluice_running_rows rows = {.sum_low = part->rows.sum_low + block->first,
                                             .sum_high = part->rows.sum_high + block->first,
                                             .square_low = part->rows.square_low + block->first,
                                             .square_high = part->rows.square_high + block->first,
                                             .max = part->rows.max + block->first};
    kernels->running(block, &rows);
}

void sluice_running_end(struct sluice_running *part)
{
    part->images++;
}

/* --- reading ------------------------------------------------------------------------------- */

struct pixel {
    uint64_t n;
    double mean, variance;
    uint64_t sum, max; /* two's complement */
    double max_real;
};

static void read_small(const struct sluice_running *part, bool is_signed, size_t i, struct pixel *p)
{
    const struct sluice_running_rows *rows = &part->rows;
    __int128 sum = (__int128)(((uint64_t)(uint32_t)rows->sum_high[i] << 32) | rows->sum_low[i]);
    if (is_signed)
        sum = (int64_t)((uint64_t)sum - part->images * SLUICE_RUNNING_BIAS);
    unsigned __int128 squares = (unsigned __int128)rows->square_high[i] << 32 | rows->square_low[i];
    unsigned __int128 size = (unsigned __int128)(sum < 0 ? -sum : sum);
    long double n = (long double)p->n;
    p->sum = (uint64_t)sum;
    p->mean = (double)((long double)sum / n);
    p->variance = (double)((long double)(squares * p->n - size * size) / (n * n));
    p->max = is_signed ? (uint64_t)(int64_t)(int32_t)rows->max[i] : rows->max[i];
}

static void read_pixel(const struct sluice_running *part, const struct sluice_shape *shape,
                       size_t i, bool is_masked, struct pixel *p)
{
    *p = (struct pixel){.n = is_masked ? 0 : part->images - part->missing[i],
                        .mean = NAN,
                        .variance = NAN,
                        .max_real = NAN};
    /* The no-data value: all bits of an unsigned type, the sign of a signed one. */
    p->max =
        shape->is_signed ? UINT64_C(1) << (8 * sluice_dtype_bytes(shape->dtype) - 1) : UINT64_MAX;
    if (p->n == 0)
        return;
    if (shape->kind == SLUICE_BLOCK_SMALL) {
        read_small(part, shape->is_signed, i, p);
        return;
    }
    p->mean = (double)part->mean[i];
    p->variance = (double)(part->spread[i] / (long double)p->n);
    if (shape->kind == SLUICE_BLOCK_REAL) {
        p->max_real = part->real_max[i];
    } else {
        p->sum = part->wide_sum[i];
        p->max = part->wide_max[i];
    }
}

static void put_max(void *max, enum sluice_dtype dtype, size_t i, const struct pixel *p)
{
    size_t bytes = sluice_dtype_bytes(dtype);
    float narrow = (float)p->max_real;
    if (dtype == SLUICE_F32)
        ((float *)max)[i] = narrow;
    else if (dtype == SLUICE_F64)
        ((double *)max)[i] = p->max_real;
    else if (bytes == 1)
        ((uint8_t *)max)[i] = (uint8_t)p->max;
    else if (bytes == 2)
        ((uint16_t *)max)[i] = (uint16_t)p->max;
    else if (bytes == 4)
        ((uint32_t *)max)[i] = (uint32_t)p->max;
    else
        ((uint64_t *)max)[i] = p->max;
}

void sluice_running_read(const struct sluice_running *part, const struct sluice_shape *shape,
                         const uint64_t *masked, uint64_t first, uint64_t count,
                         const struct sluice_running_part *to)
{
    for (size_t k = 0; k < count; k++) {
        size_t i = (size_t)first + k;
        struct pixel p;
        read_pixel(part, shape, i, masked[i / 64] >> (i % 64) & 1, &p);
        if (to->mean)
            to->mean[k] = p.mean;
        if (to->variance)
            to->variance[k] = p.variance;
        if (to->max)
            put_max(to->max, shape->dtype, k, &p);
        if (to->sum)
            ((uint64_t *)to->sum)[k] = p.sum;
        if (to->images)
            to->images[k] = (uint32_t)p.n;
    }
}
