/* SPDX-License-Identifier: Apache-2.0
 *
 * Arm and stop as the writer sees them: what is accepted, what is refused and why, and that the
 * next series, and only that one, is written as it was armed. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"

static struct sluice_arm arm_of(const char *directory, const char *name)
{
    struct sluice_arm arm = {.number = 1};
    snprintf(arm.directory, sizeof(arm.directory), "%s", directory);
    snprintf(arm.name, sizeof(arm.name), "%s", name);
    snprintf(arm.acquisition_id, sizeof(arm.acquisition_id), "scan-1");
    return arm;
}

static void assert_refused(struct harness *h, const struct sluice_arm *arm,
                           enum sluice_arm_verdict verdict, const char *words)
{
    harness_arm(h, arm);
    assert_int_equal(h->answered_number, arm->number);
    if (h->verdict != verdict || strstr(h->reason, words) == NULL)
        fail_msg("%s: %s", sluice_arm_verdict_name(h->verdict), h->reason);
}

static void assert_accepted(struct harness *h, const struct sluice_arm *arm)
{
    harness_arm(h, arm);
    if (h->verdict != SLUICE_ARM_ACCEPTED)
        fail_msg("%s", h->reason);
}

static void write_series(struct harness *h, uint64_t images)
{
    harness_open(h, images);
    for (uint64_t id = 0; id < images; id++)
        harness_image(h, id);
    harness_close(h);
}

static void the_next_series_and_only_that_one_is_written_as_armed(void **state)
{
    (void)state;
    struct harness *h = harness_new();
    char wanted[600];
    harness_start(h);
    struct sluice_arm arm = arm_of("proposal/run_1", "sample-3");
    arm.images = 5;
    arm.width = WIDTH;
    arm.height = HEIGHT;
    arm.has_dtype = true;
    arm.dtype = SLUICE_U16;
    assert_accepted(h, &arm);
    /* All that a client needs to know, before there is any message. */
    snprintf(wanted, sizeof(wanted), "%s/proposal/run_1", h->directory);
    assert_string_equal(h->facts->directory, wanted);
    assert_string_equal(h->facts->name, "sample-3");
    assert_string_equal(h->facts->acquisition_id, "scan-1");
    assert_int_equal(h->facts->images_expected, 5);
    assert_int_equal(h->facts->width, WIDTH);
    assert_int_equal(sluice_load_relaxed(&h->progress.armed_images), 5);
    assert_int_equal(sluice_load_relaxed(&h->progress.arms_accepted), 1);
    write_series(h, 2);
    assert_string_equal(h->summary->acquisition_id, "scan-1");
    assert_string_equal(h->summary->name, "proposal/run_1/sample-3");
    assert_true(file_exists(data_path(h, "proposal/run_1/sample-3", 0)));
    assert_int_equal(h->summary->expected, 2); /* what the detector announced */
    assert_int_equal(sluice_load_relaxed(&h->progress.armed_images), 0);
    write_series(h, 1);
    assert_string_equal(h->summary->name, "series_7");
    assert_string_equal(h->summary->acquisition_id, "");
    harness_free(h);
}

static void a_series_without_a_number_has_that_of_the_arm(void **state)
{
    (void)state;
    struct harness *h = harness_new();
    harness_start(h);
    struct sluice_arm arm = arm_of("", "");
    arm.images = 3;
    assert_accepted(h, &arm);
    assert_string_equal(h->facts->name, ""); /* writer.name needs the series' id */
    harness_open(h, 0);
    harness_image(h, 0);
    harness_close(h);
    assert_int_equal(h->summary->expected, 3);
    assert_int_equal(h->summary->lost, 2);
    assert_string_equal(h->summary->name, "series_7");
    harness_free(h);
}

static void a_missed_start_keeps_the_armed_name(void **state)
{
    (void)state;
    struct harness *h = harness_new();
    const struct sluice_arm arm = arm_of("", "exactly");
    harness_start(h);
    assert_accepted(h, &arm);
    harness_open_missed(h);
    harness_image(h, 0);
    harness_close(h);
    assert_string_equal(h->summary->name, "exactly");
    harness_free(h);
}

