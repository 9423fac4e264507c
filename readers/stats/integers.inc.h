/* SPDX-License-Identifier: Apache-2.0
 *
 * The loop over one integer type, included by integers.c once a type (so: no include guard).
 *
 *   PIXEL    the type           SUM     holds a segment's sums of values and of place × value
 *   NO_DATA  never counts       SQUARE  holds one square; the segment's sum of squares is 64 bits
 *   LOWEST, HIGHEST  the type's range   SPLIT_SQUARES  one square can fill 64 bits: sum its halves
 */

static inline __attribute__((always_inline)) void
NAME(segment)(const PIXEL *p, const uint32_t *mask, uint32_t n, uint32_t first_column, PIXEL limit,
              struct sluice_totals *t, __int128 *row_sum)
{
    SUM sum = 0, placed = 0;
    uint64_t squares = 0;
#ifdef SPLIT_SQUARES
    uint64_t squares_high = 0;
#endif
    uint32_t valid = 0, zero = 0, above = 0;
    PIXEL lowest = HIGHEST, highest = LOWEST;
    for (uint32_t i = 0; i < n; i++) {
        PIXEL v = p[i];
        bool good = v != NO_DATA;
        if (mask) /* constant after inlining */
            good = good & ((mask[i] & 0xFFFF) == 0);
        PIXEL low = good ? v : HIGHEST, high = good ? v : LOWEST, w = good ? v : 0;
        valid += good;
        zero += good & (v == 0);
        above += good & (v > limit);
        lowest = low < lowest ? low : lowest;
        highest = high > highest ? high : highest;
        sum += (SUM)w;
        placed += (SUM)w * (SUM)i;
        SQUARE square = (SQUARE)((SQUARE)w * (SQUARE)w);
#ifdef SPLIT_SQUARES
        squares += square & UINT32_MAX;
        squares_high += square >> 32;
#else
        squares += square;
#endif
    }
    if (valid == 0)
        return;
    if (t->valid == 0 || (int64_t)lowest < t->min)
        t->min = (int64_t)lowest;
    if (t->valid == 0 || (int64_t)highest > t->max)
        t->max = (int64_t)highest;
    t->valid += valid;
    t->zero += zero;
    t->above += above;
    t->squares += squares;
#ifdef SPLIT_SQUARES
    t->squares += (unsigned __int128)squares_high << 32;
#endif
    *row_sum += sum;
    t->sum_x += (__int128)sum * first_column + placed;
}

CLONES static void NAME(plane)(const PIXEL *pixels, uint32_t width, uint32_t height,
                               const uint32_t *mask, int64_t limit, struct sluice_totals *t)
{
    /* In the type's own range: at its top nothing is above; below its bottom everything is. */
    PIXEL own = limit >= (int64_t)HIGHEST ? HIGHEST : limit < LOWEST ? LOWEST : (PIXEL)limit;
    for (uint32_t y = 0; y < height; y++) {
        const PIXEL *row = pixels + (size_t)y * width;
        const uint32_t *row_mask = mask ? mask + (size_t)y * width : NULL;
        __int128 row_sum = 0;
        for (uint32_t x = 0; x < width; x += SEGMENT) {
            uint32_t n = width - x < SEGMENT ? width - x : SEGMENT;
            if (row_mask)
                NAME(segment)(row + x, row_mask + x, n, x, own, t, &row_sum);
            else
                NAME(segment)(row + x, NULL, n, x, own, t, &row_sum);
        }
        t->sum += row_sum;
        t->sum_y += row_sum * y;
    }
    if (limit < LOWEST)
        t->above = t->valid;
}

#undef PIXEL
#undef SUM
#undef SQUARE
#undef SPLIT_SQUARES
#undef NO_DATA
#undef LOWEST
#undef HIGHEST
#undef NAME
