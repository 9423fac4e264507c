/* SPDX-License-Identifier: Apache-2.0
 *
 * Where files go and what they may replace: nothing. Names, directories, settings that are refused,
 * masters in time, and space alarms. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <hdf5.h>

#include "harness.h"
#include "writer/master/master.h"

static bool direct; /* of the last masters that were begun */
enum sluice_status __real_sluice_master_begin(const struct sluice_master_input *input,
                                              struct sluice_master_job **job,
                                              struct sluice_error *error);
enum sluice_status __wrap_sluice_master_begin(const struct sluice_master_input *input,
                                              struct sluice_master_job **job,
                                              struct sluice_error *error);
enum sluice_status __wrap_sluice_master_begin(const struct sluice_master_input *input,
                                              struct sluice_master_job **job,
                                              struct sluice_error *error)
{
    direct = input->direct;
    return __real_sluice_master_begin(input, job, error);
}

static void touch(const struct harness *h, const char *name)
{
    char path[600];
    snprintf(path, sizeof(path), "%s/%s", h->directory, name);
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
    assert_true(fd >= 0);
    close(fd);
}

static void any_file_of_the_set_moves_the_whole_set(void **state)
{
    (void)state;
    static const char *const files[] = {"series_7_data_000009.h5", "series_7_master.h5",
                                        "series_7.nxs", "series_7_threshold_2_master.h5",
                                        "series_7_threshold_2.nxs"};
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        struct harness *h = harness_new();
        h->channels = 2;
        touch(h, files[i]);
        harness_start(h);
        harness_open(h, 1);
        harness_image(h, 0);
        harness_close(h);
        assert_string_equal(h->summary->name, "series_7_2");
        assert_true(file_exists(data_path(h, "series_7_2", 0)));
        assert_false(file_exists(data_path(h, "series_7", 0)));
        harness_free(h);
    }
}

static void other_files_do_not_move_it(void **state)
{
    (void)state;
    struct harness *h = harness_new();
    touch(h, "series_77_master.h5");
    touch(h, "series_7.txt");
    touch(h, "series_7_other_master.h5");
    harness_start(h);
    harness_open(h, 1);
    harness_image(h, 0);
    harness_close(h);
    assert_string_equal(h->summary->name, "series_7");
    harness_free(h);
}

static void a_set_in_another_configured_directory_counts_too(void **state)
{
    (void)state;
    char second[300];
    struct harness *h = harness_new();
    snprintf(second, sizeof(second), "%s/second", h->directory);
    assert_int_equal(mkdir(second, 0700), 0);
    touch(h, "second/series_7.nxs");
    h->settings.directories[1] = second;
    h->settings.directory_count = 2;
    harness_start(h);
    harness_open(h, 1);
    harness_image(h, 0);
    harness_close(h);
    assert_string_equal(h->summary->name, "series_7_2");
    harness_free(h);
}

static void a_name_taken_after_the_start_is_chosen_again(void **state)
{
    (void)state;
    struct harness *h = harness_new();
    harness_start(h);
    harness_open(h, 1);
    harness_work(h);
    touch(h, "series_7_data_000001.h5");
    harness_image(h, 0);
    harness_close(h);
    harness_counts(h, 1, 0, 0, 0);
    assert_string_equal(h->summary->name, "series_7_2");
    harness_free(h);
}

static void sub_directories_of_the_pattern_are_made(void **state)
{
    (void)state;
    char path[400];
    struct stat there;
    struct harness *h = harness_new();
    h->settings.name = "$date/run_${id}/scan";
    h->settings.directory_mode = 0710;
    harness_start(h);
    harness_open(h, 1);
    harness_work(h);
    snprintf(path, sizeof(path), "%s/20260921", h->directory);
    assert_false(file_exists(path)); /* nothing before the first image */
    harness_image(h, 0);
    harness_close(h);
    harness_counts(h, 1, 0, 0, 0);
    assert_int_equal(stat(path, &there), 0);
    assert_int_equal(there.st_mode & 0777, 0710);
    assert_string_equal(h->summary->name, "20260921/run_7/scan");
    snprintf(path, sizeof(path), "%s/20260921/run_7/scan_data_000001.h5", h->directory);
    assert_string_equal(h->summary->files[0], path);
    snprintf(path, sizeof(path), "%s/20260921/run_7/scan.nxs", h->directory);
    assert_true(file_exists(path));
    harness_free(h);
}

