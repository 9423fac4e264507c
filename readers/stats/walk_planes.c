/* SPDX-License-Identifier: Apache-2.0
 *
 * The way without pixels: a kernel (planes.h) counts the small values of a piece and marks the hot
 * ones, which are few and are put together bit by bit.
 *
 * Centre of mass: Σ x·v = Σ i·v − width · Σ y·v over the element numbers i, and Σ y·v needs no
 * more of a piece than the sums before each row's first element: of whole words, and of a part of
 * one. */
#include "readers/stats/walk.h"

/* A hot element costs as much as 32 in pixels, as 16 with a histogram: one of so many may be. */
#define HOT_SHARE           32
#define HOT_SHARE_HISTOGRAM 16
/* After pieces with more, the kernel is not even asked for the next few. */
#define PAUSE_MAX 32

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
static void add_hot(struct sluice_walk *walk, const struct sluice_piece *piece,
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
            sluice_walk_note(t, (int64_t)v, (int64_t)v, 1);
            t->above += (int64_t)v > walk->limit;
            t->sum += v;
            t->squares += (unsigned __int128)v * v;
            t->sum_x += (__int128)v * (first + i + walk->channel->width - row_end);
            t->sum_y += (__int128)v * row;
            if (walk->histogram)
                sluice_walk_bin(walk->histogram, v, 1);
        }
    }
}

/* The sum of the small values among the first `bits` elements of a word. */
static uint64_t sum_before(const struct sluice_piece *piece,
                           const struct sluice_piece_counts *counts, size_t word, unsigned bits)
{
    uint64_t chosen = ~counts->hot[word] & ((UINT64_C(1) << bits) - 1), sum = 0, all = UINT64_MAX;

    for (unsigned b = 0; b < piece->significant; b++)
        all &= sluice_piece_word(piece, b, word);
    chosen &= ~all;
    if (piece->mask)
        chosen &= ~sluice_mask_word(piece->mask, 64 * word, 64);
    for (unsigned b = 0; b < 4; b++)
        sum += (uint64_t)__builtin_popcountll(sluice_piece_word(piece, b, word) & chosen) << b;
    return sum;
}

/* Σ x·v and Σ y·v of the small values. Leaves the walk at the row behind the piece. */
static void add_places(struct sluice_walk *walk, const struct sluice_piece *piece,
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
                    sum_before(piece, counts, word, (unsigned)(walk->row_end + 64 - end));
            sluice_walk_next_row(walk);
        }
        numbers += 64 * word * counts->sums[word];
        before += counts->sums[word];
        if (walk->row_end == end) {
            rows += sum - before;
            sluice_walk_next_row(walk);
        }
    }
    __int128 sum_y = (__int128)sum * first_row + rows;
    walk->totals.sum_y += sum_y;
    walk->totals.sum_x += (__int128)sum * first + numbers - sum_y * width;
}

static void skip_rows(struct sluice_walk *walk, uint64_t next)
{
    while (walk->row_end <= next)
        sluice_walk_next_row(walk);
}

bool sluice_walk_piece(struct sluice_walk *walk, const struct sluice_piece *piece, uint64_t first)
{
    struct sluice_piece_counts counts;

    if (walk->paused < walk->pause) {
        walk->paused++;
        return false;
    }
    walk->paused = 0;
    walk->count(piece, &counts);
    if (counts.hot_count * (walk->histogram ? HOT_SHARE_HISTOGRAM : HOT_SHARE) >
        64 * piece->words) {
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

void sluice_walk_small(struct sluice_walk *walk)
{
    struct sluice_totals *t = &walk->totals;

    for (uint64_t v = 0; v < SLUICE_SMALL_VALUES; v++) {
        uint64_t count = walk->small[v];

        if (count == 0)
            continue;
        sluice_walk_note(t, (int64_t)v, (int64_t)v, count);
        t->zero += v == 0 ? count : 0;
        t->above += (int64_t)v > walk->limit ? count : 0;
        t->sum += (__int128)(v * count);
        t->squares += v * v * count;
        if (walk->histogram)
            sluice_walk_bin(walk->histogram, v, count);
    }
}
