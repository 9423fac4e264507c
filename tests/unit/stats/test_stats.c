/* SPDX-License-Identifier: Apache-2.0
 *
 * Statistics of planes: hand-made cases with known answers, and random planes of every type against
 * a plain pixel-by-pixel reference. Prints its seed; SLUICE_SEED sets it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "readers/stats/stats.h"

static uint64_t seed, state;

static uint64_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* --- a plain reference --------------------------------------------------------------------- */

static bool pixel(const void *pixels, size_t i, enum sluice_dtype dtype, __int128 *whole,
                  double *real)
{
    *real = 0;
    *whole = 0;
    switch (dtype) {
#define INTEGER(NAME, type, no_data)                                                               \
    case NAME:                                                                                     \
        *whole = ((const type *)pixels)[i];                                                        \
        return ((const type *)pixels)[i] != (no_data);
        INTEGER(SLUICE_U8, uint8_t, UINT8_MAX)
        INTEGER(SLUICE_U16, uint16_t, UINT16_MAX)
        INTEGER(SLUICE_U32, uint32_t, UINT32_MAX)
        INTEGER(SLUICE_U64, uint64_t, UINT64_MAX)
        INTEGER(SLUICE_I8, int8_t, INT8_MIN)
        INTEGER(SLUICE_I16, int16_t, INT16_MIN)
        INTEGER(SLUICE_I32, int32_t, INT32_MIN)
        INTEGER(SLUICE_I64, int64_t, INT64_MIN)
    case SLUICE_F32:
        *real = (double)((const float *)pixels)[i];
        return isfinite(*real);
    default:
        *real = ((const double *)pixels)[i];
        return isfinite(*real);
    }
}

struct reference {
    uint64_t valid, zero, above;
    __int128 min, max, sum;
    long double total, mean, spread, sum_x, sum_y;
    double min_float, max_float;
};

static void make_reference(const void *pixels, uint32_t width, uint32_t height,
                           enum sluice_dtype dtype, const uint32_t *mask, int64_t limit,
                           struct reference *r)
{
    memset(r, 0, sizeof(*r));
    bool real = dtype == SLUICE_F32 || dtype == SLUICE_F64;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < (size_t)width * height; i++) {
            __int128 w;
            double d;
            if (!pixel(pixels, i, dtype, &w, &d) || (mask && (mask[i] & 0xFFFF)))
                continue;
            long double v = real ? (long double)d : (long double)w;
            if (pass == 1) {
                r->spread += (v - r->mean) * (v - r->mean);
                continue;
            }
            if (r->valid == 0 || w < r->min)
                r->min = w;
            if (r->valid == 0 || w > r->max)
                r->max = w;
            if (r->valid == 0 || d < r->min_float)
                r->min_float = d;
            if (r->valid == 0 || d > r->max_float)
                r->max_float = d;
            r->valid++;
            r->zero += v == 0;
            r->above += real ? d > (double)limit : w > limit;
            r->sum += w;
            r->total += v;
            r->sum_x += v * (i % width);
            r->sum_y += v * (long double)(i / width);
        }
        if (r->valid)
            r->mean = r->total / (long double)r->valid;
    }
}

static bool near(double ours, long double theirs, long double scale)
{
    return fabsl((long double)ours - theirs) <= 1e-12L * (fabsl(theirs) + scale);
}

static void compare(const void *pixels, uint32_t width, uint32_t height, enum sluice_dtype dtype,
                    const uint32_t *mask, const int64_t *limit)
{
    struct sluice_stats s;
    struct reference r;
    assert_int_equal(sluice_stats_plane(pixels, width, height, dtype, mask, limit, &s), SLUICE_OK);
    make_reference(pixels, width, height, dtype, mask, limit ? *limit : 0, &r);
    assert_int_equal(s.valid, r.valid);
    assert_int_equal(s.invalid, (uint64_t)width * height - r.valid);
    assert_int_equal(s.zero, r.zero);
    assert_int_equal(s.has_saturated, limit != NULL);
    assert_int_equal(s.saturated, limit ? r.above : 0);
    if (r.valid == 0) {
        assert_true(isnan(s.mean) && isnan(s.std) && isnan(s.com_x) && isnan(s.com_y));
        return;
    }
    bool real = dtype == SLUICE_F32 || dtype == SLUICE_F64;
    assert_int_equal(s.is_float, real);
    if (real) {
        assert_true(s.min_float == r.min_float && s.max_float == r.max_float);
        assert_true(near(s.sum_float, r.total, 1e3L * r.valid));
    } else {
        assert_true(s.min == r.min && s.max == r.max && s.sum == r.sum);
    }
    long double std = sqrtl(r.spread / (long double)r.valid);
    assert_true(near(s.mean, r.mean, real ? 1e3L : 0));
    assert_true(near(s.std, std, real ? 1e3L : fabsl(r.mean) * 1e-4L));
    if (real ? r.total == 0 : r.sum == 0) {
        assert_true(isnan(s.com_x) && isnan(s.com_y));
    } else {
        /* Where values cancel out the centre is as good as their sum. */
        long double terms = (long double)r.valid * (real ? 1e4L : 0) * (width + height);
        long double scale = terms / fabsl(r.total) + (long double)(width + height);
        assert_true(near(s.com_x, r.sum_x / r.total, scale));
        assert_true(near(s.com_y, r.sum_y / r.total, scale));
    }
}