static void bad_settings_are_refused_with_a_reason(void **state)
{
    (void)state;
    struct sluice_writer *writer;
    struct harness *h = harness_new();
    harness_start(h);
    struct sluice_error error = {0};
    h->settings.name = "/abs";
    assert_int_equal(sluice_writer_create(&h->settings, &h->ports, &writer, &error), SLUICE_CONFIG);
    assert_null(writer);
    assert_non_null(strstr(error.message, "writer.name"));
    sluice_error_clear(&error);
    h->settings.name = "x";
    h->settings.group = "no-such-group-anywhere";
    assert_int_equal(sluice_writer_create(&h->settings, &h->ports, &writer, &error), SLUICE_CONFIG);
    sluice_error_clear(&error);
    h->settings.group = "";
    h->settings.directories[0] = "/proc/no/such";
    assert_int_not_equal(sluice_writer_create(&h->settings, &h->ports, &writer, &error), SLUICE_OK);
    assert_non_null(strstr(error.message, "writer.directory"));
    harness_free(h);
}

static void a_group_by_number_is_given_to_the_files(void **state)
{
    (void)state;
    struct stat there;
    struct harness *h = harness_new();
    char group[16];
    gid_t gid = geteuid() == 0 ? 12345 : getegid();
    snprintf(group, sizeof(group), "%u", (unsigned)gid);
    h->settings.group = group;
    harness_start(h);
    harness_open(h, 1);
    harness_image(h, 0);
    harness_close(h);
    assert_int_equal(stat(data_path(h, "series_7", 0), &there), 0);
    assert_int_equal(there.st_gid, gid);
    assert_int_equal(stat(h->summary->master, &there), 0);
    assert_int_equal(there.st_gid, gid);
    harness_free(h);
}

static void masters_come_with_the_first_file_and_at_roll_over(void **state)
{
    (void)state;
    struct stat first, then;
    struct harness *h = harness_new();
    harness_start(h);
    harness_open(h, 16);
    harness_image(h, 0);
    harness_work(h);
    assert_int_equal(stat(h->start_file, &first), 0);
    assert_int_equal(first.st_mode & 0777, 0640);
    usleep(20000); /* longer than the clock of the file system takes to move on */
    for (uint64_t id = 1; id < 9; id++)
        harness_image(h, id); /* two roll-overs */
    harness_work(h);
    assert_int_equal(stat(h->start_file, &then), 0);
    /* Not the inode: that of the first one may be in use again. */
    assert_true(then.st_ctim.tv_sec > first.st_ctim.tv_sec ||
                then.st_ctim.tv_nsec != first.st_ctim.tv_nsec);
    /* And not again when nothing is new, however long that lasts. */
    for (int i = 0; i < 5; i++) {
        usleep(20000);
        sluice_clock_fake_advance(&h->clock, 100 * SLUICE_NS_PER_S);
        harness_work(h);
    }
    assert_int_equal(stat(h->start_file, &first), 0);
    assert_memory_equal(&then.st_ctim, &first.st_ctim, sizeof(first.st_ctim));
    harness_close(h);
    harness_free(h);
}

static bool says_number_of_images(const char *master)
{
    hid_t file = H5Fopen(master, H5F_ACC_RDONLY, H5P_DEFAULT);
    assert_true(file >= 0);
    bool there = H5Lexists(file, "/entry/instrument/detector/detectorSpecific/number_of_images",
                           H5P_DEFAULT) > 0;
    H5Fclose(file);
    return there;
}

/* At every moment of their writing: what they were begun with is gone then. */
static void a_late_start_begins_the_masters_anew(void **state)
{
    (void)state;
    for (int cycles = 1; cycles < 6; cycles++) {
        struct harness *h = harness_new();
        harness_start(h);
        harness_open_missed(h);
        harness_image(h, 0);
        for (int i = 0; i < cycles; i++)
            harness_cycle(h);
        harness_adopt(h, 12);
        harness_image(h, 1);
        harness_work(h);
        assert_true(says_number_of_images(h->start_file));
        harness_close(h);
        harness_counts(h, 2, 10, 0, 0);
        harness_free(h);
    }
}

static void a_series_that_ends_at_once_has_its_masters_once(void **state)
{
    (void)state;
    struct harness *h = harness_new();
    harness_start(h);
    harness_open(h, 1);
    harness_image(h, 0);
    harness_close(h); /* in the cycle that makes the first file */
    assert_int_equal(rows_of(h->summary->master, "images"), 1);
    harness_free(h);
}

