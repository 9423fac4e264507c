/* SPDX-License-Identifier: Apache-2.0
 *
 * Dealing and collecting from one thread: who gets what, fairness, full, failing allocations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ingest/ring/fan.h"

static int allocations_until_failure = -1;

void *__real_aligned_alloc(size_t alignment, size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes)
{
    if (allocations_until_failure >= 0 && allocations_until_failure-- == 0) {
        return NULL;
    }
    return __real_aligned_alloc(alignment, bytes);
}

static uint32_t take_all(struct sluice_fan *fan, uint32_t worker, uint32_t *slots)
{
    uint32_t count = 0;
    while (sluice_fan_take(fan, worker, &slots[count]) == SLUICE_OK) {
        count++;
    }
    return count;
}

static void test_idle_workers_get_work_in_turn(void **state)
{
    (void)state;
    struct sluice_fan fan;
    assert_int_equal(sluice_fan_init(&fan, 3, 8), SLUICE_OK);
    uint32_t slot;
    for (uint32_t i = 0; i < 9; i++) {
        assert_int_equal(sluice_fan_deal(&fan, i), SLUICE_OK);
        assert_int_equal(sluice_fan_take(&fan, i % 3, &slot), SLUICE_OK);
        assert_int_equal(slot, i);
    }
    sluice_fan_close(&fan);
}

static void test_a_worker_that_is_behind_gets_nothing_more(void **state)
{
    (void)state;
    struct sluice_fan fan;
    assert_int_equal(sluice_fan_init(&fan, 3, 8), SLUICE_OK);
    uint32_t slots[16];
    for (uint32_t i = 0; i < 6; i++) {
        assert_int_equal(sluice_fan_deal(&fan, i), SLUICE_OK);
    }
    assert_int_equal(take_all(&fan, 0, slots), 2);
    assert_int_equal(take_all(&fan, 2, slots), 2);
    for (uint32_t i = 6; i < 10; i++) {
        assert_int_equal(sluice_fan_deal(&fan, i), SLUICE_OK);
    }
    assert_int_equal(take_all(&fan, 1, slots), 2); /* its first two, nothing since */
    assert_int_equal(take_all(&fan, 0, slots), 2);
    assert_int_equal(take_all(&fan, 2, slots), 2);
    sluice_fan_close(&fan);
}

static void test_dealing_stops_only_when_every_ring_is_full(void **state)
{
    (void)state;
    struct sluice_fan fan;
    assert_int_equal(sluice_fan_init(&fan, 3, 4), SLUICE_OK);
    for (uint32_t i = 0; i < 12; i++) {
        assert_int_equal(sluice_fan_deal(&fan, i), SLUICE_OK);
    }
    assert_int_equal(sluice_fan_deal(&fan, 99), SLUICE_FULL);
    uint32_t slot;
    assert_int_equal(sluice_fan_take(&fan, 1, &slot), SLUICE_OK);
    assert_int_equal(sluice_fan_deal(&fan, 12), SLUICE_OK);
    assert_int_equal(sluice_fan_deal(&fan, 99), SLUICE_FULL);
    sluice_fan_close(&fan);
}

static void test_dealing_signals_the_worker_that_got_it(void **state)
{
    (void)state;
    struct sluice_fan fan;
    assert_int_equal(sluice_fan_init(&fan, 2, 4), SLUICE_OK);
    uint32_t prepared[2] = {sluice_wake_prepare(&fan.wakes[0]), sluice_wake_prepare(&fan.wakes[1])};
    assert_int_equal(sluice_fan_deal(&fan, 5), SLUICE_OK);
    assert_int_not_equal(sluice_load_relaxed(&fan.wakes[0].word), prepared[0]);
    assert_int_equal(sluice_load_relaxed(&fan.wakes[1].word), prepared[1]);
    sluice_fan_close(&fan);
}

static void test_every_gift_signals_the_one_collector(void **state)
{
    (void)state;
    struct sluice_fan fan;
    assert_int_equal(sluice_fan_init(&fan, 3, 4), SLUICE_OK);
    for (uint32_t worker = 0; worker < 3; worker++) {
        uint32_t prepared = sluice_wake_prepare(&fan.wakes[0]);
        assert_int_equal(sluice_fan_give(&fan, worker, worker), SLUICE_OK);
        assert_int_not_equal(sluice_load_relaxed(&fan.wakes[0].word), prepared);
    }
    sluice_fan_close(&fan);
}

