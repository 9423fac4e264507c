/* SPDX-License-Identifier: Apache-2.0
 *
 * The rings between real threads, with a sink that checks everything: each slot's payload is whole,
 * each item comes once and in order. Slots go round (a second ring brings them back), so both sides
 * run dry and sleep for ever; a lost wake-up then stops the round, and the watchdog in main says
 * so. Consumers spoil a payload before they give its slot back: whoever reads too late sees that.
 *
 * The payloads are plain memory: under ThreadSanitizer a missing edge is a reported race.
 * SLUICE_SEED repeats the pauses (not the schedule); the first argument multiplies the counts. */
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
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "ingest/ring/events.h"
#include "ingest/ring/fan.h"

#define WATCHDOG_S  120
#define WORDS       8
#define SLOTS_MAX   64
#define FAN_WORKERS 3

static uint64_t seed;
static uint64_t scale = 1;

struct slot {
    uint64_t words[WORDS];
};

/* One thread's own state: random numbers, and how often it slept. */
struct self {
    uint64_t random;
    uint32_t pause_every; /* 0: never */
    uint64_t sleeps;
};

static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Now and then gives the processor away, so that the other side overtakes or runs dry. */
static void maybe_pause(struct self *self)
{
    uint64_t z = mix(self->random += UINT64_C(0x9e3779b97f4a7c15));
    if (self->pause_every == 0 || z % self->pause_every != 0) {
        return;
    }
    if (z & (UINT64_C(1) << 40)) {
        sched_yield();
    } else {
        nanosleep(&(struct timespec){.tv_nsec = (long)(z >> 48)}, NULL);
    }
}

/* A failure in a thread of ours ends the program: cmocka's asserts work in main only. */
#define CHECK(condition, ...)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #condition);                        \
            fprintf(stderr, __VA_ARGS__);                                                          \
            fprintf(stderr, "\n");                                                                 \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

static void start(pthread_t *thread, void *(*run)(void *), void *context)
{
    assert_int_equal(pthread_create(thread, NULL, run, context), 0);
}

static void join(pthread_t thread, const char *name)
{
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += WATCHDOG_S * (time_t)scale;
    CHECK(pthread_timedjoin_np(thread, NULL, &deadline) == 0,
          "%s still waits after %d s: a wake-up was lost", name, WATCHDOG_S * (int)scale);
}

static void fill(struct slot *slot, uint64_t sequence)
{
    for (uint64_t i = 0; i < WORDS; i++) {
        slot->words[i] = i == 0 ? sequence : mix(sequence * WORDS + i);
    }
}

static void check_and_spoil(struct slot *slot, uint64_t sequence)
{
    CHECK(slot->words[0] == sequence, "came %llu, expected %llu",
          (unsigned long long)slot->words[0], (unsigned long long)sequence);
    for (uint64_t i = 1; i < WORDS; i++) {
        CHECK(slot->words[i] == mix(sequence * WORDS + i), "torn payload in image %llu",
              (unsigned long long)sequence);
    }
    memset(slot, 0xee, sizeof *slot);
}

/* The consumer's side of the event count, as the agents use it. */
static uint32_t pop_or_sleep(struct sluice_spsc *ring, struct sluice_wake *wake, struct self *self)
{
    uint32_t slot;
    while (sluice_spsc_pop(ring, &slot) != SLUICE_OK) {
        uint32_t prepared = sluice_wake_prepare(wake);
        if (sluice_spsc_pop(ring, &slot) == SLUICE_OK) {
            sluice_wake_cancel(wake);
            break;
        }
        self->sleeps++;
        sluice_wake_wait(wake, prepared, -1);
    }
    return slot;
}

static void push_and_signal(struct sluice_spsc *ring, struct sluice_wake *wake, uint32_t slot)
{
    CHECK(sluice_spsc_push(ring, slot) == SLUICE_OK, "a ring that holds every slot is full");
    sluice_wake_signal(wake);
}

/* ---- the bare ring, smaller than what goes through it: full and empty, no event count ---- */

struct bare {
    struct sluice_spsc ring;
    uint64_t total;
};

static void *bare_push(void *context)
{
    struct bare *bare = context;
    for (uint64_t i = 0; i < bare->total; i++) {
        while (sluice_spsc_push(&bare->ring, (uint32_t)mix(i)) != SLUICE_OK) {
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
            CHECK(slots[k] == (uint32_t)mix(i), "number %llu is wrong", (unsigned long long)i);
        }
    }
    return NULL;
}

