/* SPDX-License-Identifier: Apache-2.0
 *
 * Statistics of payloads.
 *
 * DESIGN. A block of bit planes is taken in pieces of up to 4096 elements, which are counted as
 * they are (walk_planes.c). A piece with many large values, a block that is no multiple of 512
 * elements and the last few elements go through pixels, un-transposed in the scratch
 * (walk_pixels.c).
 *
 * Invariant: a piece begins at a multiple of 512 elements of its block, so of 8 of the image. */
#include "readers/stats/payload.h"

#include <stdlib.h>

#include "core/codec/planes.h"
#include "core/cpu.h"
#include "readers/stats/walk.h"

void sluice_stats_scratch_close(struct sluice_stats_scratch *scratch)
{
    sluice_codec_scratch_close(&scratch->codec);
    free(scratch->pixels);
    free(scratch->tables);
    *scratch = (struct sluice_stats_scratch){0};
}

static bool reserve_pixels(struct sluice_stats_scratch *scratch, size_t bytes)
{
    const size_t page = 4096, rounded = (bytes + page - 1) / page * page;
    uint8_t *pixels;

    if (scratch->pixel_bytes >= bytes && scratch->pixels)
        return true;
    pixels = aligned_alloc(page, rounded > 0 ? rounded : page);
    if (!pixels)
        return false;
    free(scratch->pixels);
    scratch->pixels = pixels;
    scratch->pixel_bytes = rounded;
    return true;
}

static bool make_pixels(const struct sluice_walk *walk, struct sluice_planes_block *block,
                        struct sluice_stats_scratch *scratch, bool *is_there)
{
    if (*is_there)
        return true;
    if (!reserve_pixels(scratch, block->count * walk->element_bytes))
        return false;
    sluice_planes_pixels(block, scratch->pixels);
    *is_there = true;
    return true;
}

static bool add_block_as_pixels(struct sluice_walk *walk, struct sluice_planes_block *block,
                                size_t from, struct sluice_stats_scratch *scratch, bool *is_there)
{
    size_t left = block->count - from;

    if (!make_pixels(walk, block, scratch, is_there) || !sluice_walk_begin_tables(walk, scratch))
        return false;
    sluice_walk_pixels(walk, scratch->pixels + from * walk->element_bytes, block->first + from,
                       left < SLUICE_PIECE_ELEMENTS ? left : SLUICE_PIECE_ELEMENTS);
    return true;
}

static bool add_block(struct sluice_walk *walk, struct sluice_planes_block *block,
                      struct sluice_stats_scratch *scratch)
{
    bool has_pixels = false, by_planes = block->planes && block->count % 512 == 0;

    for (size_t from = 0; from < block->count; from += SLUICE_PIECE_ELEMENTS) {
        size_t left = block->count - from;
        struct sluice_piece piece = {
            .stride = block->plane_bytes,
            .significant = block->significant,
            .words = (left < SLUICE_PIECE_ELEMENTS ? left : SLUICE_PIECE_ELEMENTS) / 64,
            .centre = !walk->channel->without_centre};
        if (by_planes) {
            piece.planes = block->planes + from / 8;
            if (walk->channel->mask_plane)
                piece.mask = walk->channel->mask_plane + (block->first + from) / 8;
            if (sluice_walk_piece(walk, &piece, block->first + from))
                continue;
        }
        if (!add_block_as_pixels(walk, block, from, scratch, &has_pixels))
            return false;
    }
    if (walk->channel->survey) { /* masked pixels may hold the no-data value by now: all the same */
        if (!make_pixels(walk, block, scratch, &has_pixels))
            return false;
        sluice_survey_add(walk->channel->survey, scratch->pixels, block->count);
    }
    return true;
}

static enum sluice_status walk_planes(struct sluice_walk *walk, struct sluice_span payload,
                                      size_t plane_bytes, struct sluice_stats_scratch *scratch)
{
    struct sluice_planes planes;
    struct sluice_planes_block block;
    enum sluice_status status =
        sluice_planes_open(&planes, payload, walk->element_bytes, plane_bytes, &scratch->codec);
    while (status == SLUICE_OK) {
        status = sluice_planes_next(&planes, &block);
        if (status == SLUICE_OK && !add_block(walk, &block, scratch))
            status = SLUICE_NO_MEMORY;
    }
    sluice_walk_small(walk);
    if (walk->tables)
        sluice_walk_tables(walk);
    return status == SLUICE_END ? SLUICE_OK : status;
}