static void test_collecting_keeps_each_workers_order_and_starves_none(void **state)
{
    (void)state;
    struct sluice_fan fan;
    assert_int_equal(sluice_fan_init(&fan, 3, 16), SLUICE_OK);
    for (uint32_t i = 0; i < 16; i++) {
        for (uint32_t worker = 0; worker < 3; worker++) {
            assert_int_equal(sluice_fan_give(&fan, worker, worker * 100 + i), SLUICE_OK);
        }
    }
    assert_int_equal(sluice_fan_give(&fan, 0, 99), SLUICE_FULL);
    uint32_t next[3] = {0};
    for (uint32_t round = 0; round < 12; round++) { /* 4 at a time from three full rings */
        uint32_t slots[4];
        assert_int_equal(sluice_fan_collect(&fan, slots, 4), 4);
        for (uint32_t i = 0; i < 4; i++) {
            uint32_t worker = slots[i] / 100;
            assert_true(worker < 3);
            assert_int_equal(slots[i] % 100, next[worker]);
            next[worker]++;
        }
        if (round == 2) { /* each has had its turn */
            assert_int_equal(next[0], 4);
            assert_int_equal(next[1], 4);
            assert_int_equal(next[2], 4);
        }
    }
    uint32_t slot;
    assert_int_equal(sluice_fan_collect(&fan, &slot, 1), 0);
    sluice_fan_close(&fan);
}

static void test_one_sweep_takes_from_all_workers(void **state)
{
    (void)state;
    struct sluice_fan fan;
    assert_int_equal(sluice_fan_init(&fan, SLUICE_FAN_WORKERS_MAX, 2), SLUICE_OK);
    for (uint32_t worker = 0; worker < SLUICE_FAN_WORKERS_MAX; worker++) {
        assert_int_equal(sluice_fan_give(&fan, worker, worker), SLUICE_OK);
    }
    uint32_t slots[SLUICE_FAN_WORKERS_MAX + 1];
    assert_int_equal(sluice_fan_collect(&fan, slots, SLUICE_FAN_WORKERS_MAX + 1),
                     SLUICE_FAN_WORKERS_MAX);
    sluice_fan_close(&fan);
}

static void test_worker_counts_out_of_bounds_are_refused(void **state)
{
    (void)state;
    struct sluice_fan fan;
    assert_int_equal(sluice_fan_init(&fan, 0, 4), SLUICE_LIMIT);
    assert_int_equal(sluice_fan_init(&fan, SLUICE_FAN_WORKERS_MAX + 1, 4), SLUICE_LIMIT);
    assert_int_equal(sluice_fan_init(&fan, 2, 0), SLUICE_LIMIT);
    sluice_fan_close(&fan);
}

static void test_each_failing_allocation_is_reported_and_leaks_nothing(void **state)
{
    (void)state;
    struct sluice_fan fan;
    int failures = 0;
    for (;; failures++) {
        allocations_until_failure = failures;
        enum sluice_status status = sluice_fan_init(&fan, 3, 4);
        if (status == SLUICE_OK) {
            break;
        }
        assert_int_equal(status, SLUICE_NO_MEMORY);
        assert_null(fan.rings);
    }
    allocations_until_failure = -1;
    assert_int_equal(failures, 5); /* rings, wakes, three times slots */
    sluice_fan_close(&fan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_idle_workers_get_work_in_turn),
        cmocka_unit_test(test_a_worker_that_is_behind_gets_nothing_more),
        cmocka_unit_test(test_dealing_stops_only_when_every_ring_is_full),
        cmocka_unit_test(test_dealing_signals_the_worker_that_got_it),
        cmocka_unit_test(test_every_gift_signals_the_one_collector),
        cmocka_unit_test(test_collecting_keeps_each_workers_order_and_starves_none),
        cmocka_unit_test(test_one_sweep_takes_from_all_workers),
        cmocka_unit_test(test_worker_counts_out_of_bounds_are_refused),
        cmocka_unit_test(test_each_failing_allocation_is_reported_and_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
