/* SPDX-License-Identifier: Apache-2.0
 *
 * Bit planes, 512 elements at a time. Of the four low planes of small values the elements in which
 * all planes of a set are 1 are counted, set by set; how many have a value, that is these planes
 * and no others, comes from differences of these counts, once a piece.
 *
 * For the centre of mass each byte's (8 elements') sum of values and sum of value times place in
 * the byte come from byte populations and a table of nibbles; sums of absolute differences with 0
 * add bytes to words. */
#include "readers/stats/planes.h"

#include "core/cpu.h"

#ifdef SLUICE_CPU_X86
#include <immintrin.h>

#define KERNEL static inline __attribute__((always_inline)) SLUICE_TARGET_AVX512

/* What 512 elements are: planes of the small values, and what is not one. */
struct column {
    __m512i low[4]; /* 0 where hot, masked or without data */
    __m512i small;  /* elements with a small value */
    __m512i hot;
};

/* What is looked at without asking how many planes there are; those that are not repeat the last.
 */
#define ALWAYS 8

/* Truth tables of vpternlogq. */
#define ANY_OF_3     0xfe /* a | b | c */
#define ALL_OF_3     0x80 /* a & b & c */
#define ONLY_FIRST   0x10 /* a & ~b & ~c */
#define NONE_OF_3    0x01 /* ~(a | b | c) */
#define TERNARY(...) _mm512_ternarylogic_epi64(__VA_ARGS__)

KERNEL void look(const struct sluice_piece *piece, const size_t offsets[ALWAYS], size_t at,
                 struct column *column)
{
    const uint8_t *from = piece->planes + at;
    __m512i plane[ALWAYS], all, any, masked = _mm512_setzero_si512();

#pragma GCC unroll 8
    for (int i = 0; i < ALWAYS; i++)
        plane[i] = _mm512_loadu_si512(from + offsets[i]);
    any = _mm512_or_si512(TERNARY(plane[4], plane[5], plane[6], ANY_OF_3), plane[7]);
    all = TERNARY(TERNARY(plane[0], plane[1], plane[2], ALL_OF_3),
                  TERNARY(plane[3], plane[4], plane[5], ALL_OF_3),
                  _mm512_and_si512(plane[6], plane[7]), ALL_OF_3);
    for (unsigned i = ALWAYS; i < piece->significant; i++) {
        __m512i next = _mm512_loadu_si512(from + i * piece->stride);

        any = _mm512_or_si512(any, next);
        all = _mm512_and_si512(all, next);
    }
    if (piece->mask)
        masked = _mm512_loadu_si512(piece->mask + at);
    column->hot = TERNARY(any, all, masked, ONLY_FIRST);
    column->small = TERNARY(any, all, masked, NONE_OF_3);
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        column->low[i] = _mm512_and_si512(plane[i], column->small);
}

KERNEL __m512i more(__m512i count, __m512i elements)
{
    return _mm512_add_epi64(count, _mm512_popcnt_epi64(elements));
}

/* Adds to sets[s] the elements in which all planes i with bit i of s are 1 (0: all small ones). */
KERNEL void count_sets(const struct column *column, __m512i sets[SLUICE_SMALL_VALUES])
{
    __m512i all[SLUICE_SMALL_VALUES];

    all[0] = column->small;
#pragma GCC unroll 4
    for (int plane = 0; plane < 4; plane++) {
        const int bit = 1 << plane;

        all[bit] = column->low[plane];
#pragma GCC unroll 8
        for (int below = 1; below < bit; below++)
            all[bit + below] = _mm512_and_si512(all[below], column->low[plane]);
    }
#pragma GCC unroll 16
    for (int i = 0; i < SLUICE_SMALL_VALUES; i++)
        sets[i] = more(sets[i], all[i]);
}

/* From counts of sets to counts of values. */
KERNEL void values_of_sets(__m512i counts[SLUICE_SMALL_VALUES])
{
#pragma GCC unroll 4
    for (int plane = 0; plane < 4; plane++) {
        const int bit = 1 << plane;

#pragma GCC unroll 16
        for (int i = 0; i < SLUICE_SMALL_VALUES; i++)
            if ((i & bit) == 0)
                counts[i] = _mm512_sub_epi64(counts[i], counts[i + bit]);
    }
}