/* Which kernel; NULL where pixels are the way. */
static void (*kernel_for(const struct sluice_stats_channel *channel,
                         enum sluice_encoding encoding))(const struct sluice_piece *,
                                                         struct sluice_piece_counts *,
                                                         uint64_t[SLUICE_SMALL_VALUES][8])
{
    if (encoding != SLUICE_ENCODING_BSLZ4 || (channel->mask && !channel->mask_plane) ||
        (channel->dtype != SLUICE_U8 && channel->dtype != SLUICE_U16 &&
         channel->dtype != SLUICE_U32))
        return NULL;
#ifdef SLUICE_CPU_X86
    switch (sluice_cpu_level()) {
    case SLUICE_CPU_AVX512:
        return sluice_piece_count_avx512;
    case SLUICE_CPU_AVX2:
        return sluice_piece_count_avx2;
    case SLUICE_CPU_SCALAR:
        break;
    }
#endif
    return NULL;
}

static enum sluice_status decode_first(const struct sluice_stats_channel *channel,
                                       enum sluice_encoding encoding, struct sluice_span payload,
                                       size_t plane_bytes, struct sluice_stats_scratch *scratch,
                                       struct sluice_stats *stats,
                                       struct sluice_histogram_counts *histogram)
{
    enum sluice_status status;

    if (!reserve_pixels(scratch, plane_bytes))
        return SLUICE_NO_MEMORY;
    status = sluice_codec_decode(encoding, payload, sluice_dtype_bytes(channel->dtype),
                                 scratch->pixels, plane_bytes, &scratch->codec);
    if (status == SLUICE_OK)
        status = sluice_stats_plane(scratch->pixels, channel->width, channel->height,
                                    channel->dtype, channel->mask, channel->saturation, stats);
    if (status == SLUICE_OK && histogram)
        status = sluice_histogram_plane(histogram, scratch->pixels,
                                        (size_t)channel->width * channel->height, channel->dtype,
                                        channel->mask);
    if (status == SLUICE_OK && channel->survey)
        sluice_survey_add(channel->survey, scratch->pixels,
                          (uint64_t)channel->width * channel->height);
    if (status == SLUICE_OK && channel->without_centre)
        sluice_stats_without_centre(stats);
    return status;
}

enum sluice_status sluice_stats_payload(const struct sluice_stats_channel *channel,
                                        enum sluice_encoding encoding, struct sluice_span payload,
                                        struct sluice_stats_scratch *scratch,
                                        struct sluice_stats *stats,
                                        struct sluice_histogram_counts *histogram)
{
    const uint64_t pixels = (uint64_t)channel->width * channel->height;
    struct sluice_walk walk = {.channel = channel,
                               .histogram = histogram,
                               .element_bytes = sluice_dtype_bytes(channel->dtype),
                               .limit = channel->saturation ? *channel->saturation : INT64_MAX,
                               .row_end = channel->width,
                               .count = kernel_for(channel, encoding)};
    enum sluice_status status;

    if (pixels > SLUICE_STATS_PIXELS_MAX)
        return SLUICE_LIMIT;
    if (!walk.count)
        return decode_first(channel, encoding, payload, pixels * walk.element_bytes, scratch, stats,
                            histogram);
    struct sluice_histogram_counts of_survey = {0};
    if (!histogram && channel->survey &&
        sluice_survey_counts_elsewhere(channel->survey, &of_survey.bins, &of_survey.bin_count))
        walk.histogram = &of_survey;
    status = walk_planes(&walk, payload, pixels * walk.element_bytes, scratch);
    if (status != SLUICE_OK)
        return status;
    sluice_stats_of_totals(&walk.totals, pixels, channel->saturation != NULL, stats);
    if (channel->without_centre)
        sluice_stats_without_centre(stats);
    return SLUICE_OK;
}