static void names_that_lead_elsewhere_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *directory, *name;
    } bad[] = {
        {"..", "a"},       {"a/../../b", "a"},   {"/etc", "a"}, {"/", "a"},
        {"a//b", "a"},     {".hidden", "a"},     {"a", "../b"}, {"", "/etc/x"},
        {"", ".."},        {"", "b/c"},          {"", "a b"},   {"", "$id"},
        {"\xc3\xa9", "a"}, {"", "\xe2\x80\xae"}, {"", "a\nb"},
    };
    struct harness *h = harness_new();
    harness_start(h);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const struct sluice_arm arm = arm_of(bad[i].directory, bad[i].name);
        harness_arm(h, &arm);
        if (h->verdict != SLUICE_ARM_BAD_NAME)
            fail_msg("%s and %s: %s", bad[i].directory, bad[i].name, h->reason);
    }
    struct sluice_arm beside = arm_of("", "a"); /* begins like the root, but is not below it */
    snprintf(beside.directory, sizeof(beside.directory), "%s-other", h->directory);
    assert_refused(h, &beside, SLUICE_ARM_BAD_NAME, "below");
    struct sluice_arm longest = arm_of("", "");
    memset(longest.name, 'n', sizeof(longest.name) - 1);
    assert_refused(h, &longest, SLUICE_ARM_BAD_NAME, "140");
    struct sluice_arm deep = arm_of("", "a");
    for (size_t i = 0; i + 1 < sizeof(deep.directory); i++)
        deep.directory[i] = i % 2 == 0 ? 'd' : '/';
    deep.directory[sizeof(deep.directory) - 2] = 'd';
    assert_refused(h, &deep, SLUICE_ARM_BAD_NAME, "");
    write_series(h, 1); /* none of them has left a trace */
    assert_string_equal(h->summary->name, "series_7");
    harness_free(h);
}

static void an_absolute_directory_below_the_root_is_taken(void **state)
{
    (void)state;
    struct harness *h = harness_new();
    struct sluice_arm arm = arm_of("", "a");
    harness_start(h);
    snprintf(arm.directory, sizeof(arm.directory), "%s/deep/er/", h->directory);
    assert_accepted(h, &arm);
    write_series(h, 1);
    assert_string_equal(h->summary->name, "deep/er/a");
    harness_free(h);
}

