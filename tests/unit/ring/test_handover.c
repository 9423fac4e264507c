/* SPDX-License-Identifier: Apache-2.0
 *
 * The way from source to writer, driven from one thread: order with workers that give in any order,
 * wraparound, wakes, failing allocations. A property test with a printed seed plays long runs. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "ingest/ring/handover.h"

#define SLOTS   12
#define WORKERS 3

static int allocations_until_failure = -1;

static int fails(void)
{
    return allocations_until_failure >= 0 && allocations_until_failure-- == 0;
}

void *__real_aligned_alloc(size_t alignment, size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes)
{
    return fails() ? NULL : __real_aligned_alloc(alignment, bytes);
}

void *__real_calloc(size_t count, size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes)
{
    return fails() ? NULL : __real_calloc(count, bytes);
}

static void open_handover(struct sluice_handover *handover, uint32_t workers)
{
    assert_int_equal(sluice_handover_init(handover, workers, SLOTS), SLUICE_OK);
}

/* Worker `worker` takes what is next for it, which must be `slot`. */
static void take(struct sluice_handover *handover, uint32_t worker, uint32_t slot)
{
    uint32_t taken;
    assert_int_equal(sluice_handover_take(handover, worker, &taken), SLUICE_OK);
    assert_int_equal(taken, slot);
}

/* The writer gets exactly these now. */
static void expect(struct sluice_handover *handover, uint32_t count, const uint32_t *wanted)
{
    uint32_t slots[SLOTS];
    assert_int_equal(sluice_handover_count(handover), count);
    assert_int_equal(sluice_handover_pop_many(handover, slots, SLOTS), count);
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(slots[i], wanted[i]);
}

#define EXPECT(handover, ...)                                                                      \
    expect(handover, sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t),                         \
           (const uint32_t[]){__VA_ARGS__})
#define EXPECT_NOTHING(handover) expect(handover, 0, NULL)

static void without_workers_it_is_one_ring(void **state)
{
    (void)state;
    struct sluice_handover handover;
    open_handover(&handover, 0);
    EXPECT_NOTHING(&handover);
    sluice_handover_push(&handover, 4);
    sluice_handover_push_work(&handover, 2);
    sluice_handover_push(&handover, 7);
    EXPECT(&handover, 4, 2, 7);
    EXPECT_NOTHING(&handover);
    sluice_handover_close(&handover);
}

static void what_comes_early_waits_for_its_turn(void **state)
{
    (void)state;
    struct sluice_handover handover;
    open_handover(&handover, WORKERS);
    for (uint32_t slot = 0; slot < 3; slot++)
        sluice_handover_push_work(&handover, slot); /* one for each worker */
    take(&handover, 2, 2);
    sluice_handover_give(&handover, 2, 2);
    EXPECT_NOTHING(&handover);
    take(&handover, 1, 1);
    sluice_handover_give(&handover, 1, 1);
    EXPECT_NOTHING(&handover);
    take(&handover, 0, 0);
    sluice_handover_give(&handover, 0, 0);
    EXPECT(&handover, 0, 1, 2);
    sluice_handover_close(&handover);
}

static void a_close_never_overtakes_the_images_before_it(void **state)
{
    (void)state;
    struct sluice_handover handover;
    open_handover(&handover, WORKERS);
    sluice_handover_push(&handover, 8); /* open */
    sluice_handover_push_work(&handover, 0);
    sluice_handover_push(&handover, 9);  /* close */
    sluice_handover_push(&handover, 10); /* open */
    sluice_handover_push_work(&handover, 1);
    EXPECT(&handover, 8);
    take(&handover, 1, 1);
    sluice_handover_give(&handover, 1, 1);
    EXPECT_NOTHING(&handover);
    take(&handover, 0, 0);
    sluice_handover_give(&handover, 0, 0);
    EXPECT(&handover, 0, 9, 10, 1);
    sluice_handover_close(&handover);
}

static void a_batch_takes_no_more_than_was_asked_for(void **state)
{
    (void)state;
    struct sluice_handover handover;
    uint32_t slots[SLOTS];
    open_handover(&handover, WORKERS);
    for (uint32_t slot = 0; slot < 5; slot++)
        sluice_handover_push(&handover, slot);
    assert_int_equal(sluice_handover_pop_many(&handover, slots, 2), 2);
    assert_int_equal(slots[1], 1);
    EXPECT(&handover, 2, 3, 4);
    sluice_handover_close(&handover);
}

static void every_push_and_gift_wakes_whom_it_concerns(void **state)
{
    (void)state;
    struct sluice_handover handover;
    open_handover(&handover, WORKERS);
    struct sluice_wake *writer = sluice_handover_wake(&handover);
    struct sluice_wake *worker = sluice_handover_worker_wake(&handover, 0);
    uint32_t before = writer->word;
    sluice_handover_push(&handover, 5);
    assert_int_not_equal(writer->word, before);
    before = writer->word;
    const uint32_t workers_before = worker->word;
    sluice_handover_push_work(&handover, 0);
    assert_int_not_equal(worker->word, workers_before);
    assert_int_equal(writer->word, before);
    assert_int_equal(sluice_handover_work_count(&handover, 0), 1);
    take(&handover, 0, 0);
    sluice_handover_give(&handover, 0, 0);
    assert_int_not_equal(writer->word, before);
    EXPECT(&handover, 5, 0);
    sluice_handover_close(&handover);
}

static void only_control_and_crowding_end_a_nap(void **state)
{
    (void)state;
    struct sluice_handover handover;
    open_handover(&handover, 0);
    const uint32_t wake = handover.direct_wake.word, nap = handover.nap.word;
    sluice_handover_push_work(&handover, 0);
    assert_int_not_equal(handover.direct_wake.word, wake);
    assert_int_equal(handover.nap.word, nap);
    sluice_handover_push(&handover, 1);
    assert_int_not_equal(handover.nap.word, nap);
    EXPECT(&handover, 0, 1);
    sluice_handover_close(&handover);
}

