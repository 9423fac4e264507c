/* SPDX-License-Identifier: Apache-2.0
 *
 * What is made of ring and event count: the fan with one dealer, three workers and one collector,
 * and the events between writer and service. */
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

#include "ingest/ring/events.h"
#include "ingest/ring/fan.h"
#include "tests/stress/stress.h"

#define SLOTS_MAX   64
#define FAN_WORKERS 3

/* ---- one dealer, three workers, one collector ---- */

struct fan_run {
    struct sluice_fan out, in;
    struct sluice_spsc empty;
    struct sluice_wake empty_wake;
    _Atomic uint32_t stop;
    struct stress_slot slots[SLOTS_MAX];
    uint32_t workers[SLOTS_MAX]; /* who worked on the slot; goes with it */
    uint64_t total;
    bool *seen;
    struct stress_self dealer, collector;
};

struct fan_worker {
    struct fan_run *run;
    uint32_t number;
    struct stress_self self;
};

static void *fan_deal(void *context)
{
    struct fan_run *run = context;
    for (uint64_t sequence = 0; sequence < run->total; sequence++) {
        uint32_t slot = stress_pop_or_sleep(&run->empty, &run->empty_wake, &run->dealer);
        stress_fill(&run->slots[slot], sequence);
        STRESS_CHECK(sluice_fan_deal(&run->out, slot) == SLUICE_OK, "no ring takes the slot");
        stress_pause(&run->dealer);
    }
    return NULL;
}

static void *fan_work(void *context)
{
    struct fan_worker *worker = context;
    struct fan_run *run = worker->run;
    struct sluice_wake *wake = &run->out.wakes[worker->number];
    for (;;) {
        uint32_t slot;
        if (sluice_fan_take(&run->out, worker->number, &slot) != SLUICE_OK) {
            uint32_t prepared = sluice_wake_prepare(wake);
            if (sluice_fan_take(&run->out, worker->number, &slot) != SLUICE_OK) {
                if (sluice_load_relaxed(&run->stop)) { /* ordered by signal and prepare */
                    return NULL;
                }
                worker->self.sleeps++;
                sluice_wake_wait(wake, prepared, -1);
                continue;
            }
            sluice_wake_cancel(wake);
        }
        uint64_t sequence = run->slots[slot].words[0];
        stress_check_and_spoil(&run->slots[slot], sequence);
        stress_fill(&run->slots[slot], ~sequence);
        run->workers[slot] = worker->number;
        STRESS_CHECK(sluice_fan_give(&run->in, worker->number, slot) == SLUICE_OK,
                     "a ring that holds every slot is full");
        stress_pause(&worker->self);
    }
}

static void *fan_collect(void *context)
{
    struct fan_run *run = context;
    uint64_t next[FAN_WORKERS] = {0}; /* one above the last image of each */
    for (uint64_t collected = 0; collected < run->total;) {
        uint32_t slots[SLOTS_MAX];
        uint32_t count = sluice_fan_collect(&run->in, slots, SLOTS_MAX);
        if (count == 0) {
            uint32_t prepared = sluice_wake_prepare(&run->in.wakes[0]);
            count = sluice_fan_collect(&run->in, slots, SLOTS_MAX);
            if (count == 0) {
                run->collector.sleeps++;
                sluice_wake_wait(&run->in.wakes[0], prepared, -1);
                continue;
            }
            sluice_wake_cancel(&run->in.wakes[0]);
        }
        for (uint32_t i = 0; i < count; i++) {
            uint64_t sequence = ~run->slots[slots[i]].words[0];
            uint32_t worker = run->workers[slots[i]];
            STRESS_CHECK(sequence < run->total && !run->seen[sequence], "image %llu came twice",
                         (unsigned long long)sequence);
            STRESS_CHECK(sequence >= next[worker], "worker %u gave its images out of order",
                         worker);
            run->seen[sequence] = true;
            next[worker] = sequence + 1;
            stress_check_and_spoil(&run->slots[slots[i]], ~sequence);
            stress_push_and_signal(&run->empty, &run->empty_wake, slots[i]);
        }
        collected += count;
        stress_pause(&run->collector);
    }
    sluice_store_relaxed(&run->stop, 1);
    for (uint32_t i = 0; i < FAN_WORKERS; i++) {
        sluice_wake_signal(&run->out.wakes[i]);
    }
    return NULL;
}

