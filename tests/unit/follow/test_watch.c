/* SPDX-License-Identifier: Apache-2.0
 *
 * What a follower is told of a directory: events of its own set, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/clock.h"
#include "readers/follow/watch.h"

#define LONG_NS SLUICE_NS_PER_MS

struct place {
    char folder[64];
    struct sluice_watch watch;
};

static void append_to(const struct place *place, const char *name)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", place->folder, name);
    FILE *file = fopen(path, "a");
    assert_non_null(file);
    assert_int_equal(fputc('x', file), 'x');
    assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
    static struct place place;
    strcpy(place.folder, "/tmp/sluice_watch_XXXXXX");
    assert_non_null(mkdtemp(place.folder));
    append_to(&place, "ours_000001.h5");
    append_to(&place, "theirs_000001.h5");
    sluice_watch_init(&place.watch);
    sluice_watch_add(&place.watch, place.folder);
    *state = &place;
    return place.watch.fd >= 0 && place.watch.count == 1 ? 0 : -1;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    char command[128];
    sluice_watch_close(&place->watch);
    snprintf(command, sizeof(command), "rm -r %s", place->folder);
    return system(command);
}

static void a_change_of_a_file_of_the_set_is_an_event(void **state)
{
    struct place *place = *state;
    append_to(place, "ours_000001.h5");
    assert_false(sluice_watch_poll(&place->watch, "ours"));
    const uint64_t seen = place->watch.events;
    assert_true(seen > 0);
    append_to(place, "ours_000001.h5");
    assert_false(sluice_watch_wait(&place->watch, "ours", LONG_NS));
    assert_true(place->watch.events > seen);
}

static void a_wait_that_nothing_ends_and_files_of_others_are_none(void **state)
{
    struct place *place = *state;
    append_to(place, "theirs_000001.h5");
    append_to(place, "theirs_000002.h5");
    assert_false(sluice_watch_wait(&place->watch, "ours", LONG_NS));
    assert_false(sluice_watch_poll(&place->watch, "ours"));
    assert_int_equal(place->watch.events, 0);
}

static void a_new_file_of_the_set_is_told_apart(void **state)
{
    struct place *place = *state;
    append_to(place, "ours_000002.h5");
    assert_true(sluice_watch_wait(&place->watch, "ours", LONG_NS));
    assert_true(place->watch.events > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_change_of_a_file_of_the_set_is_an_event, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_wait_that_nothing_ends_and_files_of_others_are_none,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_new_file_of_the_set_is_told_apart, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