static void test_a_place_is_written_again_only_after_it_was_read(void **state)
{
    (void)state;
    struct bare *bare = aligned_alloc(SLUICE_CACHE_LINE, sizeof *bare);
    assert_non_null(bare);
    bare->total = 300000 * scale;
    assert_int_equal(sluice_spsc_init(&bare->ring, 4, UINT32_MAX - 100000), SLUICE_OK);
    pthread_t producer, consumer;
    start(&consumer, bare_pop, bare);
    start(&producer, bare_push, bare);
    join(producer, "the producer");
    join(consumer, "the consumer");
    assert_int_equal(sluice_spsc_count(&bare->ring), 0);
    sluice_spsc_close(&bare->ring);
    free(bare);
}

/* ---- one producer, one consumer ---- */

struct pair {
    struct sluice_spsc filled, empty;
    struct sluice_wake filled_wake, empty_wake;
    struct slot slots[SLOTS_MAX];
    uint64_t total;
    bool take_many;
    struct self producer, consumer;
};

static void *pair_produce(void *context)
{
    struct pair *pair = context;
    for (uint64_t sequence = 0; sequence < pair->total; sequence++) {
        uint32_t slot = pop_or_sleep(&pair->empty, &pair->empty_wake, &pair->producer);
        fill(&pair->slots[slot], sequence);
        push_and_signal(&pair->filled, &pair->filled_wake, slot);
        maybe_pause(&pair->producer);
    }
    return NULL;
}

static void *pair_consume(void *context)
{
    struct pair *pair = context;
    for (uint64_t sequence = 0; sequence < pair->total;) {
        uint32_t slots[SLOTS_MAX];
        slots[0] = pop_or_sleep(&pair->filled, &pair->filled_wake, &pair->consumer);
        uint32_t count = 1;
        if (pair->take_many) {
            count += sluice_spsc_pop_many(&pair->filled, slots + 1, SLOTS_MAX - 1);
        }
        for (uint32_t i = 0; i < count; i++) {
            check_and_spoil(&pair->slots[slots[i]], sequence++);
            push_and_signal(&pair->empty, &pair->empty_wake, slots[i]);
        }
        maybe_pause(&pair->consumer);
    }
    return NULL;
}

