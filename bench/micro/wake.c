/* SPDX-License-Identifier: Apache-2.0
 *
 * What sleeping costs: the event count while nobody sleeps, a hand-over between threads that sleep
 * whenever they have nothing, and the fan over workers that do. */
#include "ingest/ring/wake.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "bench/micro/micro.h"
#include "core/clock.h"
#include "ingest/ring/fan.h"

#define BATCH       1024
#define FAN_SLOTS   64
#define FAN_THREADS 8

static void signal_awake(struct sluice_bench *bench)
{
    struct sluice_wake wake = {0};
    while (sluice_bench_next_batch(bench, BATCH)) {
        for (uint32_t i = 0; i < BATCH; i++) {
            sluice_wake_signal(&wake);
        }
    }
    sluice_bench_set_items(bench, sluice_bench_iterations(bench));
}

/* A worker of the two fans: takes, gives on, sleeps when there is nothing. */
struct worker {
    struct fans *fans;
    uint32_t number;
    pthread_t thread;
};

struct fans {
    struct sluice_fan out, in;
    _Alignas(SLUICE_CACHE_LINE) _Atomic uint32_t stop;
    struct worker workers[FAN_THREADS];
    uint32_t worker_count, started;
};

static void *work(void *context)
{
    struct worker *worker = context;
    struct fans *fans = worker->fans;
    struct sluice_wake *wake = &fans->out.wakes[worker->number];
    uint32_t slot;
    for (;;) {
        if (sluice_fan_take(&fans->out, worker->number, &slot) != SLUICE_OK) {
            uint32_t prepared = sluice_wake_prepare(wake);
            if (sluice_fan_take(&fans->out, worker->number, &slot) != SLUICE_OK) {
                if (sluice_load_relaxed(&fans->stop)) { /* ordered by signal and prepare */
                    return NULL;
                }
                sluice_wake_wait(wake, prepared, -1);
                continue;
            }
            sluice_wake_cancel(wake);
        }
        sluice_fan_give(&fans->in, worker->number, slot); /* holds every slot: cannot be full */
    }
}

static uint32_t collect_or_sleep(struct sluice_fan *in, uint32_t *slots, uint32_t max)
{
    for (;;) {
        uint32_t count = sluice_fan_collect(in, slots, max);
        if (count > 0) {
            return count;
        }
        uint32_t prepared = sluice_wake_prepare(&in->wakes[0]);
        count = sluice_fan_collect(in, slots, max);
        if (count > 0) {
            sluice_wake_cancel(&in->wakes[0]);
            return count;
        }
        sluice_wake_wait(&in->wakes[0], prepared, -1);
    }
}

static void fans_destroy(struct fans *fans)
{
    sluice_store_relaxed(&fans->stop, 1);
    for (uint32_t i = 0; i < fans->started; i++) {
        sluice_wake_signal(&fans->out.wakes[i]);
        pthread_join(fans->workers[i].thread, NULL);
    }
    sluice_fan_close(&fans->out);
    sluice_fan_close(&fans->in);
    free(fans);
}

static struct fans *fans_create(struct sluice_bench *bench, uint32_t worker_count,
                                bool with_threads)
{
    struct fans *fans = aligned_alloc(SLUICE_CACHE_LINE, sizeof *fans);
    if (fans == NULL) {
        sluice_bench_fail(bench, "out of memory");
        return NULL;
    }
    memset(fans, 0, sizeof *fans);
    fans->worker_count = worker_count;
    bool ok = sluice_fan_init(&fans->out, worker_count, FAN_SLOTS) == SLUICE_OK &&
              sluice_fan_init(&fans->in, worker_count, FAN_SLOTS) == SLUICE_OK;
    for (uint32_t i = 0; ok && with_threads && i < worker_count; i++) {
        struct worker *worker = &fans->workers[i];
        worker->fans = fans;
        worker->number = i;
        ok = pthread_create(&worker->thread, NULL, work, worker) == 0;
        fans->started += ok;
    }
    if (!ok) {
        sluice_bench_fail(bench, "out of memory or threads");
        fans_destroy(fans);
        return NULL;
    }
    return fans;
}

