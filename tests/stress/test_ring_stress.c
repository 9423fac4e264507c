/* SPDX-License-Identifier: Apache-2.0
 *
 * Ring and event count between one producer and one consumer. First the bare ring, smaller than
 * what goes through it, so that full, empty and the reuse of a place are tried; then slots that go
 * round with both sides asleep whenever they have nothing, as source and writer do. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ingest/ring/spsc.h"
#include "ingest/ring/wake.h"
#include "tests/stress/stress.h"

#define SLOTS_MAX 64

/* ---- the bare ring, smaller than what goes through it: full and empty, no event count ---- */

struct bare {
    struct sluice_spsc ring;
    uint64_t total;
};

static void *bare_push(void *context)
{
    struct bare *bare = context;
    for (uint64_t i = 0; i < bare->total; i++) {
        while (sluice_spsc_push(&bare->ring, (uint32_t)stress_mix(i)) != SLUICE_OK) {
            sched_yield();
        }
    }
    return NULL;
}

static void *bare_pop(void *context)
{
    struct bare *bare = context;
    for (uint64_t i = 0; i < bare->total;) {
        uint32_t slots[3];
        uint32_t count;
        if (i % 2 == 0) {
            count = sluice_spsc_pop(&bare->ring, slots) == SLUICE_OK;
        } else {
            count = sluice_spsc_pop_many(&bare->ring, slots, 3);
        }
        if (count == 0) {
            sched_yield();
        }
        for (uint32_t k = 0; k < count; k++, i++) {
            STRESS_CHECK(slots[k] == (uint32_t)stress_mix(i), "number %llu is wrong",
                         (unsigned long long)i);
        }
    }
    return NULL;
}

static void test_a_place_is_written_again_only_after_it_was_read(void **state)
{
    (void)state;
    struct bare *bare = aligned_alloc(SLUICE_CACHE_LINE, sizeof *bare);
    assert_non_null(bare);
    bare->total = 300000 * stress_scale;
    assert_int_equal(sluice_spsc_init(&bare->ring, 4, UINT32_MAX - 100000), SLUICE_OK);
    pthread_t producer, consumer;
    stress_start(&consumer, bare_pop, bare);
    stress_start(&producer, bare_push, bare);
    stress_join(producer, "the producer");
    stress_join(consumer, "the consumer");
    assert_int_equal(sluice_spsc_count(&bare->ring), 0);
    sluice_spsc_close(&bare->ring);
    free(bare);
}

/* ---- one producer, one consumer ---- */

struct pair {
    struct sluice_spsc filled, empty;
    struct sluice_wake filled_wake, empty_wake;
    struct stress_slot slots[SLOTS_MAX];
    uint64_t total;
    bool take_many;
    struct stress_self producer, consumer;
};

static void *pair_produce(void *context)
{
    struct pair *pair = context;
    for (uint64_t sequence = 0; sequence < pair->total; sequence++) {
        uint32_t slot = stress_pop_or_sleep(&pair->empty, &pair->empty_wake, &pair->producer);
        stress_fill(&pair->slots[slot], sequence);
        stress_push_and_signal(&pair->filled, &pair->filled_wake, slot);
        stress_pause(&pair->producer);
    }
    return NULL;
}

static void *pair_consume(void *context)
{
    struct pair *pair = context;
    for (uint64_t sequence = 0; sequence < pair->total;) {
        uint32_t slots[SLOTS_MAX];
        slots[0] = stress_pop_or_sleep(&pair->filled, &pair->filled_wake, &pair->consumer);
        uint32_t count = 1;
        if (pair->take_many) {
            count += sluice_spsc_pop_many(&pair->filled, slots + 1, SLOTS_MAX - 1);
        }
        for (uint32_t i = 0; i < count; i++) {
            stress_check_and_spoil(&pair->slots[slots[i]], sequence++);
            stress_push_and_signal(&pair->empty, &pair->empty_wake, slots[i]);
        }
        stress_pause(&pair->consumer);
    }
    return NULL;
}

static void run_pair(const char *name, uint32_t slot_count, uint64_t total, bool take_many,
                     uint32_t pause_every)
{
    struct pair *pair = aligned_alloc(SLUICE_CACHE_LINE, sizeof *pair);
    assert_non_null(pair);
    memset(pair, 0, sizeof *pair);
    pair->total = total * stress_scale;
    pair->take_many = take_many;
    pair->producer =
        (struct stress_self){.random = stress_mix(stress_seed), .pause_every = pause_every};
    pair->consumer =
        (struct stress_self){.random = stress_mix(stress_seed + 1), .pause_every = pause_every};
    /* The indices wrap on the way. */
    uint32_t first = UINT32_MAX - (uint32_t)(total / 2);
    assert_int_equal(sluice_spsc_init(&pair->filled, slot_count, first), SLUICE_OK);
    assert_int_equal(sluice_spsc_init(&pair->empty, slot_count, first), SLUICE_OK);
    for (uint32_t i = 0; i < slot_count; i++) {
        assert_int_equal(sluice_spsc_push(&pair->empty, i), SLUICE_OK);
    }
    pthread_t producer, consumer;
    stress_start(&consumer, pair_consume, pair);
    stress_start(&producer, pair_produce, pair);
    stress_join(producer, "the producer");
    stress_join(consumer, "the consumer");
    assert_int_equal(sluice_spsc_count(&pair->filled), 0);
    assert_int_equal(sluice_spsc_count(&pair->empty), slot_count);
    printf("%s: %llu images, producer slept %llu times, consumer %llu\n", name,
           (unsigned long long)pair->total, (unsigned long long)pair->producer.sleeps,
           (unsigned long long)pair->consumer.sleeps);
    if (slot_count == 1) { /* else this test has not tried what it is for */
        assert_true(pair->producer.sleeps > 0 && pair->consumer.sleeps > 0);
    }
    sluice_spsc_close(&pair->filled);
    sluice_spsc_close(&pair->empty);
    free(pair);
}

static void test_images_pass_whole_and_in_order_at_full_speed(void **state)
{
    (void)state;
    run_pair("full speed", SLOTS_MAX, 500000, false, 0);
}

static void test_images_pass_whole_and_in_order_when_taken_many_at_once(void **state)
{
    (void)state;
    run_pair("many at once", SLOTS_MAX, 500000, true, 1000);
}

static void test_both_sides_wake_each_other_over_a_single_slot(void **state)
{
    (void)state;
    run_pair("single slot", 1, 50000, false, 0);
}

static void test_images_pass_whole_and_in_order_when_both_sides_pause(void **state)
{
    (void)state;
    run_pair("with pauses", 3, 50000, false, 10);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_place_is_written_again_only_after_it_was_read),
        cmocka_unit_test(test_images_pass_whole_and_in_order_at_full_speed),
        cmocka_unit_test(test_images_pass_whole_and_in_order_when_taken_many_at_once),
        cmocka_unit_test(test_both_sides_wake_each_other_over_a_single_slot),
        cmocka_unit_test(test_images_pass_whole_and_in_order_when_both_sides_pause),
    };
    return stress_begin(argc, argv) ? cmocka_run_group_tests(tests, NULL, NULL) : 2;
}