static void fill_random(uint8_t *pixels, size_t count, enum sluice_dtype dtype)
{
    size_t bytes = sluice_dtype_bytes(dtype);
    bool small = next_random() % 2;
    for (size_t i = 0; i < count; i++) {
        uint64_t r = next_random();
        if (dtype == SLUICE_F32 || dtype == SLUICE_F64) {
            double v = (double)(int64_t)r / 9.3e18 * 1000;
            v = r % 50 == 0 ? 0 : r % 51 == 0 ? NAN : r % 53 == 0 ? -INFINITY : v;
            float f = (float)v;
            memcpy(pixels + i * bytes, dtype == SLUICE_F32 ? (void *)&f : (void *)&v, bytes);
            continue;
        }
        uint64_t v = small ? r % 5 : r;
        if (r % 31 == 0)
            v = dtype <= SLUICE_U64 ? UINT64_MAX : UINT64_C(1) << (8 * bytes - 1);
        if (r % 37 == 0)
            v = dtype <= SLUICE_U64 ? UINT64_MAX - 1 : (UINT64_C(1) << (8 * bytes - 1)) - 1;
        memcpy(pixels + i * bytes, &v, bytes);
    }
}

static void random_planes_of_every_type_agree_with_a_plain_reference(void **test)
{
    (void)test;
    static const uint32_t widths[] = {1, 2, 7, 255, 256, 257, 511, 1030};
    static const int64_t limits[] = {0, 3, 100, -5, 70000, INT64_MAX, INT64_MIN, 127, 65534};
    uint8_t *pixels = malloc((size_t)1030 * 40 * 8);
    uint32_t *mask = malloc((size_t)1030 * 40 * 4);
    assert_non_null(pixels);
    assert_non_null(mask);
    for (int round = 0; round < 40; round++) {
        for (int dtype = 0; dtype < SLUICE_DTYPE_COUNT; dtype++) {
            uint32_t width = widths[next_random() % 8], height = 1 + next_random() % 40;
            size_t count = (size_t)width * height;
            fill_random(pixels, count, (enum sluice_dtype)dtype);
            for (size_t i = 0; i < count; i++) {
                uint64_t r = next_random();
                mask[i] = r % 9 == 0 ? 1u << (r >> 8) % 32 : 0;
            }
            int64_t limit = limits[next_random() % 9];
            compare(pixels, width, height, (enum sluice_dtype)dtype, NULL, NULL);
            compare(pixels, width, height, (enum sluice_dtype)dtype, mask, &limit);
        }
    }
    free(pixels);
    free(mask);
}

/* --- known answers ------------------------------------------------------------------------- */

static void a_small_plane_gives_the_numbers_done_by_hand(void **test)
{
    (void)test;
    const uint16_t p[2][3] = {{0, 4, UINT16_MAX}, {2, 0, 10}};
    const int64_t limit = 4;
    struct sluice_stats s;
    assert_int_equal(sluice_stats_plane(p, 3, 2, SLUICE_U16, NULL, &limit, &s), SLUICE_OK);
    assert_int_equal(s.valid, 5);
    assert_int_equal(s.invalid, 1);
    assert_int_equal(s.zero, 2);
    assert_int_equal(s.saturated, 1); /* 10 and not 4: strictly above */
    assert_true(s.min == 0 && s.max == 10 && s.sum == 16);
    assert_true(s.mean == 3.2 && fabs(s.std - sqrt(13.76)) < 1e-15);
    assert_true(s.com_x == (4 * 1 + 10 * 2) / 16.0 && s.com_y == 12 / 16.0);
}

static void only_the_low_16_mask_bits_make_a_pixel_invalid(void **test)
{
    (void)test;
    const uint8_t p[4] = {1, 2, 3, 4};
    const uint32_t mask[4] = {1u << 31, 1u << 16, 1u << 15, 1};
    struct sluice_stats s;
    assert_int_equal(sluice_stats_plane(p, 2, 2, SLUICE_U8, mask, NULL, &s), SLUICE_OK);
    assert_int_equal(s.valid, 2);
    assert_true(s.sum == 3);
    assert_false(s.has_saturated);
}

static void a_plane_without_a_valid_pixel_has_no_values(void **test)
{
    (void)test;
    uint64_t p[6];
    uint32_t mask[6];
    memset(p, 0xFF, sizeof(p));
    memset(mask, 0xFF, sizeof(mask));
    struct sluice_stats s;
    for (int dtype = 0; dtype < SLUICE_DTYPE_COUNT; dtype++) {
        const int64_t limit = 1;
        assert_int_equal(sluice_stats_plane(p, 2, 3, (enum sluice_dtype)dtype, mask, &limit, &s),
                         SLUICE_OK);
        assert_int_equal(s.valid, 0);
        assert_int_equal(s.invalid, 6);
        assert_int_equal(s.saturated, 0);
        assert_true(isnan(s.mean) && isnan(s.std) && isnan(s.com_x));
    }
}

