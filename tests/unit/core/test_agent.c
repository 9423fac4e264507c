/* SPDX-License-Identifier: Apache-2.0
 *
 * The life of an agent: it works, spins, waits, is woken, says that it is done, and is joined. */
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/agent.h"
#include "core/atomics.h"
#include "core/clock.h"

struct worker {
    sem_t wake;
    _Atomic int work;   /* items to do; DONE ends it */
    _Atomic int done;   /* items done */
    _Atomic int waits;  /* how often it slept */
    _Atomic int cycles; /* how often it was asked */
    char name[16];
    int cpu;
    bool blocks_signals;
};

static int do_work(void *context)
{
    struct worker *worker = context;
    int work = atomic_load(&worker->work);

    if (atomic_fetch_add(&worker->cycles, 1) == 0) {
        sigset_t mask;

        pthread_getname_np(pthread_self(), worker->name, sizeof worker->name);
        pthread_sigmask(SIG_SETMASK, NULL, &mask);
        worker->blocks_signals = sigismember(&mask, SIGINT) == 1 &&
                                 sigismember(&mask, SIGTERM) == 1 &&
                                 sigismember(&mask, SIGUSR1) == 0;
        worker->cpu = sched_getcpu();
    }
    if (work <= 0)
        return work;
    atomic_fetch_sub(&worker->work, 1);
    atomic_fetch_add(&worker->done, 1);
    return 1;
}

static void wait_for_wake(void *context)
{
    struct worker *worker = context;

    atomic_fetch_add(&worker->waits, 1);
    sem_wait(&worker->wake);
}

static const struct sluice_agent_ops ops = {"worker", do_work, wait_for_wake, NULL};

static void give(struct worker *worker, int work)
{
    atomic_store(&worker->work, work);
    sem_post(&worker->wake);
}

/* Polls `value` until it is at least `least`; fails after 10 s. */
static void await(_Atomic int *value, int least)
{
    for (int i = 0; i < 10000; i++) {
        if (atomic_load(value) >= least)
            return;
        usleep(1000);
    }
    fail_msg("the agent did not get there: %d, not %d", atomic_load(value), least);
}

static void an_agent_works_waits_and_ends(void **state)
{
    struct worker worker = {.work = 3};
    struct sluice_agent agent = {0};
    const struct sluice_agent_settings settings = {.cpu = -1};

    (void)state;
    sem_init(&worker.wake, 0, 0);
    assert_int_equal(sluice_agent_start(&agent, &ops, &worker, &settings, NULL), SLUICE_OK);
    assert_true(agent.started);
    await(&worker.waits, 1);
    assert_int_equal(worker.done, 3);
    give(&worker, 2);
    await(&worker.waits, 2);
    assert_int_equal(worker.done, 5);
    /* without spinning it is asked once for nothing, then sleeps */
    assert_int_equal(worker.cycles, 5 + 2);
    assert_false(sluice_load_acquire(&agent.done)); /* [edge AGENT_DONE] */
    give(&worker, SLUICE_AGENT_DONE);
    sluice_agent_join(&agent);
    assert_false(agent.started);
    assert_true(sluice_load_acquire(&agent.done)); /* [edge AGENT_DONE] */
    sluice_agent_join(&agent);                     /* once more does nothing */
    assert_string_equal(worker.name, "worker");
    assert_true(worker.blocks_signals);
    sem_destroy(&worker.wake);
}

static void it_sleeps_at_once_after_a_pause_in_which_spinning_did_not_pay(void **state)
{
    struct worker worker = {0};
    struct sluice_agent agent = {0};
    const struct sluice_agent_settings settings = {.cpu = -1, .spin_us = 2000};

    (void)state;
    sem_init(&worker.wake, 0, 0);
    assert_int_equal(sluice_agent_start(&agent, &ops, &worker, &settings, NULL), SLUICE_OK);
    await(&worker.waits, 1); /* it spun, and then slept */
    const int spun = atomic_load(&worker.cycles);
    assert_true(spun > 10);
    for (int pauses = 1; pauses <= 3; pauses++) {
        usleep(5 * 2000);
        give(&worker, 1);
        await(&worker.waits, 1 + pauses);
        /* asked for the work, once more in vain, and no more */
        assert_int_equal(worker.cycles, spun + 2 * pauses);
    }
    give(&worker, SLUICE_AGENT_DONE);
    sluice_agent_join(&agent);
    sem_destroy(&worker.wake);
}

static bool rests(void *context)
{
    (void)context;
    return true;
}

