/* SPDX-License-Identifier: Apache-2.0
 *
 * The loop over one integer type, included by integers_types.inc.h once a type (so: no include
 * guard).
 *
 *   PIXEL    the type
 *   LANE     holds a pixel while it is worked on; signed, which is what vector units compare
 *   NO_DATA  never counts
 *   LOWEST   below every valid pixel
 *   HIGHEST  the largest of the type
 *   SUM      holds a segment's sums of values and of place times value
 *   SQUARE   holds one square; the halves of squares (SQUARE_HALF bits each) are summed apart, so
 *            that a segment's sums of them fit it too
 */

TARGET static inline __attribute__((always_inline)) void
NAME(segment)(const PIXEL *p, const uint32_t *mask, uint32_t n, uint32_t first_column, LANE limit,
              struct sluice_totals *t, __int128 *row_sum)
{
    SUM sum = 0, placed = 0;
    SQUARE squares_low = 0, squares_high = 0;
    uint32_t valid = 0, zero = 0, above = 0;
    LANE lowest = HIGHEST, highest = LOWEST;
    for (uint32_t i = 0; i < n; i++) {
        LANE v = p[i];
        bool good = v != NO_DATA;
        if (mask) /* constant after inlining */
            good = good & ((mask[i] & 0xFFFF) == 0);
        LANE low = good ? v : HIGHEST, high = good ? v : LOWEST, w = good ? v : 0;
        valid += good ? 1u : 0u;
        zero += (good & (v == 0)) ? 1u : 0u;
        above += (good & (v > limit)) ? 1u : 0u;
        lowest = low < lowest ? low : lowest;
        highest = high > highest ? high : highest;
        sum += (SUM)w;
        placed += (SUM)w * (SUM)i;
        SQUARE square = (SQUARE)((SQUARE)w * (SQUARE)w);
        squares_low += square & (((SQUARE)1 << SQUARE_HALF) - 1);
        squares_high += square >> SQUARE_HALF;
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
    t->squares += squares_low;
    t->squares += (unsigned __int128)squares_high << SQUARE_HALF;
    *row_sum += sum;
    t->sum_x += (__int128)sum * first_column + placed;
}

TARGET static void NAME(plane)(const PIXEL *pixels, uint32_t width, uint32_t height,
                               const uint32_t *mask, int64_t limit, struct sluice_totals *t)
{
    /* In the lane's range: nothing is above HIGHEST, and every valid pixel is above LOWEST. */
    LANE own = limit >= (int64_t)HIGHEST ? HIGHEST : limit < LOWEST ? LOWEST : (LANE)limit;
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
}

#undef PIXEL
#undef SUM
#undef SQUARE
#undef SQUARE_HALF
#undef LANE
#undef NO_DATA
#undef LOWEST
#undef HIGHEST
#undef NAME