static void run_pair(const char *name, uint32_t slot_count, uint64_t total, bool take_many,
                     uint32_t pause_every)
{
    struct pair *pair = aligned_alloc(SLUICE_CACHE_LINE, sizeof *pair);
    assert_non_null(pair);
    memset(pair, 0, sizeof *pair);
    pair->total = total * scale;
    pair->take_many = take_many;
    pair->producer = (struct self){.random = mix(seed), .pause_every = pause_every};
    pair->consumer = (struct self){.random = mix(seed + 1), .pause_every = pause_every};
    /* The indices wrap on the way. */
    uint32_t first = UINT32_MAX - (uint32_t)(total / 2);
    assert_int_equal(sluice_spsc_init(&pair->filled, slot_count, first), SLUICE_OK);
    assert_int_equal(sluice_spsc_init(&pair->empty, slot_count, first), SLUICE_OK);
    for (uint32_t i = 0; i < slot_count; i++) {
        assert_int_equal(sluice_spsc_push(&pair->empty, i), SLUICE_OK);
    }
    pthread_t producer, consumer;
    start(&consumer, pair_consume, pair);
    start(&producer, pair_produce, pair);
    join(producer, "the producer");
    join(consumer, "the consumer");
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

/* ---- one dealer, three workers, one collector ---- */

struct fan_run {
    struct sluice_fan out, in;
    struct sluice_spsc empty;
    struct sluice_wake empty_wake;
    _Atomic uint32_t stop;
    struct slot slots[SLOTS_MAX];
    uint32_t workers[SLOTS_MAX]; /* who worked on the slot; goes with it */
    uint64_t total;
    bool *seen;
    struct self dealer, collector;
};

struct fan_worker {
    struct fan_run *run;
    uint32_t number;
    struct self self;
};

static void *fan_deal(void *context)
{
    struct fan_run *run = context;
    for (uint64_t sequence = 0; sequence < run->total; sequence++) {
        uint32_t slot = pop_or_sleep(&run->empty, &run->empty_wake, &run->dealer);
        fill(&run->slots[slot], sequence);
        CHECK(sluice_fan_deal(&run->out, slot) == SLUICE_OK, "no ring takes the slot");
        maybe_pause(&run->dealer);
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
        check_and_spoil(&run->slots[slot], sequence);
        fill(&run->slots[slot], ~sequence);
        run->workers[slot] = worker->number;
        CHECK(sluice_fan_give(&run->in, worker->number, slot) == SLUICE_OK,
              "a ring that holds every slot is full");
        maybe_pause(&worker->self);
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
            CHECK(sequence < run->total && !run->seen[sequence], "image %llu came twice",
                  (unsigned long long)sequence);
            CHECK(sequence >= next[worker], "worker %u gave its images out of order", worker);
            run->seen[sequence] = true;
            next[worker] = sequence + 1;
            check_and_spoil(&run->slots[slots[i]], ~sequence);
            push_and_signal(&run->empty, &run->empty_wake, slots[i]);
        }
        collected += count;
        maybe_pause(&run->collector);
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
    run->total = total * scale;
    run->seen = calloc(run->total, sizeof *run->seen);
    assert_non_null(run->seen);
    run->dealer = (struct self){.random = mix(seed), .pause_every = pause_every};
    run->collector = (struct self){.random = mix(seed + 1), .pause_every = pause_every};
    assert_int_equal(sluice_fan_init(&run->out, FAN_WORKERS, slot_count), SLUICE_OK);
    assert_int_equal(sluice_fan_init(&run->in, FAN_WORKERS, slot_count), SLUICE_OK);
    assert_int_equal(sluice_spsc_init(&run->empty, slot_count, UINT32_MAX - 1000), SLUICE_OK);
    for (uint32_t i = 0; i < slot_count; i++) {
        assert_int_equal(sluice_spsc_push(&run->empty, i), SLUICE_OK);
    }
    struct fan_worker workers[FAN_WORKERS];
    pthread_t threads[FAN_WORKERS], dealer, collector;
    for (uint32_t i = 0; i < FAN_WORKERS; i++) {
        workers[i] =
            (struct fan_worker){.run = run,
                                .number = i,
                                .self = {.random = mix(seed + 2 + i), .pause_every = pause_every}};
        start(&threads[i], fan_work, &workers[i]);
    }
    start(&collector, fan_collect, run);
    start(&dealer, fan_deal, run);
    join(dealer, "the dealer");
    join(collector, "the collector");
    uint64_t sleeps = 0;
    for (uint32_t i = 0; i < FAN_WORKERS; i++) {
        join(threads[i], "a worker");
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
    struct self writer, service;
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
        event->last = mix(i);
        if (is_end) {
            event->summary = sluice_summary_create();
            CHECK(event->summary != NULL, "no memory");
            event->summary->expected = i;
        } else {
            run->visible_posted++;
        }
        sluice_events_post(&run->events, event);
        maybe_pause(&run->writer);
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
        CHECK(event->first >= next, "events out of order");
        CHECK(event->last == mix(event->first), "torn event");
        next = event->first + 1;
        if (event->kind == SLUICE_EVENT_END) {
            CHECK(event->summary != NULL && event->summary->expected == event->first,
                  "the summary is not the one that was posted");
            run->ends_taken++;
        } else {
            run->visible_taken++;
        }
        sluice_events_give_back(&run->events, event);
        maybe_pause(&run->service);
    }
    return NULL;
}

static void test_every_end_reaches_the_service_whatever_is_left_out(void **state)
{
    (void)state;
    struct events_run *run = aligned_alloc(SLUICE_CACHE_LINE, sizeof *run);
    assert_non_null(run);
    memset(run, 0, sizeof *run);
    run->total = 100000 * scale;
    run->writer = (struct self){.random = mix(seed), .pause_every = 500};
    run->service = (struct self){.random = mix(seed + 1), .pause_every = 50};
    assert_int_equal(sluice_events_init(&run->events), SLUICE_OK);
    pthread_t writer, service;
    start(&service, events_serve, run);
    start(&writer, events_write, run);
    join(writer, "the writer");
    join(service, "the service");
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
    const char *text = getenv("SLUICE_SEED");
    seed = text != NULL ? strtoull(text, NULL, 0) : (uint64_t)time(NULL);
    if (argc > 1) {
        scale = strtoull(argv[1], NULL, 10);
        if (scale == 0) {
            fprintf(stderr, "usage: %s [TIMES]\n", argv[0]);
            return 2;
        }
    }
    printf("SLUICE_SEED=%llu\n", (unsigned long long)seed);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_place_is_written_again_only_after_it_was_read),
        cmocka_unit_test(test_images_pass_whole_and_in_order_at_full_speed),
        cmocka_unit_test(test_images_pass_whole_and_in_order_when_taken_many_at_once),
        cmocka_unit_test(test_both_sides_wake_each_other_over_a_single_slot),
        cmocka_unit_test(test_images_pass_whole_and_in_order_when_both_sides_pause),
        cmocka_unit_test(test_three_workers_lose_and_double_nothing_at_full_speed),
        cmocka_unit_test(test_three_workers_lose_and_double_nothing_with_few_slots),
        cmocka_unit_test(test_every_end_reaches_the_service_whatever_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
