/* SPDX-License-Identifier: Apache-2.0
 *
 * The level of vector instructions: what the environment and the program may lower, and that
 * nothing raises it beyond the processor. The environment is read once, so each of its cases runs
 * in a process of its own (this program, called again). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/cpu.h"

static enum sluice_cpu_level best;

static void a_limit_lowers_the_level_and_can_be_lifted_again(void **state)
{
    (void)state;
    for (int i = 0; i < SLUICE_CPU_LEVEL_COUNT; i++) {
        enum sluice_cpu_level limit = (enum sluice_cpu_level)i;
        enum sluice_cpu_level expected = limit < best ? limit : best;

        assert_int_equal(sluice_cpu_limit(limit), expected);
        assert_int_equal(sluice_cpu_level(), expected);
    }
    assert_int_equal(sluice_cpu_limit(SLUICE_CPU_AVX512), best);
}

static void every_level_has_a_name_that_leads_back_to_it(void **state)
{
    enum sluice_cpu_level level;

    (void)state;
    for (int i = 0; i < SLUICE_CPU_LEVEL_COUNT; i++) {
        level = SLUICE_CPU_AVX512;
        assert_true(
            sluice_cpu_level_from_name(sluice_cpu_level_name((enum sluice_cpu_level)i), &level));
        assert_int_equal(level, i);
    }
    assert_true(sluice_cpu_level_from_name("auto", &level));
    assert_int_equal(level, SLUICE_CPU_AVX512);
    level = SLUICE_CPU_AVX2;
    assert_false(sluice_cpu_level_from_name("sse2", &level));
    assert_false(sluice_cpu_level_from_name("", &level));
    assert_int_equal(level, SLUICE_CPU_AVX2);
}

/* The level that a new process finds with this in its environment. */
static int level_with(const char *instructions)
{
    int status;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        setenv("SLUICE_INSTRUCTIONS", instructions, 1);
        execl("/proc/self/exe", "test_cpu", "print", (char *)NULL);
        _exit(99);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void the_environment_lowers_the_level_but_never_raises_it(void **state)
{
    int hardware = level_with("auto");

    (void)state;
    assert_in_range(hardware, best, SLUICE_CPU_AVX512);
    assert_int_equal(level_with("scalar"), SLUICE_CPU_SCALAR);
    for (int i = 0; i < SLUICE_CPU_LEVEL_COUNT; i++)
        assert_int_equal(level_with(sluice_cpu_level_name((enum sluice_cpu_level)i)),
                         i < hardware ? i : hardware);
    assert_int_equal(level_with("sse2"), hardware);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_limit_lowers_the_level_and_can_be_lifted_again),
        cmocka_unit_test(every_level_has_a_name_that_leads_back_to_it),
        cmocka_unit_test(the_environment_lowers_the_level_but_never_raises_it),
    };

    best = sluice_cpu_level();
    if (argc > 1 && strcmp(argv[1], "print") == 0)
        return (int)best;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
