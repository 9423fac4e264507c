/* SPDX-License-Identifier: Apache-2.0
 *
 * Statistics of payloads.
 *
 * DESIGN. A block of bit planes is taken in pieces of up to 4096 elements. A kernel (planes.h)
 * counts the small values of a piece and marks the hot ones, which are few and are then put
 * together bit by bit. A piece with many hot elements, a block that is no multiple of 512 elements
 * and the last few elements go through pixels: un-transposed in the scratch, masked ones made to
 * hold the no-data value, and through integers.c row by row.
 *
 * Centre of mass: Σ x·v = Σ i·v − width · Σ y·v over the element numbers i, and Σ y·v needs no
 * more of a piece than the sums before each row's first element: of whole words, and of a part of
 * one.
 *
 * Invariant: a piece begins at a multiple of 512 elements of its block, so of 8 of the image. */
#include "readers/stats/payload.h"

#include <stdlib.h>
#include <string.h>

#include "core/codec/planes.h"
#include "core/cpu.h"
#include "readers/stats/integers.h"
#include "readers/stats/planes.h"

/* A hot element costs as much as 16 in pixels: of so many elements one may be. */
#define HOT_SHARE 16
/* After pieces with more, the kernel is not even asked for the next few. */
#define PAUSE_MAX 32

/* An image on its way. */
struct walk {
    const struct sluice_stats_channel *channel;
    struct sluice_histogram_counts *histogram; /* or NULL */
    struct sluice_totals totals;
    size_t element_bytes;
    int64_t limit;
    uint32_t row;     /* that the next element lies in */
    uint64_t row_end; /* number of its last element + 1 */
    uint64_t small[SLUICE_SMALL_VALUES];
    unsigned pause, paused; /* pieces: that are not counted, and that were not already */
    void (*count)(const struct sluice_piece *piece, struct sluice_piece_counts *counts);
};

static void next_row(struct walk *walk)
{
    walk->row++;
    walk->row_end += walk->channel->width;
}

static void note_value(struct sluice_totals *t, int64_t min, int64_t max, uint64_t valid)
{
    if (t->valid == 0 || min < t->min)
        t->min = min;
    if (t->valid == 0 || max > t->max)
        t->max = max;
    t->valid += valid;
}

static void add_to_histogram(struct sluice_histogram_counts *histogram, uint64_t value,
                             uint64_t count)
{
    histogram->bins[value < histogram->bin_count ? value : histogram->bin_count - 1] += count;
}

/* --- pixels ---------------------------------------------------------------------------------- */

static uint64_t mask_word(const uint8_t *bits, size_t first, size_t count)
{
    uint64_t word = 0;

    for (size_t i = 0; i < 8 && 8 * i < count; i++)
        word |= (uint64_t)bits[first / 8 + i] << (8 * i);
    return count < 64 ? word & ((UINT64_C(1) << count) - 1) : word;
}

static void mask_pixels(uint8_t *pixels, size_t element_bytes, const uint8_t *bits, size_t first,
                        size_t count)
{
    for (size_t i = 0; i < count; i += 64) {
        uint64_t word = mask_word(bits, first + i, count - i);

        if (word == UINT64_MAX) {
            memset(pixels + i * element_bytes, 0xff, 64 * element_bytes);
            continue;
        }
        for (; word != 0; word &= word - 1)
            memset(pixels + (i + (size_t)__builtin_ctzll(word)) * element_bytes, 0xff,
                   element_bytes);
    }
}

#define COUNT_VALUES(type, no_data)                                                                \
    for (size_t i = 0; i < count; i++) {                                                           \
        type v = ((const type *)pixels)[i];                                                        \
        if (v != (no_data))                                                                        \
            bins[v < last ? v : last]++;                                                           \
    }

static void histogram_of_unsigned(struct sluice_histogram_counts *histogram, const void *pixels,
                                  size_t count, size_t element_bytes)
{
    uint64_t *bins = histogram->bins;
    const uint32_t last = histogram->bin_count - 1;

    if (element_bytes == 1)
        COUNT_VALUES(uint8_t, UINT8_MAX)
    else if (element_bytes == 2)
        COUNT_VALUES(uint16_t, UINT16_MAX)
    else
        COUNT_VALUES(uint32_t, UINT32_MAX)
}