/* One number at a time, there and back, both sides asleep in between: two wake-ups. */
static void round_trip_asleep(struct sluice_bench *bench)
{
    struct fans *fans = fans_create(bench, 1, true);
    if (fans == NULL) {
        return;
    }
    static struct sluice_histogram times;
    sluice_histogram_clear(&times);
    const struct sluice_clock *clock = sluice_clock_system();
    while (sluice_bench_next(bench)) {
        uint32_t slot;
        int64_t start_ns = sluice_now_ns(clock);
        sluice_fan_deal(&fans->out, 0);
        collect_or_sleep(&fans->in, &slot, 1);
        sluice_histogram_record(&times, sluice_now_ns(clock) - start_ns);
    }
    sluice_micro_percentiles(bench, &times);
    fans_destroy(fans);
}

/* All four steps of one slot's way on one thread: what the code itself costs. */
static void fan_same_thread(struct sluice_bench *bench)
{
    struct fans *fans = fans_create(bench, (uint32_t)sluice_bench_argument(bench, 0), false);
    if (fans == NULL) {
        return;
    }
    uint32_t worker = 0, wrong = 0;
    while (sluice_bench_next_batch(bench, BATCH)) {
        for (uint32_t i = 0; i < BATCH; i++) {
            uint32_t slot = ~i, back = ~i;
            wrong += sluice_fan_deal(&fans->out, i) != SLUICE_OK;
            wrong += sluice_fan_take(&fans->out, worker, &slot) != SLUICE_OK; /* dealt in turn */
            wrong += sluice_fan_give(&fans->in, worker, slot) != SLUICE_OK;
            wrong += sluice_fan_collect(&fans->in, &back, 1) != 1 || back != i;
            worker = worker + 1 == fans->worker_count ? 0 : worker + 1;
        }
    }
    sluice_bench_set_items(bench, sluice_bench_iterations(bench));
    if (wrong != 0) {
        sluice_bench_fail(bench, "slots were lost");
    }
    fans_destroy(fans);
}

/* 64 slots dealt, then 64 collected, by workers that do nothing but hand on. */
static void fan_threads(struct sluice_bench *bench)
{
    struct fans *fans = fans_create(bench, (uint32_t)sluice_bench_argument(bench, 0), true);
    if (fans == NULL) {
        return;
    }
    uint32_t wrong = 0;
    while (sluice_bench_next_batch(bench, FAN_SLOTS)) {
        uint64_t missing = UINT64_MAX; /* a bit a slot */
        for (uint32_t slot = 0; slot < FAN_SLOTS; slot++) {
            wrong += sluice_fan_deal(&fans->out, slot) != SLUICE_OK;
        }
        for (uint32_t collected = 0; collected < FAN_SLOTS;) {
            uint32_t slots[FAN_SLOTS];
            uint32_t count = collect_or_sleep(&fans->in, slots, FAN_SLOTS);
            for (uint32_t i = 0; i < count; i++) {
                missing &= ~(UINT64_C(1) << slots[i]);
            }
            collected += count;
        }
        wrong += missing != 0;
    }
    sluice_bench_set_items(bench, sluice_bench_iterations(bench));
    if (wrong != 0) {
        sluice_bench_fail(bench, "slots were lost or came twice");
    }
    fans_destroy(fans);
}

void sluice_micro_wake(void)
{
    static const int64_t same_thread_workers[] = {1, 4, 16};
    static const int64_t thread_workers[] = {1, 2, 4};
    sluice_bench_register(
        &(struct sluice_bench_case){.name = "ring/wake/signal_awake", .run = signal_awake});
    sluice_bench_register(&(struct sluice_bench_case){
        .name = "ring/wake/round_trip_asleep", .run = round_trip_asleep, .wall_time = true});
    sluice_bench_register(&(struct sluice_bench_case){.name = "ring/fan/same_thread",
                                                      .run = fan_same_thread,
                                                      .argument_names = {"workers"},
                                                      .arguments = same_thread_workers,
                                                      .run_count = 3});
    sluice_bench_register(&(struct sluice_bench_case){.name = "ring/fan/threads",
                                                      .run = fan_threads,
                                                      .argument_names = {"workers"},
                                                      .arguments = thread_workers,
                                                      .run_count = 3,
                                                      .wall_time = true});
}