struct napper {
    struct sluice_handover handover;
    _Atomic bool awake;
};

static void *nap(void *argument)
{
    struct napper *napper = argument;
    sluice_handover_nap(&napper->handover, INT64_C(3600000000000));
    sluice_store_release(&napper->awake, true);
    return NULL;
}

static void a_nap_ends_when_it_is_hurried_or_over(void **state)
{
    (void)state;
    struct napper napper = {.awake = false};
    pthread_t thread;
    open_handover(&napper.handover, 0);
    assert_int_equal(pthread_create(&thread, NULL, nap, &napper), 0);
    while (!sluice_load_acquire(&napper.awake)) { /* the first may come before the nap */
        sluice_handover_hurry(&napper.handover);
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    }
    pthread_join(thread, NULL);
    sluice_handover_nap(&napper.handover, 1000);
    sluice_handover_close(&napper.handover);
}

/* Else the source may have no slot left to push and hurry it again. */
static void no_nap_begins_over_what_waits(void **state)
{
    (void)state;
    struct sluice_handover handover;
    open_handover(&handover, 0);
    sluice_handover_push_work(&handover, 0);
    sluice_handover_hurry(&handover);
    sluice_handover_nap(&handover, INT64_C(3600000000000));
    EXPECT(&handover, 0);
    sluice_handover_close(&handover);
}

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* One long run: slots go round, workers hold one each for as long as chance wants, and the writer
 * must see the order of the pushes. Numbers begin just before they wrap around. */
static void play(uint64_t seed, uint32_t workers)
{
    struct sluice_handover handover;
    uint32_t pushed[1 << 12], holding[WORKERS], free_slots[SLOTS], free_count = SLOTS;
    uint64_t push = 0, pop = 0;
    open_handover(&handover, workers);
    handover.number = handover.next = handover.gathered = UINT32_MAX - 1000;
    for (uint32_t i = 0; i < SLOTS; i++)
        free_slots[i] = i;
    for (uint32_t w = 0; w < WORKERS; w++)
        holding[w] = UINT32_MAX;
    while (pop < sizeof pushed / sizeof *pushed) {
        const uint64_t chance = next_random(&seed) >> 16; /* the low bits of xorshift are poor */
        const uint32_t w = (uint32_t)(chance >> 8) % workers;
        if (chance % 3 == 0 && free_count > 0 && push < sizeof pushed / sizeof *pushed) {
            const uint32_t slot = free_slots[--free_count];
            pushed[push++] = slot;
            if (chance & 64)
                sluice_handover_push(&handover, slot);
            else
                sluice_handover_push_work(&handover, slot);
        } else if (chance % 3 == 1 && holding[w] == UINT32_MAX) {
            (void)sluice_handover_take(&handover, w, &holding[w]);
        } else if (chance % 3 == 1) {
            sluice_handover_give(&handover, w, holding[w]);
            holding[w] = UINT32_MAX;
        } else {
            uint32_t slots[SLOTS];
            uint32_t count = sluice_handover_pop_many(&handover, slots, 1 + chance % SLOTS);
            for (uint32_t i = 0; i < count; i++) {
                assert_int_equal(slots[i], pushed[pop++]);
                free_slots[free_count++] = slots[i];
            }
        }
    }
    EXPECT_NOTHING(&handover);
    sluice_handover_close(&handover);
}

static void any_play_keeps_the_order_of_the_source(void **state)
{
    (void)state;
    const char *given = getenv("SLUICE_SEED");
    const uint64_t seed = given != NULL ? strtoull(given, NULL, 0) | 1 : 20261122;
    printf("SLUICE_SEED=%llu\n", (unsigned long long)seed);
    for (uint64_t run = 0; run < 40; run++)
        play(seed * (2 * run + 1), 1 + (uint32_t)run % WORKERS);
}

static void each_failing_allocation_is_reported_and_leaks_nothing(void **state)
{
    (void)state;
    struct sluice_handover handover;
    int failures = 0;
    for (;; failures++) {
        allocations_until_failure = failures;
        const enum sluice_status status = sluice_handover_init(&handover, 2, SLOTS);
        if (status == SLUICE_OK)
            break;
        assert_int_equal(status, SLUICE_NO_MEMORY);
        assert_null(handover.direct.slots);
        assert_int_equal(handover.worker_count, 0);
    }
    allocations_until_failure = -1;
    assert_int_equal(failures,
                     11); /* the direct ring; of two fans rings, wakes, slots; two arrays */
    sluice_handover_close(&handover);
    assert_int_equal(sluice_handover_init(&handover, SLUICE_FAN_WORKERS_MAX + 1, SLOTS),
                     SLUICE_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_workers_it_is_one_ring),
        cmocka_unit_test(what_comes_early_waits_for_its_turn),
        cmocka_unit_test(a_close_never_overtakes_the_images_before_it),
        cmocka_unit_test(a_batch_takes_no_more_than_was_asked_for),
        cmocka_unit_test(every_push_and_gift_wakes_whom_it_concerns),
        cmocka_unit_test(only_control_and_crowding_end_a_nap),
        cmocka_unit_test(a_nap_ends_when_it_is_hurried_or_over),
        cmocka_unit_test(no_nap_begins_over_what_waits),
        cmocka_unit_test(any_play_keeps_the_order_of_the_source),
        cmocka_unit_test(each_failing_allocation_is_reported_and_leaks_nothing),
    };
    return cmocka_run_group_tests_name("ring: handover", tests, NULL, NULL);
}
