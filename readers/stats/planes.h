/* SPDX-License-Identifier: Apache-2.0
 *
 * Counting on bit planes: the kernels behind payload.c. Private to the room; re-entrant.
 *
 * A piece is up to 4096 elements of a block. The small values (0 to 15) are counted value by value
 * with populations of four planes; elements with a higher plane set, the hot ones, are only marked.
 * Elements whose bits are all ones (no data) or that are masked enter nothing. */
#ifndef SLUICE_READERS_STATS_PLANES_H
#define SLUICE_READERS_STATS_PLANES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SLUICE_PIECE_ELEMENTS 4096
#define SLUICE_PIECE_WORDS    (SLUICE_PIECE_ELEMENTS / 64)
#define SLUICE_SMALL_VALUES   16

struct sluice_piece {
    const uint8_t *planes; /* plane b at planes + b * stride, from the piece's first element on */
    size_t stride;
    unsigned significant; /* planes; each above equals the last of them */
    const uint8_t *mask;  /* a bit an element, or NULL */
    size_t words;         /* 64 elements each; a multiple of 8, up to SLUICE_PIECE_WORDS */
    bool centre;          /* `sums` and `placed` are wanted */
    uint64_t hot_max;     /* with more hot elements than that, the small values are not wanted */
};

struct sluice_piece_counts {
    uint64_t hot_count, hot_words;    /* bit w: there are hot ones in word w */
    uint64_t hot[SLUICE_PIECE_WORDS]; /* their bits */
    /* Over small values only: */
    uint64_t sums[SLUICE_PIECE_WORDS]; /* of a word's values */
    uint64_t placed;                   /* of value times place in its word (0 to 63) */
};

/* All of `counts` is filled; sums and placed only with `centre`. Adds to `small` the elements of
 * each value, in eight parts. Not at the level SCALAR, where pixels are quicker. */
void sluice_piece_count_avx2(const struct sluice_piece *piece, struct sluice_piece_counts *counts,
                             uint64_t small[SLUICE_SMALL_VALUES][8]);
void sluice_piece_count_avx512(const struct sluice_piece *piece, struct sluice_piece_counts *counts,
                               uint64_t small[SLUICE_SMALL_VALUES][8]);

/* Word `at` of plane b. */
uint64_t sluice_piece_word(const struct sluice_piece *piece, unsigned plane, size_t at);

#endif
