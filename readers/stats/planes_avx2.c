/* SPDX-License-Identifier: Apache-2.0
 *
 * Bit planes, 64 elements at a time, with the population instruction of the AVX2 level (which has
 * no such one for vectors: a table of nibbles was no quicker). */
#include "readers/stats/planes.h"

#include <string.h>

#include "core/cpu.h"

uint64_t sluice_piece_word(const struct sluice_piece *piece, unsigned plane, size_t at)
{
    unsigned last = piece->significant - 1;
    uint64_t word = 0;
    const uint8_t *from =
        piece->planes + (plane < last ? plane : last) * piece->stride + at * sizeof word;

    for (int i = 0; i < 8; i++)
        word |= (uint64_t)from[i] << (8 * i);
    return word;
}

#ifdef SLUICE_CPU_X86
#define KERNEL static inline __attribute__((always_inline)) SLUICE_TARGET_AVX2

KERNEL uint64_t load(const uint8_t *from)
{
    uint64_t word;

    memcpy(&word, from, sizeof word);
    return word;
}

KERNEL uint64_t population(uint64_t word)
{
    return (uint64_t)__builtin_popcountll(word);
}

/* Value times place of a word's values: each bit of the place selects elements. */
KERNEL uint64_t places(const uint64_t low[4])
{
    static const uint64_t bits[6] = {UINT64_C(0xaaaaaaaaaaaaaaaa), UINT64_C(0xcccccccccccccccc),
                                     UINT64_C(0xf0f0f0f0f0f0f0f0), UINT64_C(0xff00ff00ff00ff00),
                                     UINT64_C(0xffff0000ffff0000), UINT64_C(0xffffffff00000000)};
    uint64_t sum = 0;

#pragma GCC unroll 6
    for (int bit = 0; bit < 6; bit++) {
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++)
            sum += population(low[i] & bits[bit]) << (bit + i);
    }
    return sum;
}

/* The planes of the small values, 0 where there is none; returns their elements. */
KERNEL uint64_t look(const struct sluice_piece *piece, size_t at, uint64_t low[4], uint64_t *hot)
{
    unsigned last = piece->significant - 1;
    uint64_t all, any, small;

    for (unsigned i = 0; i < 4; i++)
        low[i] = load(piece->planes + (i < last ? i : last) * piece->stride + at);
    any = load(piece->planes + (4 < last ? 4 : last) * piece->stride + at);
    all = low[0] & low[1] & low[2] & low[3] & any;
    for (unsigned i = 5; i < piece->significant; i++) {
        uint64_t next = load(piece->planes + i * piece->stride + at);

        any |= next;
        all &= next;
    }
    if (piece->mask)
        all |= load(piece->mask + at);
    *hot = any & ~all;
    small = ~(any | all);
    for (int i = 0; i < 4; i++)
        low[i] &= small;
    return small;
}

SLUICE_TARGET_AVX2 void sluice_piece_count_avx2(const struct sluice_piece *piece,
                                                struct sluice_piece_counts *counts,
                                                uint64_t totals[SLUICE_SMALL_VALUES][8])
{
    uint64_t count[SLUICE_SMALL_VALUES] = {0};

    counts->hot_count = counts->hot_words = counts->placed = 0;
    for (size_t word = 0; word < piece->words; word++) {
        uint64_t low[4], hot, small = look(piece, word * 8, low, &hot);
        const uint64_t a[4] = {small & ~(low[0] | low[1]), low[0] & ~low[1], low[1] & ~low[0],
                               low[0] & low[1]};
        const uint64_t b[4] = {small & ~(low[2] | low[3]), low[2] & ~low[3], low[3] & ~low[2],
                               low[2] & low[3]};

        counts->hot[word] = hot;
        counts->hot_words |= (uint64_t)(hot != 0) << word;
        counts->hot_count += population(hot);
#pragma GCC unroll 8
        for (int i = 0; i < 8; i++)
            count[i] += population(a[i % 4] & b[i / 4]);
        if (low[3] != 0) {
#pragma GCC unroll 8
            for (int i = 8; i < 16; i++)
                count[i] += population(a[i % 4] & b[i / 4]);
        }
        if (!piece->centre)
            continue;
        counts->sums[word] = population(low[0]) + (population(low[1]) << 1) +
                             (population(low[2]) << 2) + (population(low[3]) << 3);
        counts->placed += counts->sums[word] != 0 ? places(low) : 0;
    }
    for (int i = 0; i < SLUICE_SMALL_VALUES && counts->hot_count <= piece->hot_max; i++)
        totals[i][0] += count[i];
}

#endif