static void run_fan(const char *name, uint32_t slot_count, uint64_t total, uint32_t pause_every)
{
    struct fan_run *run = aligned_alloc(SLUICE_CACHE_LINE, sizeof *run);
    assert_non_null(run);
    memset(run, 0, sizeof *run);
    run->total = total * stress_scale;
    run->seen = calloc(run->total, sizeof *run->seen);
    assert_non_null(run->seen);
    run->dealer =
        (struct stress_self){.random = stress_mix(stress_seed), .pause_every = pause_every};
    run->collector =
        (struct stress_self){.random = stress_mix(stress_seed + 1), .pause_every = pause_every};
    assert_int_equal(sluice_fan_init(&run->out, FAN_WORKERS, slot_count), SLUICE_OK);
    assert_int_equal(sluice_fan_init(&run->in, FAN_WORKERS, slot_count), SLUICE_OK);
    assert_int_equal(sluice_spsc_init(&run->empty, slot_count, UINT32_MAX - 1000), SLUICE_OK);
    for (uint32_t i = 0; i < slot_count; i++) {
        assert_int_equal(sluice_spsc_push(&run->empty, i), SLUICE_OK);
    }
    struct fan_worker workers[FAN_WORKERS];
    pthread_t threads[FAN_WORKERS], dealer, collector;
    for (uint32_t i = 0; i < FAN_WORKERS; i++) {
        workers[i] = (struct fan_worker){
            .run = run,
            .number = i,
            .self = {.random = stress_mix(stress_seed + 2 + i), .pause_every = pause_every}};
        stress_start(&threads[i], fan_work, &workers[i]);
    }
    stress_start(&collector, fan_collect, run);
    stress_start(&dealer, fan_deal, run);
    stress_join(dealer, "the dealer");
    stress_join(collector, "the collector");
    uint64_t sleeps = 0;
    for (uint32_t i = 0; i < FAN_WORKERS; i++) {
        stress_join(threads[i], "a worker");
        sleeps += workers[i].self.sleeps;
    }
    /* As many as were dealt, none twice: so none is lost. */
    assert_int_equal(sluice_spsc_count(&run->empty), slot_count);
    printf("%s: %llu images, workers slept %llu times, collector %llu\n", name,
           (unsigned long long)run->total, (unsigned long long)sleeps,
           (unsigned long long)run->collector.sleeps);
    sluice_fan_close(&run->out);
    sluice_fan_close(&run->in);
    sluice_spsc_close(&run->empty);
    free(run->seen);
    free(run);
}

static void test_three_workers_lose_and_double_nothing_at_full_speed(void **state)
{
    (void)state;
    run_fan("fan", SLOTS_MAX, 200000, 0);
}

static void test_three_workers_lose_and_double_nothing_with_few_slots(void **state)
{
    (void)state;
    run_fan("fan, two slots", 2, 30000, 50);
}

/* ---- events ---- */

struct events_run {
    struct sluice_events events;
    uint64_t total, visible_posted, visible_left_out; /* the writer's */
    uint64_t visible_taken, ends_taken;               /* the service's */
    struct stress_self writer, service;
};

static void *events_write(void *context)
{
    struct events_run *run = context;
    for (uint64_t i = 0; i < run->total; i++) {
        bool is_end = i % 50 == 49;
        enum sluice_event_kind kind = is_end ? SLUICE_EVENT_END : SLUICE_EVENT_VISIBLE;
        struct sluice_event *event = sluice_events_begin(&run->events, kind);
        while (is_end && event == NULL) { /* 512 ends ahead of the service */
            sched_yield();
            event = sluice_events_begin(&run->events, kind);
        }
        if (event == NULL) {
            run->visible_left_out++;
            sched_yield();
            continue;
        }
        event->first = i;
        event->last = stress_mix(i);
        if (is_end) {
            event->summary = sluice_summary_create();
            STRESS_CHECK(event->summary != NULL, "no memory");
            event->summary->expected = i;
        } else {
            run->visible_posted++;
        }
        sluice_events_post(&run->events, event);
        stress_pause(&run->writer);
    }
    return NULL;
}

static void *events_serve(void *context)
{
    struct events_run *run = context;
    uint64_t next = 0;
    while (next < run->total) {
        struct sluice_event *event = sluice_events_take(&run->events);
        if (event == NULL) {
            uint32_t prepared = sluice_wake_prepare(&run->events.wake);
            event = sluice_events_take(&run->events);
            if (event == NULL) {
                run->service.sleeps++;
                sluice_wake_wait(&run->events.wake, prepared, -1);
                continue;
            }
            sluice_wake_cancel(&run->events.wake);
        }
        STRESS_CHECK(event->first >= next, "events out of order");
        STRESS_CHECK(event->last == stress_mix(event->first), "torn event");
        next = event->first + 1;
        if (event->kind == SLUICE_EVENT_END) {
            STRESS_CHECK(event->summary != NULL && event->summary->expected == event->first,
                         "the summary is not the one that was posted");
            run->ends_taken++;
        } else {
            run->visible_taken++;
        }
        sluice_events_give_back(&run->events, event);
        stress_pause(&run->service);
    }
    return NULL;
}

static void test_every_end_reaches_the_service_whatever_is_left_out(void **state)
{
    (void)state;
    struct events_run *run = aligned_alloc(SLUICE_CACHE_LINE, sizeof *run);
    assert_non_null(run);
    memset(run, 0, sizeof *run);
    run->total = 100000 * stress_scale;
    run->writer = (struct stress_self){.random = stress_mix(stress_seed), .pause_every = 500};
    run->service = (struct stress_self){.random = stress_mix(stress_seed + 1), .pause_every = 50};
    assert_int_equal(sluice_events_init(&run->events), SLUICE_OK);
    pthread_t writer, service;
    stress_start(&service, events_serve, run);
    stress_start(&writer, events_write, run);
    stress_join(writer, "the writer");
    stress_join(service, "the service");
    printf("events: %llu posted, %llu left out, service slept %llu times\n",
           (unsigned long long)run->visible_posted, (unsigned long long)run->visible_left_out,
           (unsigned long long)run->service.sleeps);
    assert_int_equal(run->ends_taken, run->total / 50);
    assert_int_equal(run->visible_taken, run->visible_posted);
    sluice_events_close(&run->events);
    free(run);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_three_workers_lose_and_double_nothing_at_full_speed),
        cmocka_unit_test(test_three_workers_lose_and_double_nothing_with_few_slots),
        cmocka_unit_test(test_every_end_reaches_the_service_whatever_is_left_out),
    };
    return stress_begin(argc, argv) ? cmocka_run_group_tests(tests, NULL, NULL) : 2;
}