static void add_row_part(struct walk *walk, const uint8_t *pixels, uint32_t count, uint64_t column)
{
    struct sluice_totals part, *t = &walk->totals;

    sluice_totals_small(pixels, count, 1, walk->channel->dtype, NULL, walk->limit, &part);
    if (part.valid == 0)
        return;
    note_value(t, part.min, part.max, part.valid);
    t->zero += part.zero;
    t->above += part.above;
    t->sum += part.sum;
    t->squares += part.squares;
    t->sum_x += part.sum_x + part.sum * (__int128)column;
    t->sum_y += part.sum * walk->row;
}

/* `pixels` is writable, and aligned to its type. */
static void add_pixels(struct walk *walk, uint8_t *pixels, uint64_t first, size_t count)
{
    if (walk->channel->mask_plane)
        mask_pixels(pixels, walk->element_bytes, walk->channel->mask_plane, first, count);
    if (walk->histogram)
        histogram_of_unsigned(walk->histogram, pixels, count, walk->element_bytes);
    while (count > 0) {
        uint64_t left = walk->row_end - first;
        uint32_t n = count < left ? (uint32_t)count : (uint32_t)left;

        add_row_part(walk, pixels, n, walk->channel->width - left);
        pixels += n * walk->element_bytes;
        first += n;
        count -= n;
        if (n == left)
            next_row(walk);
    }
}

/* --- planes ---------------------------------------------------------------------------------- */

/* An element's value from all its planes. */
static uint32_t value_at(const struct sluice_piece *piece, size_t element_bytes, size_t i)
{
    const uint8_t *at = piece->planes + i / 8;
    uint32_t value = 0, bit = 0;

    for (unsigned b = 0; b < piece->significant; b++, at += piece->stride) {
        bit = *at >> (i % 8) & 1u;
        value |= bit << b;
    }
    if (bit != 0 && piece->significant < 8 * element_bytes) /* extends the sign */
        value |= (element_bytes == 4 ? UINT32_MAX : (1u << 8 * element_bytes) - 1) &
                 ~((1u << piece->significant) - 1);
    return value;
}

/* Hot elements, in ascending order: so rows are found by going on. */
static void add_hot(struct walk *walk, const struct sluice_piece *piece,
                    const struct sluice_piece_counts *counts, uint64_t first)
{
    struct sluice_totals *t = &walk->totals;
    uint64_t row = walk->row, row_end = walk->row_end;

    for (size_t word = 0; word < piece->words; word++) {
        for (uint64_t hot = counts->hot[word]; hot != 0; hot &= hot - 1) {
            size_t i = 64 * word + (size_t)__builtin_ctzll(hot);
            uint64_t v = value_at(piece, walk->element_bytes, i);

            while (first + i >= row_end) {
                row++;
                row_end += walk->channel->width;
            }
            note_value(t, (int64_t)v, (int64_t)v, 1);
            t->above += (int64_t)v > walk->limit;
            t->sum += v;
            t->squares += (unsigned __int128)v * v;
            t->sum_x += (__int128)v * (first + i + walk->channel->width - row_end);
            t->sum_y += (__int128)v * row;
            if (walk->histogram)
                add_to_histogram(walk->histogram, v, 1);
        }
    }
}

/* The sum of the small values among the first `bits` elements of a word. */
static uint64_t sum_before(const struct walk *walk, const struct sluice_piece *piece,
                           const struct sluice_piece_counts *counts, size_t word, unsigned bits)
{
    uint64_t chosen = ~counts->hot[word] & ((UINT64_C(1) << bits) - 1), sum = 0, all = UINT64_MAX;

    for (unsigned b = 0; b < piece->significant; b++)
        all &= sluice_piece_word(piece, b, word);
    chosen &= ~all;
    if (piece->mask)
        chosen &= ~mask_word(piece->mask, 64 * word, 64);
    (void)walk;
    for (unsigned b = 0; b < 4; b++)
        sum += (uint64_t)__builtin_popcountll(sluice_piece_word(piece, b, word) & chosen) << b;
    return sum;
}

