/* SPDX-License-Identifier: Apache-2.0
 *
 * Radial profile.
 *
 * DESIGN. The rings cut each row into segments of one bin; their lengths and bins are worked out
 * once, in the order of the pixels, masked pixels as segments of a bin of their own that is never
 * shown. A block's values are summed up once (sums[i]: of the first i), so that a segment is one
 * difference and one addition, however long it is. Differences modulo 2^32 are right as long as no
 * segment's sum leaves 32 bits: blocks with larger values go pixel by pixel.
 * How many pixels a bin has is known from the mask; only those without data are counted again. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "readers/stats/parts.h"

/* --- the segments -------------------------------------------------------------------------- */

struct geometry {
    double x, y, width;
    uint32_t bins;
};

static double distance(const struct geometry *g, uint32_t x, uint32_t y)
{
    double dx = (double)x - g->x, dy = (double)y - g->y;
    return sqrt(dx * dx + dy * dy);
}

static uint32_t bin_of(const struct geometry *g, uint32_t x, uint32_t y)
{
    double bin = floor(distance(g, x, y) / g->width);
    return bin < g->bins ? (uint32_t)bin : g->bins - 1; /* the farthest of a given count */
}

/* The farthest pixel is in a corner. */
static bool settle(struct sluice_survey_settings *s, const struct sluice_shape *shape,
                   struct geometry *g)
{
    *g = (struct geometry){s->centre_x, s->centre_y, 1, 1};
    if (!isfinite(s->centre_x) || !isfinite(s->centre_y) || shape->width == 0 || shape->height == 0)
        return false;
    double farthest = 0;
    for (int corner = 0; corner < 4; corner++)
        farthest = fmax(farthest, distance(g, corner & 1 ? shape->width - 1 : 0,
                                           corner & 2 ? shape->height - 1 : 0));
    if (s->radial_width > 0) {
        double bins = floor(farthest / s->radial_width) + 1;
        if (!(bins <= SLUICE_RADIAL_BINS_MAX))
            return false;
        s->radial_bins = (uint32_t)bins;
    } else {
        if (s->radial_bins == 0 || s->radial_bins > SLUICE_RADIAL_BINS_MAX)
            return false;
        s->radial_width = farthest > 0 ? farthest / s->radial_bins : 1;
    }
    g->width = s->radial_width;
    g->bins = s->radial_bins;
    return isfinite(g->width) && g->width > 0;
}

/* Adds pixels to the last segment or begins one. Segments end where aligned blocks end, so that few
 * are ever cut. False: no memory. */
static bool put_pixel(struct sluice_rings *part, size_t *capacity, uint64_t index, uint32_t bin)
{
    if (part->segment_count) {
        struct sluice_segment *last = &part->segments[part->segment_count - 1];
        if (last->bin == bin && index % SLUICE_BLOCK_PIXELS != 0) {
            last->pixels++;
            return true;
        }
    }
    if (part->segment_count == *capacity) {
        size_t larger = *capacity ? *capacity + *capacity / 2 : 4096;
        void *grown = realloc(part->segments, larger * sizeof(*part->segments));
        if (!grown)
            return false;
        part->segments = grown;
        *capacity = larger;
    }
    part->segments[part->segment_count++] = (struct sluice_segment){1, (uint16_t)bin};
    return true;
}

static bool make_segments(struct sluice_rings *part, const struct geometry *g,
                          const struct sluice_shape *shape, const uint64_t *masked)
{
    size_t capacity = 0;
    uint64_t index = 0;
    for (uint32_t y = 0; y < shape->height; y++) {
        for (uint32_t x = 0; x < shape->width; x++, index++) {
            bool hidden = masked[index / 64] >> (index % 64) & 1;
            uint32_t bin = hidden ? g->bins : bin_of(g, x, y);
            part->unmasked[bin]++;
            if (!put_pixel(part, &capacity, index, bin))
                return false;
        }
    }
    void *fitted = realloc(part->segments, part->segment_count * sizeof(*part->segments));
    part->segments = fitted ? fitted : part->segments;
    return true;
}

enum sluice_status sluice_rings_init(struct sluice_rings *part,
                                     struct sluice_survey_settings *settings,
                                     const struct sluice_shape *shape, const uint64_t *masked)
{
    struct geometry g;
    if (!settle(settings, shape, &g))
        return SLUICE_USAGE;
    size_t cells = (size_t)g.bins + 1;
    part->bins = g.bins;
    part->unmasked = calloc(cells, sizeof(*part->unmasked));
    part->no_data = calloc(cells, sizeof(*part->no_data));
    part->sums = calloc(cells, sizeof(*part->sums));
    part->wide = calloc(cells, sizeof(*part->wide));
    part->real = calloc(cells, sizeof(*part->real));
    part->series_real = calloc(cells, sizeof(*part->series_real));
    part->image = calloc(cells, sizeof(*part->image));
    part->series = calloc(cells, sizeof(*part->series));
    part->prefix = calloc(SLUICE_BLOCK_PIXELS + 64, sizeof(*part->prefix));
    if (!part->unmasked || !part->no_data || !part->sums || !part->wide || !part->real ||
        !part->series_real || !part->image || !part->series || !part->prefix ||
        !make_segments(part, &g, shape, masked))
        return SLUICE_NO_MEMORY;
    return SLUICE_OK;
}

