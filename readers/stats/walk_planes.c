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

/* The bits of element i in eight planes from `first` on; those that are not there repeat the last.
 * A byte of each is put together to a word, of which the element's bits are gathered to the top. */
static inline uint64_t eight_bits(const struct sluice_piece *piece, unsigned first, size_t i)
{
    const unsigned last = piece->significant - 1;
    const uint8_t *at = piece->planes + i / 8;
    uint64_t bytes = 0;

#pragma GCC unroll 8
    for (unsigned b = 0; b < 8; b++)
        bytes |= (uint64_t)at[(first + b < last ? first + b : last) * piece->stride] << 8 * b;
    return ((bytes >> i % 8 & UINT64_C(0x0101010101010101)) * UINT64_C(0x0102040810204080)) >> 56;
}

/* An element's value from all its planes: above the last, its sign. */
static inline uint64_t value_at(const struct sluice_piece *piece, size_t element_bytes, size_t i)
{
    const unsigned bits = 8 * (unsigned)element_bytes;
    uint64_t value = eight_bits(piece, 0, i);
    unsigned known = 8;

    for (; known < piece->significant; known += 8)
        value |= eight_bits(piece, known, i) << known;
    if (value >> (piece->significant - 1) & 1)
        value |= UINT64_MAX << known;
    return value & UINT64_MAX >> (64 - bits);
}

/* What hot elements of a piece add up to; they are at most 4096 of up to 32 bits. */
struct hot_totals {
    uint64_t min, max, above, sum;
    unsigned __int128 squares;
};

/* Value times x, and times y. In ascending order: so rows are found by going on. */
struct hot_places {
    uint64_t row, row_end;
    unsigned __int128 x, y;
};

static inline void add_place(struct hot_places *places, uint32_t width, uint64_t number, uint64_t v)
{
    while (number >= places->row_end) {
        places->row++;
        places->row_end += width;
    }
    places->x += (unsigned __int128)v * (number + width - places->row_end);
    places->y += (unsigned __int128)v * places->row;
}

static void add_hot(struct sluice_walk *walk, const struct sluice_piece *piece,
                    const struct sluice_piece_counts *counts, uint64_t first)
{
    struct sluice_totals *t = &walk->totals;
    struct hot_totals hot = {.min = UINT64_MAX};
    struct hot_places places = {.row = walk->row, .row_end = walk->row_end};

    for (uint64_t words = counts->hot_words; words != 0; words &= words - 1) {
        const size_t word = (size_t)__builtin_ctzll(words);

        for (uint64_t bits = counts->hot[word]; bits != 0; bits &= bits - 1) {
            const size_t i = 64 * word + (size_t)__builtin_ctzll(bits);
            const uint64_t v = value_at(piece, walk->element_bytes, i);

            hot.min = v < hot.min ? v : hot.min;
            hot.max = v > hot.max ? v : hot.max;
            hot.above += (int64_t)v > walk->limit;
            hot.sum += v;
            hot.squares += (unsigned __int128)v * v;
            if (piece->centre)
                add_place(&places, walk->channel->width, first + i, v);
            if (walk->histogram)
                sluice_walk_bin(walk->histogram, v, 1);
        }
    }
    sluice_walk_note(t, (int64_t)hot.min, (int64_t)hot.max, counts->hot_count);
    t->above += hot.above;
    t->sum += hot.sum;
    t->squares += hot.squares;
    t->sum_x += (__int128)places.x;
    t->sum_y += (__int128)places.y;
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

bool sluice_walk_piece(struct sluice_walk *walk, struct sluice_piece *piece, uint64_t first)
{
    struct sluice_piece_counts counts;

    if (walk->paused < walk->pause) {
        walk->paused++;
        return false;
    }
    walk->paused = 0;
    piece->hot_max = 64 * piece->words / (walk->histogram ? HOT_SHARE_HISTOGRAM : HOT_SHARE);
    walk->count(piece, &counts, walk->small);
    if (counts.hot_count > piece->hot_max) {
        walk->pause = walk->pause == 0 ? 1 : walk->pause < PAUSE_MAX ? 2 * walk->pause : PAUSE_MAX;
        return false;
    }
    walk->pause = 0;
    if (counts.hot_count > 0)
        add_hot(walk, piece, &counts, first);
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
        uint64_t count = 0;

        for (size_t i = 0; i < 8; i++)
            count += walk->small[v][i];
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
