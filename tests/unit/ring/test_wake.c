/* SPDX-License-Identifier: Apache-2.0
 *
 * The event count step by step: each place where a signal can fall between the consumer's steps.
 * That no interleaving loses one is for tests/model and tests/stress. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "ingest/ring/wake.h"

#define MS        INT64_C(1000000)
#define FOR_EVER  (-1)
#define LONG_TIME (20000 * MS) /* a wait that ends by this has failed */

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void test_a_wait_without_a_signal_lasts_its_time(void **state)
{
    (void)state;
    struct sluice_wake wake = {0};
    int64_t start = now_ns();
    /* It may return early (a signal handler), but not every time. */
    for (int i = 0; i < 3 && now_ns() - start < 20 * MS; i++) {
        sluice_wake_wait(&wake, sluice_wake_prepare(&wake), 20 * MS);
    }
    assert_true(now_ns() - start >= 20 * MS);
}

static void test_a_wait_of_no_time_returns(void **state)
{
    (void)state;
    struct sluice_wake wake = {0};
    sluice_wake_wait(&wake, sluice_wake_prepare(&wake), 0);
}

static void test_a_signal_between_prepare_and_wait_is_not_lost(void **state)
{
    (void)state;
    struct sluice_wake wake = {0};
    uint32_t prepared = sluice_wake_prepare(&wake);
    sluice_wake_signal(&wake);
    int64_t start = now_ns();
    sluice_wake_wait(&wake, prepared, LONG_TIME);
    assert_true(now_ns() - start < LONG_TIME / 2);
}

static void test_a_signal_before_prepare_does_not_end_the_wait(void **state)
{
    (void)state;
    struct sluice_wake wake = {0};
    sluice_wake_signal(&wake);
    int64_t start = now_ns();
    for (int i = 0; i < 3 && now_ns() - start < 20 * MS; i++) {
        sluice_wake_wait(&wake, sluice_wake_prepare(&wake), 20 * MS);
    }
    assert_true(now_ns() - start >= 20 * MS);
}

/* Bit 0 is what makes a signal call the kernel, so it is the cost that the header promises. */
static void test_only_a_consumer_that_sleeps_costs_a_system_call(void **state)
{
    (void)state;
    struct sluice_wake wake = {0};
    assert_int_equal(sluice_load_relaxed(&wake.word) & 1, 0);
    sluice_wake_prepare(&wake);
    assert_int_equal(sluice_load_relaxed(&wake.word) & 1, 1);
    sluice_wake_cancel(&wake);
    assert_int_equal(sluice_load_relaxed(&wake.word) & 1, 0);
    sluice_wake_prepare(&wake);
    sluice_wake_signal(&wake);
    assert_int_equal(sluice_load_relaxed(&wake.word) & 1, 0);
    sluice_wake_wait(&wake, sluice_wake_prepare(&wake), 0);
    assert_int_equal(sluice_load_relaxed(&wake.word) & 1, 0);
}

static void test_the_count_of_signals_may_wrap(void **state)
{
    (void)state;
    struct sluice_wake wake;
    atomic_init(&wake.word, UINT32_MAX - 1); /* bit 0 clear, the count at its largest */
    uint32_t prepared = sluice_wake_prepare(&wake);
    sluice_wake_signal(&wake);
    assert_int_equal(sluice_load_relaxed(&wake.word), 0);
    int64_t start = now_ns();
    sluice_wake_wait(&wake, prepared, LONG_TIME);
    assert_true(now_ns() - start < LONG_TIME / 2);
}

struct sleeper {
    struct sluice_wake wake;
    _Atomic uint32_t go;
};

static void *sleep_until_go(void *context)
{
    struct sleeper *sleeper = context;
    for (;;) {
        uint32_t prepared = sluice_wake_prepare(&sleeper->wake);
        if (sluice_load_relaxed(&sleeper->go)) {
            sluice_wake_cancel(&sleeper->wake);
            return NULL;
        }
        sluice_wake_wait(&sleeper->wake, prepared, FOR_EVER);
    }
}

static void test_a_signal_wakes_a_thread_that_sleeps_for_ever(void **state)
{
    (void)state;
    struct sleeper sleeper = {0};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, sleep_until_go, &sleeper), 0);
    nanosleep(&(struct timespec){.tv_nsec = 10 * MS}, NULL); /* most likely it sleeps by now */
    sluice_store_relaxed(&sleeper.go, 1);                    /* ordered by the signal after it */
    sluice_wake_signal(&sleeper.wake);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_wait_without_a_signal_lasts_its_time),
        cmocka_unit_test(test_a_wait_of_no_time_returns),
        cmocka_unit_test(test_a_signal_between_prepare_and_wait_is_not_lost),
        cmocka_unit_test(test_a_signal_before_prepare_does_not_end_the_wait),
        cmocka_unit_test(test_only_a_consumer_that_sleeps_costs_a_system_call),
        cmocka_unit_test(test_the_count_of_signals_may_wrap),
        cmocka_unit_test(test_a_signal_wakes_a_thread_that_sleeps_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
