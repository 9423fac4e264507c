/* SPDX-License-Identifier: Apache-2.0
 *
 * The loops that ring.c and ring_ck.c measure, the same text over two rings, so that neither pays
 * for an indirect call. The including file defines before:
 *
 *   struct ring                                    one ring of RING_CAPACITY places or one less
 *   bool ring_open(struct ring *), void ring_close(struct ring *)
 *   bool ring_push(struct ring *, uint32_t), bool ring_pop(struct ring *, uint32_t *)   inline
 *
 * The receiving side checks every number, so a ring that loses one fails its benchmark. */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "bench/micro/micro.h"
#include "core/atomics.h"
#include "core/clock.h"

#define BATCH 1024 /* iterations between two questions to the library */

/* Spins, but lets the other thread run where it has no processor of its own. */
static inline void spin(void)
{
    static _Thread_local uint32_t spins;
    sluice_pause();
    if (++spins % 4096 == 0) {
        sched_yield();
    }
}

/* What two threads share; each ring on lines of its own. */
struct ring_pair {
    struct ring there, back;
    _Alignas(SLUICE_CACHE_LINE) _Atomic uint32_t stop; /* [edge STOP]: ends the other thread */
};

static struct ring_pair *pair_create(void)
{
    size_t bytes =
        (sizeof(struct ring_pair) + SLUICE_CACHE_LINE - 1) / SLUICE_CACHE_LINE * SLUICE_CACHE_LINE;
    struct ring_pair *pair = aligned_alloc(SLUICE_CACHE_LINE, bytes);
    if (pair == NULL) {
        return NULL;
    }
    memset(pair, 0, bytes);
    if (!ring_open(&pair->there)) {
        free(pair);
        return NULL;
    }
    if (!ring_open(&pair->back)) {
        ring_close(&pair->there);
        free(pair);
        return NULL;
    }
    return pair;
}

static void pair_destroy(struct ring_pair *pair)
{
    ring_close(&pair->there);
    ring_close(&pair->back);
    free(pair);
}

/* One thread: a push and a pop that always succeed; what the code itself costs. */
static void same_thread(struct sluice_bench *bench)
{
    struct ring_pair *pair = pair_create();
    if (pair == NULL) {
        sluice_bench_fail(bench, "out of memory");
        return;
    }
    uint32_t sent = 0, wrong = 0;
    while (sluice_bench_next_batch(bench, BATCH)) {
        for (uint32_t i = 0; i < BATCH; i++, sent++) {
            uint32_t got = ~sent;
            wrong += !ring_push(&pair->there, sent);
            wrong += !ring_pop(&pair->there, &got);
            wrong += got != sent;
        }
    }
    sluice_bench_set_items(bench, sluice_bench_iterations(bench));
    if (wrong != 0) {
        sluice_bench_fail(bench, "numbers were lost");
    }
    pair_destroy(pair);
}

static void *push_until_stop(void *context)
{
    struct ring_pair *pair = context;
    uint32_t next = 0;
    while (!sluice_load_relaxed(&pair->stop)) {
        if (ring_push(&pair->there, next)) {
            next++;
        } else {
            spin();
        }
    }
    return NULL;
}

/* Two threads at full speed: what comes out a second. */
static void two_threads(struct sluice_bench *bench)
{
    struct ring_pair *pair = pair_create();
    pthread_t other;
    if (pair == NULL || pthread_create(&other, NULL, push_until_stop, pair) != 0) {
        sluice_bench_fail(bench, "out of memory or threads");
        if (pair != NULL) {
            pair_destroy(pair);
        }
        return;
    }
    uint32_t expected = 0, wrong = 0;
    while (sluice_bench_next_batch(bench, BATCH)) {
        for (uint32_t i = 0; i < BATCH; i++, expected++) {
            uint32_t got;
            while (!ring_pop(&pair->there, &got)) {
                spin();
            }
            wrong += got != expected;
        }
    }
    sluice_store_relaxed(&pair->stop, 1);
    pthread_join(other, NULL);
    sluice_bench_set_items(bench, sluice_bench_iterations(bench));
    if (wrong != 0) {
        sluice_bench_fail(bench, "numbers were lost, doubled or out of order");
    }
    pair_destroy(pair);
}

static void *echo_until_stop(void *context)
{
    struct ring_pair *pair = context;
    uint32_t number;
    while (!sluice_load_relaxed(&pair->stop)) {
        if (!ring_pop(&pair->there, &number)) {
            spin();
        } else if (!ring_push(&pair->back, number)) {
            return NULL; /* cannot be: one number at a time is on its way */
        }
    }
    return NULL;
}

/* Two threads, one number at a time, both spinning: there and back. */
static void round_trip(struct sluice_bench *bench)
{
    struct ring_pair *pair = pair_create();
    pthread_t other;
    if (pair == NULL || pthread_create(&other, NULL, echo_until_stop, pair) != 0) {
        sluice_bench_fail(bench, "out of memory or threads");
        if (pair != NULL) {
            pair_destroy(pair);
        }
        return;
    }
    static struct sluice_histogram times;
    sluice_histogram_clear(&times);
    const struct sluice_clock *clock = sluice_clock_system();
    uint32_t number = 0, wrong = 0;
    while (sluice_bench_next(bench)) {
        int64_t start_ns = sluice_now_ns(clock);
        uint32_t got;
        wrong += !ring_push(&pair->there, number);
        while (!ring_pop(&pair->back, &got)) {
            spin();
        }
        wrong += got != number++;
        sluice_histogram_record(&times, sluice_now_ns(clock) - start_ns);
    }
    sluice_store_relaxed(&pair->stop, 1);
    pthread_join(other, NULL);
    sluice_micro_percentiles(bench, &times);
    if (wrong != 0) {
        sluice_bench_fail(bench, "numbers were lost");
    }
    pair_destroy(pair);
}

static void register_loops(const char *same, const char *two, const char *trip)
{
    sluice_bench_register(&(struct sluice_bench_case){.name = same, .run = same_thread});
    sluice_bench_register(
        &(struct sluice_bench_case){.name = two, .run = two_threads, .wall_time = true});
    sluice_bench_register(
        &(struct sluice_bench_case){.name = trip, .run = round_trip, .wall_time = true});
}
