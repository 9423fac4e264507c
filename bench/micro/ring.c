/* SPDX-License-Identifier: Apache-2.0
 *
 * Hand-over of slot numbers through the SPSC ring, singly and many at once. */
#include "bench/kernels/ring_ours.inc.h"
#include "bench/micro/ring_loops.inc.h"

/* As two_threads, but the consumer takes what is there, up to the argument, as the writer does. */
static void two_threads_many(struct sluice_bench *bench)
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
    uint32_t max = (uint32_t)sluice_bench_argument(bench, 0);
    uint32_t expected = 0, wrong = 0;
    uint64_t takes = 0;
    while (sluice_bench_next_batch(bench, BATCH)) {
        for (uint32_t taken = 0; taken < BATCH;) {
            uint32_t numbers[BATCH];
            uint32_t left = BATCH - taken;
            uint32_t count =
                sluice_spsc_pop_many(&pair->there.spsc, numbers, left < max ? left : max);
            if (count == 0) {
                spin();
                continue;
            }
            for (uint32_t i = 0; i < count; i++) {
                wrong += numbers[i] != expected++;
            }
            taken += count;
            takes++;
        }
    }
    sluice_store_relaxed(&pair->stop, 1);
    pthread_join(other, NULL);
    sluice_bench_set_items(bench, sluice_bench_iterations(bench));
    sluice_bench_counter(bench, "items_a_take",
                         takes > 0 ? (double)sluice_bench_iterations(bench) / (double)takes : 0);
    if (wrong != 0) {
        sluice_bench_fail(bench, "numbers were lost, doubled or out of order");
    }
    pair_destroy(pair);
}

void sluice_micro_ring(void)
{
    static const int64_t maxima[] = {16, 128};
    register_loops("ring/spsc/same_thread", "ring/spsc/two_threads", "ring/spsc/round_trip");
    sluice_bench_register(&(struct sluice_bench_case){.name = "ring/spsc/two_threads_many",
                                                      .run = two_threads_many,
                                                      .argument_names = {"max"},
                                                      .arguments = maxima,
                                                      .run_count = 2,
                                                      .wall_time = true});
}
