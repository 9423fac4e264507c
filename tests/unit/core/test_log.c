/* SPDX-License-Identifier: Apache-2.0
 *
 * Log lines as they arrive at file descriptor 2, which the tests point at a file. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/clock.h"
#include "core/log.h"
#include "tests/support/skip.h"

static FILE *sink;
static int real_stderr;
static char got[65536];

static int redirect(void **state)
{
    (void)state;
    sink = tmpfile();
    real_stderr = dup(STDERR_FILENO);
    unsetenv("JOURNAL_STREAM");
    sluice_log_set_level(SLUICE_LOG_INFO);
    return sink != NULL && dup2(fileno(sink), STDERR_FILENO) >= 0 ? 0 : -1;
}

static int restore(void **state)
{
    (void)state;
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    return fclose(sink);
}

/* All that was logged so far. */
static const char *logged(void)
{
    ssize_t bytes = pread(fileno(sink), got, sizeof got - 1, 0);

    got[bytes > 0 ? bytes : 0] = '\0';
    return got;
}

static size_t lines(void)
{
    size_t count = 0;

    for (const char *at = logged(); (at = strchr(at, '\n')) != NULL; at++)
        count++;
    return count;
}

static void a_line_has_level_room_and_text(void **state)
{
    (void)state;
    sluice_log_info("source", "series opened id=%d", 12);
    assert_string_equal(logged(), "info     source: series opened id=12\n");
}

static void lines_below_the_level_are_not_written(void **state)
{
    (void)state;
    sluice_log_debug("core", "no");
    assert_string_equal(logged(), "");
    sluice_log_set_level(SLUICE_LOG_ERROR);
    sluice_log_warning("core", "no");
    assert_string_equal(logged(), "");
    sluice_log_set_level(SLUICE_LOG_DEBUG);
    sluice_log_debug("core", "yes");
    assert_string_equal(logged(), "debug    core: yes\n");
}

static void levels_have_names(void **state)
{
    (void)state;
    assert_int_equal(sluice_log_level_from_name("error"), SLUICE_LOG_ERROR);
    assert_int_equal(sluice_log_level_from_name("warning"), SLUICE_LOG_WARNING);
    assert_int_equal(sluice_log_level_from_name("info"), SLUICE_LOG_INFO);
    assert_int_equal(sluice_log_level_from_name("debug"), SLUICE_LOG_DEBUG);
    assert_int_equal(sluice_log_level_from_name("Error"), -1);
    assert_int_equal(sluice_log_level_from_name(""), -1);
}

static void foreign_text_cannot_make_a_second_line(void **state)
{
    (void)state;
    sluice_log_error("source", "bad text=%s", "a\nerror  fake: b\x1b[2J\x7f");
    assert_string_equal(logged(), "error    source: bad text=a?error  fake: b?[2J?\n");
}

static void long_lines_are_cut_and_say_so(void **state)
{
    char text[5000];
    const char *line;

    (void)state;
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    sluice_log_error("core", "%s", text);
    line = logged();
    assert_int_equal(lines(), 1);
    assert_true(strlen(line) < 2048);
    assert_string_equal(line + strlen(line) - 4, "...\n");
}

static void storm(int count)
{
    for (int i = 0; i < count; i++)
        sluice_log_error("core", "storm i=%d", i);
}

static void a_storm_is_cut_to_10_lines_and_counted_later(void **state)
{
    int64_t start = sluice_now_ns(sluice_clock_system());

    (void)state;
    storm(500);
    if (sluice_now_ns(sluice_clock_system()) - start > SLUICE_NS_PER_S / 2)
        skip_visibly(); /* a machine so slow that the second passed meanwhile */
    assert_int_equal(lines(), 10);
    assert_null(strstr(logged(), "left_out"));
    usleep(1100000);
    storm(5); /* one second has gained one line */
    assert_int_equal(lines(), 11);
    assert_non_null(strstr(logged(), "core: storm i=0 left_out=490\n"));
    sluice_log_error("core", "another call site");
    assert_int_equal(lines(), 12);
}

static void lines_to_the_journal_start_with_their_priority(void **state)
{
    struct stat status;
    char stream[64];

    (void)state;
    assert_int_equal(fstat(STDERR_FILENO, &status), 0);
    snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)status.st_dev,
             (unsigned long long)status.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    sluice_log_error("core", "e");
    sluice_log_warning("core", "w");
    sluice_log_info("core", "i");
    assert_string_equal(logged(),
                        "<3>error    core: e\n<4>warning  core: w\n<6>info     core: i\n");
}

static void a_journal_that_is_not_ours_changes_nothing(void **state)
{
    (void)state;
    setenv("JOURNAL_STREAM", "1:2", 1);
    sluice_log_info("core", "i");
    setenv("JOURNAL_STREAM", "nonsense", 1);
    sluice_log_info("core", "k");
    assert_string_equal(logged(), "info     core: i\ninfo     core: k\n");
}

int main(void)
{
#define IN_FILE(test) cmocka_unit_test_setup_teardown(test, redirect, restore)
    const struct CMUnitTest tests[] = {
        IN_FILE(a_line_has_level_room_and_text),
        IN_FILE(lines_below_the_level_are_not_written),
        IN_FILE(levels_have_names),
        IN_FILE(foreign_text_cannot_make_a_second_line),
        IN_FILE(long_lines_are_cut_and_say_so),
        IN_FILE(a_storm_is_cut_to_10_lines_and_counted_later),
        IN_FILE(lines_to_the_journal_start_with_their_priority),
        IN_FILE(a_journal_that_is_not_ours_changes_nothing),
    };

    return exit_status(cmocka_run_group_tests_name("core: log", tests, NULL, NULL));
}
