/* SPDX-License-Identifier: Apache-2.0
 *
 * Children that return, crash, get stuck, are interrupted, and one whose parent is killed. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/guard.h"

static struct sluice_guard_result guarded(int (*work)(void *), void *context, unsigned stuck_s)
{
    struct sluice_guard_result result;
    struct sluice_error error = {0};
    assert_int_equal(sluice_guard_run(work, context, stuck_s, &result, &error), SLUICE_OK);
    return result;
}

static int give(void *context)
{
    sluice_guard_file("a.h5");
    return *(int *)context;
}

static void the_work_returns_and_its_code_comes_back(void **state)
{
    (void)state;
    for (int code = 0; code < 4; code++) {
        struct sluice_guard_result result = guarded(give, &code, 5);
        assert_int_equal(result.code, code);
        assert_string_equal(result.why, "");
        assert_string_equal(result.file, "a.h5");
        assert_false(result.interrupted);
    }
}

static int crash(void *context)
{
    const struct rlimit none = {0};
    setrlimit(RLIMIT_CORE, &none);
    sluice_guard_file("first.h5");
    sluice_guard_file("second.h5");
    signal(*(int *)context, SIG_DFL); /* sanitizers have handlers of their own */
    raise(*(int *)context);
    return 0;
}

static void a_crash_is_told_with_the_file_opened_last(void **state)
{
    (void)state;
    int signals[] = {SIGABRT, SIGSEGV, SIGBUS, SIGFPE};
    for (int i = 0; i < 4; i++) {
        struct sluice_guard_result result = guarded(crash, &signals[i], 5);
        assert_int_equal(result.code, -1);
        assert_non_null(strstr(result.why, "HDF5 crashed on it ("));
        assert_non_null(strstr(result.why, strsignal(signals[i])));
        assert_string_equal(result.file, "second.h5");
    }
    int killed = SIGKILL;
    assert_non_null(strstr(guarded(crash, &killed, 5).why, "out of memory"));
}

static double cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int spin(void *context)
{
    double alive_s = *(double *)context, end = cpu_seconds() + alive_s;
    while (cpu_seconds() < end)
        sluice_guard_alive();
    end = cpu_seconds() + 20;
    while (alive_s == 0 && cpu_seconds() < end)
        continue;
    return 7;
}

static void computing_without_a_sign_of_life_is_ended_and_with_one_it_is_not(void **state)
{
    (void)state;
    double silent = 0, alive = 1.5;
    struct sluice_guard_result result = guarded(spin, &silent, 1);
    assert_int_equal(result.code, -1);
    assert_non_null(strstr(result.why, "does not come back from it (1 s"));
    assert_int_equal(guarded(spin, &alive, 1).code, 7);
}

static volatile sig_atomic_t stopped;

static void on_stop(int number)
{
    stopped = number;
}

static int stop_parent_and_wait(void *context)
{
    (void)context;
    kill(getppid(), SIGTERM);
    for (int i = 0; i < 5000 && !stopped; i++)
        usleep(1000);
    return stopped == SIGTERM ? 3 : 4;
}

static void a_stop_is_passed_on_to_the_work_and_told(void **state)
{
    (void)state;
    const struct sigaction action = {.sa_handler = on_stop};
    sigaction(SIGTERM, &action, NULL);
    struct sluice_guard_result result = guarded(stop_parent_and_wait, NULL, 5);
    assert_int_equal(result.code, 3);
    assert_true(result.interrupted);
    assert_int_equal(stopped, 0); /* the parent's own handler is back, and was not called */
    raise(SIGTERM);
    assert_int_equal(stopped, SIGTERM);
    signal(SIGTERM, SIG_DFL);
}

static int tell_and_sleep(void *context)
{
    pid_t own = getpid();
    int pipe_end = *(int *)context;
    if (write(pipe_end, &own, sizeof(own)) != sizeof(own))
        return 1;
    sleep(60);
    return 0;
}

static void a_killed_parent_takes_its_child_with_it(void **state)
{
    (void)state;
    int ends[2];
    pid_t worker = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t parent = fork();
    if (parent == 0) {
        struct sluice_guard_result result;
        close(ends[0]);
        sluice_guard_run(tell_and_sleep, &ends[1], 5, &result, NULL);
        _exit(0);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &worker, sizeof(worker)), sizeof(worker));
    kill(parent, SIGKILL);
    waitpid(parent, NULL, 0);
    char more;
    assert_int_equal(read(ends[0], &more, 1), 0); /* the worker's end is closed: it is gone */
    close(ends[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_work_returns_and_its_code_comes_back),
        cmocka_unit_test(a_crash_is_told_with_the_file_opened_last),
        cmocka_unit_test(computing_without_a_sign_of_life_is_ended_and_with_one_it_is_not),
        cmocka_unit_test(a_stop_is_passed_on_to_the_work_and_told),
        cmocka_unit_test(a_killed_parent_takes_its_child_with_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