static void it_sleeps_at_once_when_it_says_that_asking_on_would_not_pay(void **state)
{
    static const struct sluice_agent_ops resting = {"worker", do_work, wait_for_wake, rests};
    struct worker worker = {0};
    struct sluice_agent agent = {0};
    const struct sluice_agent_settings settings = {.cpu = -1, .spin_us = 1000000};

    (void)state;
    sem_init(&worker.wake, 0, 0);
    assert_int_equal(sluice_agent_start(&agent, &resting, &worker, &settings, NULL), SLUICE_OK);
    await(&worker.waits, 1);
    give(&worker, 1);
    await(&worker.waits, 2);
    assert_int_equal(worker.cycles, 3); /* asked for nothing, for the work, and for nothing */
    give(&worker, SLUICE_AGENT_DONE);
    sluice_agent_join(&agent);
    sem_destroy(&worker.wake);
}

static void it_spins_for_as_long_as_it_was_told(void **state)
{
    struct worker worker = {0};
    struct sluice_agent agent = {0};
    const struct sluice_agent_settings settings = {.cpu = -1, .spin_us = 20000};
    int64_t start = sluice_now_ns(sluice_clock_system());

    (void)state;
    sem_init(&worker.wake, 0, 0);
    assert_int_equal(sluice_agent_start(&agent, &ops, &worker, &settings, NULL), SLUICE_OK);
    await(&worker.waits, 1);
    assert_true(sluice_now_ns(sluice_clock_system()) - start >= 20 * SLUICE_NS_PER_MS);
    assert_true(worker.cycles > 10);
    give(&worker, SLUICE_AGENT_DONE);
    sluice_agent_join(&agent);
    sem_destroy(&worker.wake);
}

static void it_runs_on_the_cpu_it_was_given(void **state)
{
    struct worker worker = {.work = SLUICE_AGENT_DONE};
    struct sluice_agent agent = {0};
    struct sluice_agent_settings settings = {.cpu = sched_getcpu()};

    (void)state;
    sem_init(&worker.wake, 0, 0);
    assert_int_equal(sluice_agent_start(&agent, &ops, &worker, &settings, NULL), SLUICE_OK);
    sluice_agent_join(&agent);
    assert_int_equal(worker.cpu, settings.cpu);
    sem_destroy(&worker.wake);
}

static void a_cpu_that_is_not_there_is_only_a_warning(void **state)
{
    static const int cpus[] = {1023, 1000000};
    char text[512] = "";

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct worker worker = {.work = SLUICE_AGENT_DONE};
        struct sluice_agent agent = {0};
        const struct sluice_agent_settings settings = {.cpu = cpus[i]};
        FILE *sink = tmpfile();
        int real_stderr = dup(STDERR_FILENO);

        assert_non_null(sink);
        sem_init(&worker.wake, 0, 0);
        dup2(fileno(sink), STDERR_FILENO);
        assert_int_equal(sluice_agent_start(&agent, &ops, &worker, &settings, NULL), SLUICE_OK);
        sluice_agent_join(&agent);
        dup2(real_stderr, STDERR_FILENO);
        close(real_stderr);
        rewind(sink);
        assert_non_null(fgets(text, sizeof text, sink));
        assert_non_null(strstr(text, "agent worker cannot run on cpu 10"));
        fclose(sink);
        assert_int_equal(worker.cycles, 1);
        sem_destroy(&worker.wake);
    }
}

static void the_starter_keeps_its_own_signals(void **state)
{
    struct worker worker = {.work = SLUICE_AGENT_DONE};
    struct sluice_agent agent = {0};
    const struct sluice_agent_settings settings = {.cpu = -1};
    sigset_t mask;

    (void)state;
    sem_init(&worker.wake, 0, 0);
    assert_int_equal(sluice_agent_start(&agent, &ops, &worker, &settings, NULL), SLUICE_OK);
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    assert_int_equal(sigismember(&mask, SIGINT), 0);
    assert_int_equal(sigismember(&mask, SIGTERM), 0);
    sluice_agent_join(&agent);
    sem_destroy(&worker.wake);
}

static void joining_what_was_never_started_does_nothing(void **state)
{
    struct sluice_agent agent = {0};

    (void)state;
    sluice_agent_join(&agent);
    assert_false(agent.started);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_agent_works_waits_and_ends),
        cmocka_unit_test(it_sleeps_at_once_when_it_says_that_asking_on_would_not_pay),
        cmocka_unit_test(it_spins_for_as_long_as_it_was_told),
        cmocka_unit_test(it_sleeps_at_once_after_a_pause_in_which_spinning_did_not_pay),
        cmocka_unit_test(it_runs_on_the_cpu_it_was_given),
        cmocka_unit_test(a_cpu_that_is_not_there_is_only_a_warning),
        cmocka_unit_test(the_starter_keeps_its_own_signals),
        cmocka_unit_test(joining_what_was_never_started_does_nothing),
    };

    return cmocka_run_group_tests_name("core: agent", tests, NULL, NULL);
}