void sluice_rings_close(struct sluice_rings *part)
{
    free(part->segments);
    free(part->unmasked);
    free(part->no_data);
    free(part->sums);
    free(part->wide);
    free(part->real);
    free(part->series_real);
    free(part->image);
    free(part->series);
    free(part->prefix);
    memset(part, 0, sizeof(*part));
}

/* --- images -------------------------------------------------------------------------------- */

void sluice_rings_begin(struct sluice_rings *part)
{
    size_t cells = (size_t)part->bins + 1;
    memset(part->no_data, 0, cells * sizeof(*part->no_data));
    memset(part->sums, 0, cells * sizeof(*part->sums));
    memset(part->wide, 0, cells * sizeof(*part->wide));
    memset(part->real, 0, cells * sizeof(*part->real));
    part->at = 0;
    part->used = 0;
}

/* What is to be done with pixels [begin, end) of the block, which are of one bin. */
static void add_pixels(struct sluice_rings *part, const struct sluice_block *block, uint32_t bin,
                       uint32_t begin, uint32_t end)
{
    for (uint32_t i = begin; i < end; i++) {
        if (block->kind == SLUICE_BLOCK_REAL)
            compensated_add(&part->real[bin], (long double)block->real[i]);
        else
            part->wide[bin] += sluice_block_whole(block, i);
    }
}

static inline void add_difference(struct sluice_rings *part, bool is_signed, uint32_t bin,
                                  uint32_t begin, uint32_t end)
{
    uint32_t sum = part->prefix[end] - part->prefix[begin];
    part->sums[bin] += is_signed ? (uint64_t)(int64_t)(int32_t)sum : (uint64_t)sum;
}

/* The segments that end in the block, by differences. */
static uint32_t add_segments(struct sluice_rings *part, bool is_signed, uint32_t begin,
                             uint32_t count)
{
    const struct sluice_segment *segments = part->segments;
    size_t at = part->at, all = part->segment_count;
    uint32_t end = begin + (at < all ? segments[at].pixels - part->used : 0);
    part->used = at < all && end <= count ? 0 : part->used;
    while (at < all && end <= count) {
        add_difference(part, is_signed, segments[at].bin, begin, end);
        begin = end;
        at++;
        end += at < all ? segments[at].pixels : 0;
    }
    part->at = at;
    return begin;
}

void sluice_rings_add(struct sluice_rings *part, const struct sluice_kernels *kernels,
                      const struct sluice_block *block)
{
    bool small = block->kind == SLUICE_BLOCK_SMALL &&
                 (uint64_t)block->magnitude * SLUICE_BLOCK_PIXELS <= INT32_MAX;
    uint32_t begin = 0;
    if (small) {
        kernels->prefix(block->small, block->count, part->prefix);
        if (block->no_data_count == 0)
            begin = add_segments(part, block->is_signed, 0, block->count);
    }
    while (begin < block->count) {
        const struct sluice_segment *segment = &part->segments[part->at];
        uint32_t left = segment->pixels - part->used, room = block->count - begin;
        uint32_t end = begin + (left < room ? left : room);
        if (small)
            add_difference(part, block->is_signed, segment->bin, begin, end);
        else
            add_pixels(part, block, segment->bin, begin, end);
        if (block->no_data_count)
            part->no_data[segment->bin] += sluice_bits_between(block->no_data, begin, end);
        part->used = left <= room ? 0 : part->used + room;
        part->at += left <= room;
        begin = end;
    }
}

void sluice_rings_end(struct sluice_rings *part, const struct sluice_shape *shape)
{
    for (uint32_t b = 0; b < part->bins; b++) {
        struct sluice_radial_bin *image = &part->image[b], *series = &part->series[b];
        image->pixels = part->unmasked[b] - part->no_data[b];
        image->sum = part->wide[b];
        image->sum += shape->is_signed ? (__int128)(int64_t)part->sums[b] : (__int128)part->sums[b];
        image->sum_real = (double)compensated_value(&part->real[b]);
        series->pixels += image->pixels;
        series->sum += image->sum;
        compensated_add(&part->series_real[b], part->real[b].sum);
        compensated_add(&part->series_real[b], part->real[b].rest);
        series->sum_real = (double)compensated_value(&part->series_real[b]);
    }
}