static void too_little_space_is_said_before_the_first_image(void **state)
{
    (void)state;
    struct sluice_distinct_error entry;
    struct harness *h = harness_new();
    harness_start(h);
    harness_open(h, UINT64_C(1) << 60);
    harness_image(h, 0);
    harness_work(h);
    assert_true(sluice_counters_error_get(h->ports.counters, 0, &entry));
    assert_non_null(strstr(entry.text, "free space will not suffice"));
    assert_int_equal(entry.count, 1);
    sluice_clock_fake_advance(&h->clock, 9 * SLUICE_NS_PER_S);
    harness_work(h);
    assert_true(sluice_counters_error_get(h->ports.counters, 0, &entry));
    assert_int_equal(entry.count, 1);
    sluice_clock_fake_advance(&h->clock, 2 * SLUICE_NS_PER_S);
    harness_work(h);
    assert_true(sluice_counters_error_get(h->ports.counters, 0, &entry));
    assert_int_equal(entry.count, 2); /* it stands: said again */
    assert_true(harness_counter(h, SLUICE_COUNTER_WRITER_FREE_SPACE) > 0);
    harness_close(h);
    harness_free(h);
}

static void a_name_that_cannot_be_made_still_saves_the_images(void **state)
{
    (void)state;
    char pattern[128], unique_id[101];
    struct harness *h = harness_new();
    memset(pattern, 'x', sizeof(pattern));
    memcpy(pattern + 100, "$unique_id", 11); /* fits with most ids, so the settings are good */
    memset(unique_id, 'y', sizeof(unique_id));
    unique_id[100] = '\0';
    h->unique_id = unique_id;
    h->settings.name = pattern;
    harness_start(h);
    harness_open(h, 1);
    harness_image(h, 0);
    harness_close(h);
    assert_string_equal(h->summary->name, "series_7");
    harness_counts(h, 1, 0, 0, 0);
    harness_free(h);
}

static void an_open_series_is_closed_when_the_writer_goes(void **state)
{
    (void)state;
    struct harness *h = harness_new();
    harness_start(h);
    harness_open(h, 3);
    harness_image(h, 0);
    harness_work(h);
    sluice_writer_destroy(h->writer);
    h->writer = NULL;
    assert_int_equal(read_finished(data_path(h, "series_7", 0)), 1);
    sluice_events_close(&h->events);
    sluice_handover_close(&h->in);
    sluice_spsc_close(&h->free_slots);
    sluice_counters_destroy(h->ports.counters);
    harness_free(h);
}

static void masters_go_past_the_page_cache_when_a_key_says_so(void **state)
{
    (void)state;
    for (int on = 0; on <= 1; on++) {
        struct harness *h = harness_new();
        const bool past = h->settings.io == SLUICE_IO_DIRECT && on;
        h->settings.direct_masters = on;
        harness_start(h);
        harness_open(h, 1);
        harness_image(h, 0);
        direct = !past;
        harness_close(h);
        assert_int_equal(direct, past);
        harness_free(h);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_file_of_the_set_moves_the_whole_set),
        cmocka_unit_test(other_files_do_not_move_it),
        cmocka_unit_test(a_set_in_another_configured_directory_counts_too),
        cmocka_unit_test(a_name_taken_after_the_start_is_chosen_again),
        cmocka_unit_test(sub_directories_of_the_pattern_are_made),
        cmocka_unit_test(bad_settings_are_refused_with_a_reason),
        cmocka_unit_test(a_group_by_number_is_given_to_the_files),
        cmocka_unit_test(masters_come_with_the_first_file_and_at_roll_over),
        cmocka_unit_test(a_late_start_begins_the_masters_anew),
        cmocka_unit_test(a_series_that_ends_at_once_has_its_masters_once),
        cmocka_unit_test(masters_go_past_the_page_cache_when_a_key_says_so),
        cmocka_unit_test(too_little_space_is_said_before_the_first_image),
        cmocka_unit_test(a_name_that_cannot_be_made_still_saves_the_images),
        cmocka_unit_test(an_open_series_is_closed_when_the_writer_goes),
    };
    return cmocka_run_group_tests_name("writer: names and places", tests, NULL, NULL);
}
