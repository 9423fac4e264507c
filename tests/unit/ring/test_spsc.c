/* SPDX-License-Identifier: Apache-2.0
 *
 * The ring from one thread: bounds, order, wrap of the indices and of the places. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ingest/ring/spsc.h"

static void push_range(struct sluice_spsc *ring, uint32_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(sluice_spsc_push(ring, first + i), SLUICE_OK);
    }
}

static void pop_range(struct sluice_spsc *ring, uint32_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t slot = UINT32_MAX;
        assert_int_equal(sluice_spsc_pop(ring, &slot), SLUICE_OK);
        assert_int_equal(slot, first + i);
    }
}

static void test_numbers_come_out_in_the_order_they_went_in(void **state)
{
    (void)state;
    struct sluice_spsc ring;
    assert_int_equal(sluice_spsc_init(&ring, 8, 0), SLUICE_OK);
    push_range(&ring, 100, 5);
    pop_range(&ring, 100, 5);
    sluice_spsc_close(&ring);
}

static void test_a_new_ring_is_empty_and_leaves_the_output_alone(void **state)
{
    (void)state;
    struct sluice_spsc ring;
    assert_int_equal(sluice_spsc_init(&ring, 4, 7), SLUICE_OK);
    uint32_t slot = 42;
    assert_int_equal(sluice_spsc_pop(&ring, &slot), SLUICE_EMPTY);
    assert_int_equal(sluice_spsc_pop_many(&ring, &slot, 1), 0);
    assert_int_equal(slot, 42);
    assert_int_equal(sluice_spsc_count(&ring), 0);
    sluice_spsc_close(&ring);
}

static void test_a_full_ring_refuses_and_keeps_what_it_has(void **state)
{
    (void)state;
    struct sluice_spsc ring;
    assert_int_equal(sluice_spsc_init(&ring, 4, 0), SLUICE_OK);
    push_range(&ring, 0, 4);
    assert_int_equal(sluice_spsc_push(&ring, 99), SLUICE_FULL);
    assert_int_equal(sluice_spsc_count(&ring), 4);
    pop_range(&ring, 0, 1);
    assert_int_equal(sluice_spsc_push(&ring, 4), SLUICE_OK);
    assert_int_equal(sluice_spsc_push(&ring, 99), SLUICE_FULL);
    pop_range(&ring, 1, 4);
    sluice_spsc_close(&ring);
}

static void test_capacity_is_rounded_up_to_a_power_of_two(void **state)
{
    (void)state;
    static const uint32_t wanted[] = {1, 2, 3, 5, 64, 65, 1000};
    static const uint32_t given[] = {1, 2, 4, 8, 64, 128, 1024};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        struct sluice_spsc ring;
        assert_int_equal(sluice_spsc_init(&ring, wanted[i], 0), SLUICE_OK);
        push_range(&ring, 0, given[i]);
        assert_int_equal(sluice_spsc_push(&ring, 0), SLUICE_FULL);
        sluice_spsc_close(&ring);
    }
}

static void test_capacities_out_of_bounds_are_refused(void **state)
{
    (void)state;
    struct sluice_spsc ring;
    assert_int_equal(sluice_spsc_init(&ring, 0, 0), SLUICE_LIMIT);
    assert_int_equal(sluice_spsc_init(&ring, (1u << 30) + 1, 0), SLUICE_LIMIT);
    assert_int_equal(sluice_spsc_init(&ring, UINT32_MAX, 0), SLUICE_LIMIT);
    sluice_spsc_close(&ring); /* what was never opened may be closed */
}

static void test_full_and_empty_are_right_while_the_indices_wrap(void **state)
{
    (void)state;
    struct sluice_spsc ring;
    for (uint32_t before = 0; before <= 9; before++) {
        assert_int_equal(sluice_spsc_init(&ring, 8, UINT32_MAX - before), SLUICE_OK);
        uint32_t slot;
        assert_int_equal(sluice_spsc_pop(&ring, &slot), SLUICE_EMPTY);
        push_range(&ring, 10, 8);
        assert_int_equal(sluice_spsc_count(&ring), 8);
        assert_int_equal(sluice_spsc_push(&ring, 0), SLUICE_FULL);
        pop_range(&ring, 10, 8);
        assert_int_equal(sluice_spsc_pop(&ring, &slot), SLUICE_EMPTY);
        assert_int_equal(sluice_spsc_count(&ring), 0);
        sluice_spsc_close(&ring);
    }
}

static void test_many_are_taken_at_once_across_the_seam(void **state)
{
    (void)state;
    struct sluice_spsc ring;
    assert_int_equal(sluice_spsc_init(&ring, 8, 0), SLUICE_OK);
    push_range(&ring, 0, 6);
    pop_range(&ring, 0, 6);
    push_range(&ring, 6, 7); /* places 6, 7, 0 … 4 */
    uint32_t slots[8];
    assert_int_equal(sluice_spsc_pop_many(&ring, slots, 0), 0);
    assert_int_equal(sluice_spsc_pop_many(&ring, slots, 5), 5);
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(slots[i], 6 + i);
    }
    assert_int_equal(sluice_spsc_pop_many(&ring, slots, 8), 2);
    assert_int_equal(slots[0], 11);
    assert_int_equal(slots[1], 12);
    sluice_spsc_close(&ring);
}

static void test_many_takes_what_came_after_the_last_look(void **state)
{
    (void)state;
    struct sluice_spsc ring;
    assert_int_equal(sluice_spsc_init(&ring, 8, 0), SLUICE_OK);
    push_range(&ring, 0, 2);
    pop_range(&ring, 0, 1); /* the consumer has seen two */
    push_range(&ring, 2, 3);
    uint32_t slots[8];
    assert_int_equal(sluice_spsc_pop_many(&ring, slots, 8), 4);
    sluice_spsc_close(&ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_come_out_in_the_order_they_went_in),
        cmocka_unit_test(test_a_new_ring_is_empty_and_leaves_the_output_alone),
        cmocka_unit_test(test_a_full_ring_refuses_and_keeps_what_it_has),
        cmocka_unit_test(test_capacity_is_rounded_up_to_a_power_of_two),
        cmocka_unit_test(test_capacities_out_of_bounds_are_refused),
        cmocka_unit_test(test_full_and_empty_are_right_while_the_indices_wrap),
        cmocka_unit_test(test_many_are_taken_at_once_across_the_seam),
        cmocka_unit_test(test_many_takes_what_came_after_the_last_look),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
