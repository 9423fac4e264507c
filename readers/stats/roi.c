/* SPDX-License-Identifier: Apache-2.0
 *
 * Sums over rectangles: of each block the rows, or parts of rows, that it shares with each. */
#include <stdlib.h>
#include <string.h>

#include "readers/stats/parts.h"

bool sluice_rois_init(struct sluice_rois *part, const struct sluice_roi *rois, uint32_t count)
{
    part->rois = rois;
    part->count = count;
    part->image = calloc(count, sizeof(*part->image));
    part->series = calloc(count, sizeof(*part->series));
    part->image_real = calloc(count, sizeof(*part->image_real));
    part->series_real = calloc(count, sizeof(*part->series_real));
    return part->image && part->series && part->image_real && part->series_real;
}

void sluice_rois_close(struct sluice_rois *part)
{
    free(part->image);
    free(part->series);
    free(part->image_real);
    free(part->series_real);
    memset(part, 0, sizeof(*part));
}

void sluice_rois_begin(struct sluice_rois *part)
{
    memset(part->image, 0, part->count * sizeof(*part->image));
    memset(part->image_real, 0, part->count * sizeof(*part->image_real));
}

static void add_whole(struct sluice_roi_sum *to, uint32_t pixels, __int128 sum, __int128 max)
{
    if (pixels == 0)
        return;
    to->max = to->pixels == 0 || max > to->max ? max : to->max;
    to->sum += sum;
    to->pixels += pixels;
}

static void add_real(struct sluice_roi_sum *to, struct compensated *sum, double v)
{
    to->max_real = to->pixels == 0 || v > to->max_real ? v : to->max_real;
    to->pixels++;
    compensated_add(sum, v);
}

/* Pixels [begin, end) of the block lie in the region. */
static void add_run(struct sluice_rois *part, uint32_t roi, const struct sluice_kernels *kernels,
                    const struct sluice_block *block, uint32_t begin, uint32_t end)
{
    struct sluice_roi_sum *to = &part->image[roi];
    uint32_t valid = sluice_bits_between(block->valid, begin, end);
    /* Among signed values the 0 of an invalid one could be the largest. */
    if (block->kind == SLUICE_BLOCK_SMALL && (!block->is_signed || valid == end - begin)) {
        uint32_t largest, flip = block->is_signed ? UINT32_C(1) << 31 : 0;
        uint64_t sum;
        kernels->sum_max(block->small + begin, end - begin, block->is_signed, &sum, &largest);
        add_whole(to, valid, block->is_signed ? (__int128)(int64_t)sum : (__int128)sum,
                  block->is_signed ? (__int128)(int32_t)(largest ^ flip) : (__int128)largest);
        return;
    }
    for (uint32_t i = begin; i < end; i++) {
        if (!sluice_bit(block->valid, i))
            continue;
        if (block->kind == SLUICE_BLOCK_REAL)
            add_real(to, &part->image_real[roi], block->real[i]);
        else
            add_whole(to, 1, sluice_block_whole(block, i), sluice_block_whole(block, i));
    }
}

void sluice_rois_add(struct sluice_rois *part, const struct sluice_shape *shape,
                     const struct sluice_kernels *kernels, const struct sluice_block *block)
{
    uint64_t block_end = block->first + block->count;
    uint64_t first_row = block->first / shape->width, last_row = (block_end - 1) / shape->width;
    for (uint32_t r = 0; r < part->count; r++) {
        const struct sluice_roi *roi = &part->rois[r];
        uint64_t y = roi->y > first_row ? roi->y : first_row;
        uint64_t y_end = (uint64_t)roi->y + roi->height;
        for (; y < y_end && y <= last_row; y++) {
            uint64_t begin = y * shape->width + roi->x, end = begin + roi->width;
            begin = begin > block->first ? begin : block->first;
            end = end < block_end ? end : block_end;
            if (begin < end)
                add_run(part, r, kernels, block, (uint32_t)(begin - block->first),
                        (uint32_t)(end - block->first));
        }
    }
}

void sluice_rois_end(struct sluice_rois *part)
{
    for (uint32_t r = 0; r < part->count; r++) {
        struct sluice_roi_sum *image = &part->image[r], *series = &part->series[r];
        image->sum_real = (double)compensated_value(&part->image_real[r]);
        compensated_add(&part->series_real[r], part->image_real[r].sum);
        compensated_add(&part->series_real[r], part->image_real[r].rest);
        series->sum_real = (double)compensated_value(&part->series_real[r]);
        if (image->pixels && (series->pixels == 0 || image->max_real > series->max_real))
            series->max_real = image->max_real;
        if (image->pixels && (series->pixels == 0 || image->max > series->max))
            series->max = image->max;
        series->sum += image->sum;
        series->pixels += image->pixels;
    }
}
