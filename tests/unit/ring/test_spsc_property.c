/* SPDX-License-Identifier: Apache-2.0
 *
 * The ring against a queue that is too simple to be wrong, under random operations. The seed is
 * printed; SLUICE_SEED=<number> repeats a run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "ingest/ring/spsc.h"

#define ROUNDS     400
#define OPERATIONS 2000

static uint64_t random_state;

static uint32_t random_below(uint32_t bound)
{
    /* splitmix64 */
    uint64_t z = (random_state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (uint32_t)((z ^ (z >> 31)) >> 32) % bound;
}

/* The model: everything ever pushed stays in the array, so no index wraps. */
struct queue {
    uint32_t items[OPERATIONS];
    uint32_t pushed, popped;
};

/* Which starts are interesting: zero, the sign bit, and the last ones before 2^32. */
static uint32_t random_start(void)
{
    switch (random_below(4)) {
    case 0:
        return 0;
    case 1:
        return UINT32_C(0x80000000) - random_below(200);
    case 2:
        return UINT32_MAX - random_below(200);
    default:
        return random_below(UINT32_MAX);
    }
}

static void one_operation(struct sluice_spsc *ring, struct queue *queue, uint32_t capacity,
                          uint32_t push_percent)
{
    uint32_t length = queue->pushed - queue->popped;
    if (random_below(100) < push_percent) {
        uint32_t slot = random_below(UINT32_MAX);
        enum sluice_status status = sluice_spsc_push(ring, slot);
        assert_int_equal(status, length == capacity ? SLUICE_FULL : SLUICE_OK);
        if (status == SLUICE_OK) {
            queue->items[queue->pushed++] = slot;
        }
    } else if (random_below(2) == 0) {
        uint32_t slot;
        enum sluice_status status = sluice_spsc_pop(ring, &slot);
        assert_int_equal(status, length == 0 ? SLUICE_EMPTY : SLUICE_OK);
        if (status == SLUICE_OK) {
            assert_int_equal(slot, queue->items[queue->popped++]);
        }
    } else {
        uint32_t slots[80];
        uint32_t max = random_below(80);
        uint32_t count = sluice_spsc_pop_many(ring, slots, max);
        assert_int_equal(count, length < max ? length : max);
        for (uint32_t i = 0; i < count; i++) {
            assert_int_equal(slots[i], queue->items[queue->popped++]);
        }
    }
    assert_int_equal(sluice_spsc_count(ring), queue->pushed - queue->popped);
}

static void test_the_ring_does_what_a_plain_queue_does(void **state)
{
    (void)state;
    static struct queue queue;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint32_t capacity = 1u << random_below(7);
        uint32_t start = random_start();
        struct sluice_spsc ring;
        assert_int_equal(sluice_spsc_init(&ring, capacity, start), SLUICE_OK);
        queue.pushed = queue.popped = 0;
        uint32_t push_percent = 50;
        for (uint32_t i = 0; i < OPERATIONS; i++) {
            if (i % 100 == 0) {
                push_percent = 10 + random_below(81); /* times of filling, times of emptying */
            }
            one_operation(&ring, &queue, capacity, push_percent);
        }
        sluice_spsc_close(&ring);
    }
}

int main(void)
{
    const char *text = getenv("SLUICE_SEED");
    random_state = text != NULL ? strtoull(text, NULL, 0) : (uint64_t)time(NULL);
    printf("SLUICE_SEED=%llu\n", (unsigned long long)random_state);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_ring_does_what_a_plain_queue_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