/* Σ x·v and Σ y·v of the small values. Leaves the walk at the row behind the piece. */
static void add_places(struct walk *walk, const struct sluice_piece *piece,
                       const struct sluice_piece_counts *counts, uint64_t first)
{
    const uint32_t width = walk->channel->width;
    uint64_t before = 0, numbers = counts->placed, rows = 0, sum = 0;
    const uint32_t first_row = walk->row;

    for (size_t word = 0; word < piece->words; word++)
        sum += counts->sums[word];
    for (size_t word = 0; word < piece->words; word++) {
        uint64_t end = first + 64 * (word + 1);

        while (walk->row_end < end) { /* the elements from row_end on are a row lower */
            rows += sum - before -
                    sum_before(walk, piece, counts, word, (unsigned)(walk->row_end + 64 - end));
            next_row(walk);
        }
        numbers += 64 * word * counts->sums[word];
        before += counts->sums[word];
        if (walk->row_end == end) {
            rows += sum - before;
            next_row(walk);
        }
    }
    __int128 sum_y = (__int128)sum * first_row + rows;
    walk->totals.sum_y += sum_y;
    walk->totals.sum_x += (__int128)sum * first + numbers - sum_y * width;
}

static void skip_rows(struct walk *walk, uint64_t next)
{
    while (walk->row_end <= next)
        next_row(walk);
}

/* False, with nothing counted, when too many are hot. */
static bool add_piece(struct walk *walk, const struct sluice_piece *piece, uint64_t first)
{
    struct sluice_piece_counts counts;

    if (walk->paused < walk->pause) {
        walk->paused++;
        return false;
    }
    walk->paused = 0;
    walk->count(piece, &counts);
    if (counts.hot_count > 64 * piece->words / HOT_SHARE) {
        walk->pause = walk->pause == 0 ? 1 : walk->pause < PAUSE_MAX ? 2 * walk->pause : PAUSE_MAX;
        return false;
    }
    walk->pause = 0;
    if (counts.hot_count > 0)
        add_hot(walk, piece, &counts, first);
    for (size_t v = 0; v < SLUICE_SMALL_VALUES; v++) {
        for (size_t i = 0; i < 8; i++)
            walk->small[v] += counts.small[v][i];
    }
    if (piece->centre)
        add_places(walk, piece, &counts, first);
    else
        skip_rows(walk, first + 64 * piece->words);
    return true;
}

/* What was counted value by value, at the end. */
static void add_small(struct walk *walk)
{
    struct sluice_totals *t = &walk->totals;

    for (uint64_t v = 0; v < SLUICE_SMALL_VALUES; v++) {
        uint64_t count = walk->small[v];

        if (count == 0)
            continue;
        note_value(t, (int64_t)v, (int64_t)v, count);
        t->zero += v == 0 ? count : 0;
        t->above += (int64_t)v > walk->limit ? count : 0;
        t->sum += (__int128)(v * count);
        t->squares += v * v * count;
        if (walk->histogram)
            add_to_histogram(walk->histogram, v, count);
    }
}

/* --- payloads -------------------------------------------------------------------------------- */

void sluice_stats_scratch_close(struct sluice_stats_scratch *scratch)
{
    sluice_codec_scratch_close(&scratch->codec);
    free(scratch->pixels);
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

static bool make_pixels(const struct walk *walk, struct sluice_planes_block *block,
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

static bool add_block_as_pixels(struct walk *walk, struct sluice_planes_block *block, size_t from,
                                struct sluice_stats_scratch *scratch, bool *is_there)
{
    size_t left = block->count - from;

    if (!make_pixels(walk, block, scratch, is_there))
        return false;
    add_pixels(walk, scratch->pixels + from * walk->element_bytes, block->first + from,
               left < SLUICE_PIECE_ELEMENTS ? left : SLUICE_PIECE_ELEMENTS);
    return true;
}

static bool add_block(struct walk *walk, struct sluice_planes_block *block,
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
            if (add_piece(walk, &piece, block->first + from))
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

static enum sluice_status walk_planes(struct walk *walk, struct sluice_span payload,
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
    add_small(walk);
    return status == SLUICE_END ? SLUICE_OK : status;
}

/* Which kernel; NULL where pixels are the way. */
static void (*kernel_for(const struct sluice_stats_channel *channel,
                         enum sluice_encoding encoding))(const struct sluice_piece *,
                                                         struct sluice_piece_counts *)
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
    struct walk walk = {.channel = channel,
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
    struct sluice_histogram_counts of_survey;
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