static void negative_sums_and_a_sum_of_zero_are_right(void **test)
{
    (void)test;
    const int32_t p[4] = {-5, 1, INT32_MIN, -INT32_MAX};
    struct sluice_stats s;
    assert_int_equal(sluice_stats_plane(p, 4, 1, SLUICE_I32, NULL, NULL, &s), SLUICE_OK);
    assert_true(s.valid == 3 && s.sum == -4 - (__int128)INT32_MAX && s.min == -INT32_MAX);
    const int8_t q[3] = {-3, 0, 3};
    assert_int_equal(sluice_stats_plane(q, 3, 1, SLUICE_I8, NULL, NULL, &s), SLUICE_OK);
    assert_true(s.sum == 0 && s.mean == 0 && isnan(s.com_x) && isnan(s.com_y));
    assert_true(fabs(s.std - sqrt(6)) < 1e-15);
}

static void huge_64_bit_values_stay_exact(void **test)
{
    (void)test;
    const uint64_t p[2] = {UINT64_MAX - 1, UINT64_MAX - 3};
    struct sluice_stats s;
    assert_int_equal(sluice_stats_plane(p, 2, 1, SLUICE_U64, NULL, NULL, &s), SLUICE_OK);
    assert_true(s.sum == (__int128)UINT64_MAX * 2 - 4);
    assert_true(s.std == 1); /* lost in any double arithmetic on the values */
    const int64_t q[2] = {INT64_MAX, -INT64_MAX}, limit = INT64_MAX - 1;
    assert_int_equal(sluice_stats_plane(q, 2, 1, SLUICE_I64, NULL, &limit, &s), SLUICE_OK);
    assert_true(s.sum == 0 && s.mean == 0 && s.std == (double)INT64_MAX && s.saturated == 1);
}

static void the_largest_32_bit_values_over_many_pixels_do_not_overflow(void **test)
{
    (void)test;
    uint32_t width = 4096, height = 64;
    size_t count = (size_t)width * height;
    uint32_t *p = malloc(count * sizeof(*p));
    assert_non_null(p);
    for (size_t i = 0; i < count; i++)
        p[i] = UINT32_MAX - 1 - (uint32_t)(i % 2);
    struct sluice_stats s;
    assert_int_equal(sluice_stats_plane(p, width, height, SLUICE_U32, NULL, NULL, &s), SLUICE_OK);
    assert_true(s.sum == (__int128)count * (UINT32_MAX - 1) - (__int128)count / 2);
    assert_true(s.std == 0.5);
    free(p);
}

static void floats_keep_what_plain_sums_would_lose(void **test)
{
    (void)test;
    const double p[4] = {1e18, 1, -1e18, 1};
    struct sluice_stats s;
    assert_int_equal(sluice_stats_plane(p, 4, 1, SLUICE_F64, NULL, NULL, &s), SLUICE_OK);
    assert_true(s.sum_float == 2 && s.mean == 0.5);
    const float q[5] = {NAN, INFINITY, -INFINITY, -0.0f, 2.5f};
    assert_int_equal(sluice_stats_plane(q, 5, 1, SLUICE_F32, NULL, NULL, &s), SLUICE_OK);
    assert_true(s.valid == 2 && s.invalid == 3 && s.zero == 1 && s.max_float == 2.5);
}

static void unknown_types_and_absurd_planes_are_refused(void **test)
{
    (void)test;
    const uint8_t p[1] = {0};
    struct sluice_stats s;
    assert_int_equal(sluice_stats_plane(p, 1, 1, SLUICE_DTYPE_COUNT, NULL, NULL, &s),
                     SLUICE_UNSUPPORTED);
    assert_int_equal(sluice_stats_plane(p, UINT32_MAX, UINT32_MAX, SLUICE_U8, NULL, NULL, &s),
                     SLUICE_LIMIT);
}

int main(void)
{
    const char *given = getenv("SLUICE_SEED");
    seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    state = seed * 2654435761u + 1;
    printf("seed %llu\n", (unsigned long long)seed);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_planes_of_every_type_agree_with_a_plain_reference),
        cmocka_unit_test(a_small_plane_gives_the_numbers_done_by_hand),
        cmocka_unit_test(only_the_low_16_mask_bits_make_a_pixel_invalid),
        cmocka_unit_test(a_plane_without_a_valid_pixel_has_no_values),
        cmocka_unit_test(negative_sums_and_a_sum_of_zero_are_right),
        cmocka_unit_test(huge_64_bit_values_stay_exact),
        cmocka_unit_test(the_largest_32_bit_values_over_many_pixels_do_not_overflow),
        cmocka_unit_test(floats_keep_what_plain_sums_would_lose),
        cmocka_unit_test(unknown_types_and_absurd_planes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
