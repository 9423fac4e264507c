/* SPDX-License-Identifier: Apache-2.0
 *
 * What is done for every image to know how things go: counters, histogram, clock. */
#include "bench/micro/micro.h"
#include "core/clock.h"
#include "core/counters.h"

#define BATCH 1024

static void histogram_record(struct sluice_bench *bench)
{
    static struct sluice_histogram histogram;
    sluice_histogram_clear(&histogram);
    uint64_t value = 1;
    while (sluice_bench_next_batch(bench, BATCH)) {
        for (uint32_t i = 0; i < BATCH; i++) {
            value = value * UINT64_C(6364136223846793005) + 1; /* 1 us to 33 ms, all over */
            sluice_histogram_record(&histogram, (int64_t)(1000 + (value >> 39)));
        }
    }
    sluice_bench_set_items(bench, sluice_bench_iterations(bench));
    if (histogram.count < (uint64_t)sluice_bench_iterations(bench)) {
        sluice_bench_fail(bench, "values are missing from the histogram");
    }
}

static void histogram_percentile(struct sluice_bench *bench)
{
    static struct sluice_histogram histogram;
    sluice_histogram_clear(&histogram);
    for (int64_t i = 0; i < 1000000; i++) {
        sluice_histogram_record(&histogram, i * 10);
    }
    uint64_t p99 = 0;
    while (sluice_bench_next(bench)) {
        p99 = sluice_histogram_percentile(&histogram, 0.99);
        sluice_bench_keep(&p99);
    }
    sluice_bench_counter(bench, "p99_ns", (double)p99);
}

static void counter_add(struct sluice_bench *bench)
{
    struct sluice_counters *counters;
    if (sluice_counters_create(NULL, &counters, NULL) != SLUICE_OK) {
        sluice_bench_fail(bench, "no counters");
        return;
    }
    uint64_t added = 0;
    while (sluice_bench_next_batch(bench, BATCH)) {
        for (uint32_t i = 0; i < BATCH; i++) {
            sluice_counter_add(counters, SLUICE_COUNTER_SOURCE_IMAGES, 1);
        }
        added += BATCH;
    }
    sluice_bench_set_items(bench, sluice_bench_iterations(bench));
    if (sluice_counter_get(counters, SLUICE_COUNTER_SOURCE_IMAGES) != added) {
        sluice_bench_fail(bench, "the counter does not hold what was added");
    }
    sluice_counters_destroy(counters);
}

static void clock_now(struct sluice_bench *bench)
{
    const struct sluice_clock *clock = sluice_clock_system();
    while (sluice_bench_next_batch(bench, BATCH)) {
        for (uint32_t i = 0; i < BATCH; i++) {
            int64_t now = sluice_now_ns(clock);
            sluice_bench_keep(&now);
        }
    }
    sluice_bench_set_items(bench, sluice_bench_iterations(bench));
}

void sluice_micro_core(void)
{
    sluice_bench_register(
        &(struct sluice_bench_case){.name = "core/histogram/record", .run = histogram_record});
    sluice_bench_register(&(struct sluice_bench_case){.name = "core/histogram/percentile",
                                                      .run = histogram_percentile});
    sluice_bench_register(
        &(struct sluice_bench_case){.name = "core/counter/add", .run = counter_add});
    sluice_bench_register(&(struct sluice_bench_case){.name = "core/clock/now", .run = clock_now});
}
