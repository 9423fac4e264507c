/* SPDX-License-Identifier: Apache-2.0
 *
 * The loops that ring.c and ring_ck.c measure, the same text over two rings, so that neither pays
 * for an indirect call. The including file brings `struct ring` as ring_pair.inc.h wants it.
 *
 * The receiving side checks every number, so a ring that loses one fails its benchmark. */
#include "bench/kernels/ring_pair.inc.h"
#include "bench/micro/micro.h"

#define BATCH 1024 /* iterations between two questions to the library */

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
