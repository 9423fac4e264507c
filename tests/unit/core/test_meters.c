/* SPDX-License-Identifier: Apache-2.0
 *
 * Histograms that run along: every value in the bucket of the smallest bound that it does not
 * exceed, counts and sums that agree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/meters.h"

static void a_value_counts_at_every_bound_that_it_does_not_exceed(void **state)
{
    struct sluice_counters *counters;
    struct sluice_error error = {0};
    struct sluice_meter_values values;
    (void)state;
    for (unsigned bound = 0; bound < SLUICE_METER_BOUNDS; bound++) {
        for (int64_t off = -1; off <= 1; off++) {
            const int64_t ns = (int64_t)sluice_meter_bound_ns(bound) + off;
            assert_int_equal(sluice_counters_create(NULL, &counters, &error), SLUICE_OK);
            sluice_meter_record(counters, SLUICE_METER_FLUSH, ns);
            sluice_meter_read(counters, SLUICE_METER_FLUSH, &values);
            for (unsigned i = 0; i < SLUICE_METER_BOUNDS; i++)
                assert_int_equal(values.at_most[i], ns <= (int64_t)sluice_meter_bound_ns(i));
            assert_int_equal(values.count, 1);
            assert_int_equal(values.sum_ns, ns);
            sluice_counters_destroy(counters);
        }
    }
}

static void extremes_and_many_values_are_counted(void **state)
{
    struct sluice_counters *counters;
    struct sluice_error error = {0};
    struct sluice_meter_values values;
    (void)state;
    assert_int_equal(sluice_counters_create(NULL, &counters, &error), SLUICE_OK);
    sluice_meter_record(counters, SLUICE_METER_LATENCY, -5);
    sluice_meter_record(counters, SLUICE_METER_LATENCY, 0);
    sluice_meter_record(counters, SLUICE_METER_LATENCY, INT64_C(1) << 40);
    sluice_meter_read(counters, SLUICE_METER_LATENCY, &values);
    assert_int_equal(values.at_most[0], 2);
    assert_int_equal(values.at_most[SLUICE_METER_BOUNDS - 1], 2);
    assert_int_equal(values.count, 3);
    assert_int_equal(values.sum_ns, INT64_C(1) << 40);
    sluice_meter_read(counters, SLUICE_METER_CHUNK_WRITE, &values); /* the others are others */
    assert_int_equal(values.count, 0);
    sluice_meter_record(NULL, SLUICE_METER_FLUSH, 1);
    sluice_meter_read(NULL, SLUICE_METER_FLUSH, &values);
    assert_int_equal(values.count, 0);
    sluice_counters_destroy(counters);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_counts_at_every_bound_that_it_does_not_exceed),
        cmocka_unit_test(extremes_and_many_values_are_counted),
    };
    return cmocka_run_group_tests_name("meters", tests, NULL, NULL);
}