/* The sum over the bits of each byte of their number (0 to 7): at most 28. */
KERNEL __m512i bit_numbers(__m512i bytes)
{
    const __m512i nibble = _mm512_set1_epi8(15);
    const __m512i low =
        _mm512_broadcast_i32x4(_mm_setr_epi8(0, 0, 1, 1, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 6));
    const __m512i high = _mm512_broadcast_i32x4(
        _mm_setr_epi8(0, 4, 5, 9, 6, 10, 11, 15, 7, 11, 12, 16, 13, 17, 18, 22));

    return _mm512_add_epi8(
        _mm512_shuffle_epi8(low, _mm512_and_si512(bytes, nibble)),
        _mm512_shuffle_epi8(high, _mm512_and_si512(_mm512_srli_epi16(bytes, 4), nibble)));
}

KERNEL __m512i twice(__m512i bytes)
{
    return _mm512_add_epi8(bytes, bytes);
}

/* Sums of a word's values to `sums`; adds to *placed (in eight parts) value times place. */
KERNEL void sum_places(const struct column *column, uint64_t *sums, __m512i *placed)
{
    const __m512i zero = _mm512_setzero_si512();
    const __m512i byte_numbers = _mm512_set1_epi64(0x0706050403020100);
    const __m512i *low = column->low;
    /* of 8 elements: values up to 8 * 15, and value times bit number in two halves: 3 * 28 */
    __m512i values = _mm512_add_epi8(
        _mm512_add_epi8(_mm512_popcnt_epi8(low[0]), twice(_mm512_popcnt_epi8(low[1]))),
        _mm512_slli_epi16(
            _mm512_add_epi8(_mm512_popcnt_epi8(low[2]), twice(_mm512_popcnt_epi8(low[3]))), 2));
    __m512i bits_low = _mm512_add_epi8(bit_numbers(low[0]), twice(bit_numbers(low[1])));
    __m512i bits_high = _mm512_add_epi8(bit_numbers(low[2]), twice(bit_numbers(low[3])));
    __m512i in_word = _mm512_madd_epi16(_mm512_maddubs_epi16(values, byte_numbers),
                                        _mm512_set1_epi16(8)); /* 8 * byte * value */

    _mm512_storeu_si512(sums, _mm512_sad_epu8(values, zero));
    in_word = _mm512_add_epi64(_mm512_and_si512(in_word, _mm512_set1_epi64(0xffffffff)),
                               _mm512_srli_epi64(in_word, 32));
    in_word = _mm512_add_epi64(in_word, _mm512_sad_epu8(bits_low, zero));
    in_word = _mm512_add_epi64(in_word, _mm512_slli_epi64(_mm512_sad_epu8(bits_high, zero), 2));
    *placed = _mm512_add_epi64(*placed, in_word);
}

KERNEL void count(const struct sluice_piece *piece, struct sluice_piece_counts *counts,
                  uint64_t totals[SLUICE_SMALL_VALUES][8], bool centre)
{
    __m512i small[SLUICE_SMALL_VALUES], hot = _mm512_setzero_si512(), placed = hot;
    struct column column;
    size_t offsets[ALWAYS];
    uint64_t hot_words = 0;

    for (unsigned i = 0; i < ALWAYS; i++)
        offsets[i] = (i < piece->significant ? i : piece->significant - 1) * piece->stride;
#pragma GCC unroll 16
    for (int i = 0; i < SLUICE_SMALL_VALUES; i++)
        small[i] = hot;
    for (size_t word = 0; word < piece->words; word += 8) {
        look(piece, offsets, word * 8, &column);
        count_sets(&column, small);
        _mm512_storeu_si512(counts->hot + word, column.hot);
        hot_words |= (uint64_t)_mm512_test_epi64_mask(column.hot, column.hot) << word;
        hot = more(hot, column.hot);
        if (centre)
            sum_places(&column, counts->sums + word, &placed);
    }
    counts->hot_words = hot_words;
    counts->hot_count = (uint64_t)_mm512_reduce_add_epi64(hot);
    if (centre)
        counts->placed = (uint64_t)_mm512_reduce_add_epi64(placed);
    if (counts->hot_count > piece->hot_max)
        return;
    values_of_sets(small);
#pragma GCC unroll 16
    for (int i = 0; i < SLUICE_SMALL_VALUES; i++)
        _mm512_storeu_si512(totals[i], _mm512_add_epi64(small[i], _mm512_loadu_si512(totals[i])));
}

SLUICE_TARGET_AVX512 void sluice_piece_count_avx512(const struct sluice_piece *piece,
                                                    struct sluice_piece_counts *counts,
                                                    uint64_t small[SLUICE_SMALL_VALUES][8])
{
    if (piece->centre)
        count(piece, counts, small, true);
    else
        count(piece, counts, small, false);
}

#endif
