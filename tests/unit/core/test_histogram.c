/* SPDX-License-Identifier: Apache-2.0
 *
 * The histogram against the sorted values themselves. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/histogram.h"

#define COUNT 20000

static struct sluice_histogram a, b, both;

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static int compare(const void *left, const void *right)
{
    int64_t l = *(const int64_t *)left, r = *(const int64_t *)right;

    return (l > r) - (l < r);
}

static void an_empty_histogram_answers_0(void **state)
{
    (void)state;
    sluice_histogram_clear(&a);
    assert_int_equal(sluice_histogram_percentile(&a, 0.5), 0);
    assert_int_equal(a.max, 0);
}

static void small_values_are_exact(void **state)
{
    (void)state;
    sluice_histogram_clear(&a);
    for (int i = 1; i <= 100; i++)
        sluice_histogram_record(&a, i);
    assert_int_equal(sluice_histogram_percentile(&a, 0), 1);
    assert_int_equal(sluice_histogram_percentile(&a, 0.5), 50);
    assert_int_equal(sluice_histogram_percentile(&a, 1), 100);
    assert_int_equal(a.count, 100);
    assert_true(a.sum == 5050);
}

static void negative_values_count_as_0(void **state)
{
    (void)state;
    sluice_histogram_clear(&a);
    sluice_histogram_record(&a, -5);
    sluice_histogram_record(&a, INT64_MIN);
    assert_int_equal(a.count, 2);
    assert_int_equal(a.buckets[0], 2);
    assert_int_equal(a.max, 0);
}

static void the_largest_value_fits_and_is_kept_exactly(void **state)
{
    (void)state;
    sluice_histogram_clear(&a);
    sluice_histogram_record(&a, INT64_MAX);
    assert_int_equal(a.max, INT64_MAX);
    assert_int_equal(sluice_histogram_percentile(&a, 0.5), INT64_MAX);
    sluice_histogram_record(&a, INT64_MAX - 1);
    assert_int_equal(sluice_histogram_percentile(&a, 1), INT64_MAX);
}

static void percentiles_are_right_to_one_part_in_64(void **state)
{
    static int64_t values[COUNT];
    static const double fractions[] = {0, 0.01, 0.1, 0.25, 0.5, 0.9, 0.99, 0.999, 1};
    uint64_t seed = 20261122;

    (void)state;
    printf("seed %llu\n", (unsigned long long)seed);
    for (int round = 0; round < 20; round++) {
        sluice_histogram_clear(&a);
        for (size_t i = 0; i < COUNT; i++) { /* every magnitude equally often */
            values[i] = (int64_t)(next_random(&seed) >> (1 + next_random(&seed) % 62));
            sluice_histogram_record(&a, values[i]);
        }
        qsort(values, COUNT, sizeof values[0], compare);
        assert_int_equal(a.max, values[COUNT - 1]);
        for (size_t f = 0; f < sizeof fractions / sizeof fractions[0]; f++) {
            size_t rank = (size_t)ceil(fractions[f] * COUNT);
            uint64_t truth = (uint64_t)values[rank > 0 ? rank - 1 : 0];
            uint64_t got = sluice_histogram_percentile(&a, fractions[f]);

            assert_true(got >= truth);
            assert_true(got - truth <= truth / 64);
        }
    }
}

static void merging_equals_recording_all_in_one(void **state)
{
    uint64_t seed = 4711;

    (void)state;
    sluice_histogram_clear(&a);
    sluice_histogram_clear(&b);
    sluice_histogram_clear(&both);
    for (int i = 0; i < 1000; i++) {
        int64_t value = (int64_t)(next_random(&seed) % 1000000);

        sluice_histogram_record(i % 3 ? &a : &b, value);
        sluice_histogram_record(&both, value);
    }
    sluice_histogram_merge(&a, &b);
    assert_memory_equal(a.buckets, both.buckets, sizeof a.buckets);
    assert_int_equal(a.count, both.count);
    assert_int_equal(a.max, both.max);
    assert_true(a.sum == both.sum);
}

static void full_buckets_do_not_wrap(void **state)
{
    (void)state;
    sluice_histogram_clear(&a);
    sluice_histogram_clear(&b);
    a.buckets[5] = UINT32_MAX - 1;
    a.count = UINT32_MAX - 1;
    a.max = 5;
    b.buckets[5] = 10;
    b.count = 10;
    b.max = 5;
    sluice_histogram_merge(&a, &b);
    assert_int_equal(a.buckets[5], UINT32_MAX);
    sluice_histogram_record(&a, 5);
    assert_int_equal(a.buckets[5], UINT32_MAX);
    assert_int_equal(sluice_histogram_percentile(&a, 1), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_histogram_answers_0),
        cmocka_unit_test(small_values_are_exact),
        cmocka_unit_test(negative_values_count_as_0),
        cmocka_unit_test(the_largest_value_fits_and_is_kept_exactly),
        cmocka_unit_test(percentiles_are_right_to_one_part_in_64),
        cmocka_unit_test(merging_equals_recording_all_in_one),
        cmocka_unit_test(full_buckets_do_not_wrap),
    };

    return cmocka_run_group_tests_name("core: histogram", tests, NULL, NULL);
}