static void directories_that_cannot_be_used_are_refused(void **state)
{
    (void)state;
    struct harness *h = harness_new();
    char path[700];
    harness_start(h);
    snprintf(path, sizeof(path), "%s/out", h->directory);
    assert_int_equal(symlink("/tmp", path), 0);
    snprintf(path, sizeof(path), "%s/nowhere", h->directory);
    assert_int_equal(symlink("/nowhere/at/all", path), 0);
    snprintf(path, sizeof(path), "%s/here", h->directory);
    assert_int_equal(symlink(".", path), 0);
    snprintf(path, sizeof(path), "%s/file", h->directory);
    const int fd = open(path, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    close(fd);
    static const struct {
        const char *directory, *words;
    } rows[] = {{"out", "leads out"},
                {"out/deeper", "leads out"},
                {"here/out", "leads out"},
                {"nowhere", "nothing can be made"},
                {"nowhere/x", "nothing can be made"},
                {"file", "Not a directory"},
                {"file/x", "Not a directory"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct sluice_arm arm = arm_of(rows[i].directory, "x");
        assert_refused(h, &arm, SLUICE_ARM_BAD_NAME, rows[i].words);
    }
    const struct sluice_arm arm = arm_of("here/deeper/still", "x");
    assert_accepted(h, &arm);
    harness_free(h);
}

static void a_set_that_exists_is_refused_and_not_renamed(void **state)
{
    (void)state;
    struct harness *h = harness_new();
    const struct sluice_arm arm = arm_of("", "twice");
    harness_start(h);
    assert_accepted(h, &arm);
    write_series(h, 1);
    assert_refused(h, &arm, SLUICE_ARM_EXISTS, "twice");
    harness_free(h);
}

static void only_an_idle_writer_can_be_armed(void **state)
{
    (void)state;
    struct harness *h = harness_new();
    const struct sluice_arm arm = arm_of("", "a");
    struct sluice_arm early = arm_of("", "b");
    harness_start(h);
    early.series_open = true; /* the source knows of a series that the writer has not seen */
    assert_refused(h, &early, SLUICE_ARM_BUSY, "already writing");
    assert_accepted(h, &arm);
    assert_refused(h, &arm, SLUICE_ARM_BUSY, "armed already as acquisition_id scan-1");
    harness_open(h, 2);
    harness_image(h, 0);
    assert_refused(h, &arm, SLUICE_ARM_BUSY, "already writing");
    harness_close(h);
    assert_string_equal(h->summary->name, "a");
    harness_free(h);
}

static void a_stop_before_the_series_disarms(void **state)
{
    (void)state;
    struct harness *h = harness_new();
    const struct sluice_arm arm = arm_of("", "never");
    harness_start(h);
    assert_accepted(h, &arm);
    harness_stopped(h, 4);
    assert_int_equal(h->stopped_number, 4);
    harness_stopped(h, 5); /* nothing to stop: said all the same */
    assert_int_equal(h->stopped_number, 5);
    write_series(h, 1);
    assert_string_equal(h->summary->name, "series_7");
    assert_accepted(h, &arm);
    harness_free(h);
}

static void earlier_drops_must_be_accepted_once(void **state)
{
    (void)state;
    struct harness *h = harness_new();
    struct sluice_arm arm = arm_of("", "a");
    harness_start(h);
    sluice_counter_add(h->ports.counters, SLUICE_COUNTER_SOURCE_DROPPED, 2);
    sluice_counter_add(h->ports.counters, SLUICE_COUNTER_WRITER_FAILED, 1);
    assert_refused(h, &arm, SLUICE_ARM_DROPS, "3 images");
    arm.accept_drops = true;
    assert_accepted(h, &arm);
    harness_stopped(h, 1);
    arm.accept_drops = false;
    assert_accepted(h, &arm);
    harness_stopped(h, 2);
    sluice_counter_add(h->ports.counters, SLUICE_COUNTER_SOURCE_DROPPED, 1);
    assert_refused(h, &arm, SLUICE_ARM_DROPS, "1 images");
    harness_free(h);
}

static void too_little_space_is_refused(void **state)
{
    (void)state;
    struct harness *h = harness_new();
    struct sluice_arm arm = arm_of("", "a");
    h->settings.free_space_alarm_bytes = UINT64_MAX / 2;
    harness_start(h);
    assert_refused(h, &arm, SLUICE_ARM_NO_SPACE, "free_space_alarm_bytes");
    harness_free(h);
    h = harness_new();
    harness_start(h);
    write_series(h, 3);
    arm.images = UINT64_C(1) << 60; /* of the size that the last ones had */
    assert_refused(h, &arm, SLUICE_ARM_NO_SPACE, "need about");
    arm.width = WIDTH + 1; /* of another shape: nothing is known of those */
    assert_accepted(h, &arm);
    harness_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_next_series_and_only_that_one_is_written_as_armed),
        cmocka_unit_test(a_series_without_a_number_has_that_of_the_arm),
        cmocka_unit_test(a_missed_start_keeps_the_armed_name),
        cmocka_unit_test(names_that_lead_elsewhere_are_refused),
        cmocka_unit_test(an_absolute_directory_below_the_root_is_taken),
        cmocka_unit_test(directories_that_cannot_be_used_are_refused),
        cmocka_unit_test(a_set_that_exists_is_refused_and_not_renamed),
        cmocka_unit_test(only_an_idle_writer_can_be_armed),
        cmocka_unit_test(a_stop_before_the_series_disarms),
        cmocka_unit_test(earlier_drops_must_be_accepted_once),
        cmocka_unit_test(too_little_space_is_refused),
    };
    return cmocka_run_group_tests_name("writer: arm and stop", tests, NULL, NULL);
}
