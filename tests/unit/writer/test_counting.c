/* SPDX-License-Identifier: Apache-2.0
 *
 * What becomes of every image: the counting rules, rows and columns, files that roll over. Images
 * of 12 x 5 pixels, 4 in a file unless a test says otherwise. */
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"

static void in_order_images_fill_files_exactly(void **state)
{
    (void)state;
    struct harness *h = harness_new();
    harness_start(h);
    harness_open(h, 10);
    for (uint64_t id = 0; id < 10; id++)
        harness_image(h, id);
    harness_close(h);
    const struct sluice_summary *s = harness_counts(h, 10, 0, 0, 0);
    assert_int_equal(s->expected, 10);
    assert_false(s->failed);
    assert_int_equal(s->file_count, 3);
    assert_column(data_path(h, "series_7", 0), "image_id", 1, 2, 3, 4);
    assert_column(data_path(h, "series_7", 1), "image_id", 5, 6, 7, 8);
    assert_column(data_path(h, "series_7", 2), "image_id", 9, 10);
    assert_column(data_path(h, "series_7", 2), "frame_status", 1, 1);
    for (uint64_t id = 0; id < 10; id++)
        assert_image(data_path(h, "series_7", id / 4), "data", id % 4, id, 0,
                     SLUICE_ENCODING_BSLZ4);
    assert_int_equal(read_attribute(data_path(h, "series_7", 2), "data", "image_nr_low"), 9);
    assert_int_equal(read_attribute(data_path(h, "series_7", 2), "data", "image_nr_high"), 10);
    assert_int_equal(read_finished(data_path(h, "series_7", 0)), 1);
    assert_int_equal(h->progress.complete_serial, 1);
    assert_non_null(s->master);
    assert_true(file_exists(s->master));
    assert_string_equal(s->master, h->start_file);
    harness_free(h);
}

static void finished_files_are_read_only_and_of_the_set_mode(void **state)
{
    (void)state;
    struct stat there;
    struct harness *h = harness_new();
    h->settings.mode = 0660;
    harness_start(h);
    harness_open(h, 5);
    for (uint64_t id = 0; id < 5; id++)
        harness_image(h, id);
    harness_work(h);
    assert_int_equal(stat(data_path(h, "series_7", 0), &there), 0);
    assert_int_equal(there.st_mode & 0777, 0440); /* complete: closed at once */
    assert_int_equal(stat(data_path(h, "series_7", 1), &there), 0);
    assert_int_equal(there.st_mode & 0777, 0660);
    harness_close(h);
    assert_int_equal(stat(data_path(h, "series_7", 1), &there), 0);
    assert_int_equal(there.st_mode & 0777, 0440);
    assert_int_equal(stat(h->summary->master, &there), 0);
    assert_int_equal(there.st_mode & 0777, 0440);
    harness_free(h);
}

static void a_duplicate_is_counted_and_the_first_wins(void **state)
{
    (void)state;
    struct harness *h = harness_new();
    harness_start(h);
    harness_open(h, 6);
    for (uint64_t id = 0; id < 6; id++)
        harness_image(h, id);
    harness_image(h, 5); /* of an open file, in the same batch */
    harness_work(h);
    harness_image(h, 5); /* flushed */
    harness_image(h, 1); /* of a closed file */
    harness_close(h);
    harness_counts(h, 6, 0, 0, 3);
    harness_free(h);
}

static void an_invalid_image_is_refused_before_it_is_a_duplicate(void **state)
{
    (void)state;
    struct harness *h = harness_new();
    harness_start(h);
    harness_open(h, 3);
    harness_image(h, 0);
    h->width = WIDTH - 1;
    harness_image(h, 0);
    harness_image(h, 1);
    h->width = WIDTH;
    harness_image(h, 1); /* the good one of the same id is still written */
    harness_image(h, 2);
    harness_close(h);
    harness_counts(h, 3, 0, 2, 0);
    assert_column(data_path(h, "series_7", 0), "frame_status", 1, 1, 1);
    harness_free(h);
}

static void images_in_reverse_order_lie_in_their_rows(void **state)
{
    (void)state;
    struct harness *h = harness_new();
    harness_start(h);
    harness_open(h, 12);
    for (uint64_t id = 12; id-- > 0;)
        harness_image(h, id);
    harness_close(h);
    harness_counts(h, 12, 0, 0, 0);
    assert_column(data_path(h, "series_7", 0), "image_id", 1, 2, 3, 4);
    assert_column(data_path(h, "series_7", 2), "image_id", 9, 10, 11, 12);
    assert_image(data_path(h, "series_7", 1), "data", 2, 6, 0, SLUICE_ENCODING_BSLZ4);
    harness_free(h);
}

static void every_other_image_writes_points_not_blocks(void **state)
{
    (void)state;
    struct harness *h = harness_new();
    h->settings.images_per_file = 16;
    harness_start(h);
    harness_open(h, 16);
    for (uint64_t id = 1; id < 16; id += 2)
        harness_image(h, 16 - id);
    harness_close(h);
    harness_counts(h, 8, 8, 0, 0);
    assert_column(data_path(h, "series_7", 0), "image_id", 0, 2, 0, 4, 0, 6, 0, 8, 0, 10, 0, 12, 0,
                  14, 0, 16);
    assert_column(data_path(h, "series_7", 0), "frame_status", 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1,
                  2, 1, 2, 1);
    harness_free(h);
}

static void lost_images_are_marked_and_trailing_ones_have_no_row(void **state)
{
    (void)state;
    struct harness *h = harness_new();
    harness_start(h);
    harness_open(h, 20);
    harness_image(h, 0);
    harness_image(h, 3);
    harness_image(h, 5);
    harness_close(h);
    const struct sluice_summary *s = harness_counts(h, 3, 17, 0, 0);
    assert_string_equal(lost_text(s), "1-2 4-4 6-19");
    assert_column(data_path(h, "series_7", 0), "frame_status", 1, 2, 2, 1);
    assert_column(data_path(h, "series_7", 0), "image_id", 1, 0, 0, 4);
    assert_column(data_path(h, "series_7", 1), "frame_status", 2, 1);
    assert_int_equal(rows_of(data_path(h, "series_7", 1), "data"), 2);
    assert_int_equal(s->file_count, 2);
    assert_int_equal(sluice_summary_exit_code(s), 3);
    harness_free(h);
}

static void refused_images_are_marked_where_they_lie_within(void **state)
{
    (void)state;
    struct harness *h = harness_new();
    harness_start(h);
    harness_open(h, 8);
    harness_refused(h, 0); /* before any file */
    harness_image(h, 1);
    harness_refused(h, 2);
    harness_image(h, 3);
    harness_refused(h, 1); /* already good: stays good */
    harness_image(h, 4);
    harness_refused(h, 7); /* behind the last row */
    harness_close(h);
    harness_counts(h, 3, 5, 4, 0);
    assert_column(data_path(h, "series_7", 0), "frame_status", 3, 1, 3, 1);
    assert_column(data_path(h, "series_7", 1), "frame_status", 1);
    harness_free(h);
}

static void an_id_beyond_the_jump_is_refused_whatever_the_number_says(void **state)
{
    (void)state;
    struct harness *h = harness_new();
    h->settings.id_jump_max = 10;
    harness_start(h);
    harness_open(h, 1000000);
    harness_image(h, 10); /* nothing written: only 0 to 9 are in range */
    harness_image(h, 9);
    harness_image(h, 20);
    harness_image(h, 19);
    harness_image(h, UINT64_MAX);
    harness_close(h);
    const struct sluice_summary *s = harness_counts(h, 2, 999998, 3, 0);
    assert_int_equal(s->expected, 1000000);
    harness_free(h);
}

static void a_file_of_lost_images_before_a_later_one_is_made(void **state)
{
    (void)state;
    struct harness *h = harness_new();
    harness_start(h);
    harness_open(h, 12);
    harness_image(h, 9);
    harness_close(h);
    const struct sluice_summary *s = harness_counts(h, 1, 11, 0, 0);
    assert_int_equal(s->file_count, 3);
    assert_column(data_path(h, "series_7", 0), "frame_status", 2, 2, 2, 2);
    assert_column(data_path(h, "series_7", 1), "image_id", 0, 0, 0, 0);
    assert_column(data_path(h, "series_7", 2), "frame_status", 2, 1);
    assert_int_equal(rows_of(data_path(h, "series_7", 1), "data"), 4);
    assert_int_equal(read_finished(data_path(h, "series_7", 1)), 1);
    harness_free(h);
}

static void beyond_the_open_files_the_oldest_closes_and_late_images_are_refused(void **state)
{
    (void)state;
    struct harness *h = harness_new();
    h->settings.files_open_max = 2;
    harness_start(h);
    harness_open(h, 16);
    harness_image(h, 0);
    harness_image(h, 4);
    harness_image(h, 8); /* closes the first file */
    harness_image(h, 1); /* late */
    harness_image(h, 0); /* but this one is there */
    harness_image(h, 5);
    harness_close(h);
    harness_counts(h, 4, 12, 1, 1);
    assert_column(data_path(h, "series_7", 0), "frame_status", 1, 2, 2, 2);
    assert_column(data_path(h, "series_7", 1), "frame_status", 1, 1, 2, 2);
    assert_column(data_path(h, "series_7", 2), "frame_status", 1);
    harness_free(h);
}

static void the_last_file_stays_open_while_older_ones_close(void **state)
{
    (void)state;
    struct harness *h = harness_new();
    h->settings.files_open_max = 2;
    harness_start(h);
    harness_open(h, 16);
    harness_image(h, 13); /* the last file: how far it reaches is not known yet */
    harness_image(h, 9);
    harness_image(h, 5); /* closes the file of 9, although the one of 13 is older */
    harness_image(h, 14);
    harness_image(h, 10);
    harness_close(h);
    harness_counts(h, 4, 12, 1, 0);
    assert_int_equal(rows_of(data_path(h, "series_7", 3), "data"), 3);
    assert_int_equal(rows_of(data_path(h, "series_7", 2), "data"), 4);
    harness_free(h);
}

static void more_images_than_announced_are_written_and_expected(void **state)
{
    (void)state;
    struct harness *h = harness_new();
    harness_start(h);
    harness_open(h, 3);
    for (uint64_t id = 0; id < 6; id++)
        harness_image(h, id);
    harness_close(h);
    assert_int_equal(harness_counts(h, 6, 0, 0, 0)->expected, 6);
    assert_int_equal(h->progress.complete_serial, 1);
    harness_free(h);
}

static void images_beyond_the_number_do_not_make_it_complete(void **state)
{
    (void)state;
    struct harness *h = harness_new();
    harness_start(h);
    harness_open(h, 3);
    harness_image(h, 0);
    harness_image(h, 3);
    harness_image(h, 4);
    harness_image(h, 5);
    harness_work(h);
    assert_int_equal(h->progress.complete_serial, 0);
    harness_image(h, 1);
    harness_image(h, 2);
    harness_work(h);
    assert_int_equal(h->progress.complete_serial, 1);
    harness_close(h);
    harness_counts(h, 6, 0, 0, 0);
    harness_free(h);
}

static void without_any_image_there_is_no_file(void **state)
{
    (void)state;
    struct harness *h = harness_new();
    harness_start(h);
    harness_open(h, 5);
    harness_refused(h, 1);
    harness_close(h);
    const struct sluice_summary *s = harness_counts(h, 0, 5, 1, 0);
    assert_null(s->master);
    assert_int_equal(s->file_count, 0);
    assert_string_equal(lost_text(s), "0-4");
    assert_false(file_exists(data_path(h, "series_7", 0)));
    assert_int_equal(rmdir(h->directory), 0); /* nothing at all */
    assert_int_equal(mkdir(h->directory, 0700), 0);
    harness_free(h);
}

static void an_unknown_number_expects_what_was_written(void **state)
{
    (void)state;
    struct harness *h = harness_new();
    harness_start(h);
    harness_open(h, 0);
    harness_image(h, 1);
    harness_image(h, 6);
    harness_close(h);
    assert_int_equal(harness_counts(h, 2, 5, 0, 0)->expected, 7);
    assert_int_equal(h->progress.complete_serial, 0);
    harness_free(h);
}

static void a_missed_start_saves_the_images_and_is_adopted_late(void **state)
{
    (void)state;
    struct harness *h = harness_new();
    harness_start(h);
    harness_open_missed(h);
    harness_image(h, 2);
    harness_work(h);
    assert_true(file_exists(data_path(h, "series_7_nostart", 0)));
    harness_adopt(h, 5);
    harness_image(h, 3);
    harness_image(h, 4);
    harness_close(h);
    const struct sluice_summary *s = harness_counts(h, 3, 2, 0, 0);
    assert_string_equal(s->name, "series_7_nostart");
    assert_string_equal(lost_text(s), "0-1");
    harness_free(h);
}

static void a_late_start_that_does_not_fit_is_left_out(void **state)
{
    (void)state;
    struct harness *h = harness_new();
    harness_start(h);
    harness_open_missed(h);
    harness_image(h, 0);
    harness_work(h);
    h->channels = 2;
    harness_adopt(h, 99);
    h->channels = 1;
    harness_image(h, 1);
    harness_close(h);
    assert_int_equal(harness_counts(h, 2, 0, 0, 0)->expected, 2);
    harness_free(h);
}

static void a_late_start_that_completes_the_series_says_so(void **state)
{
    (void)state;
    struct harness *h = harness_new();
    harness_start(h);
    harness_open_missed(h);
    harness_image(h, 0);
    harness_image(h, 1);
    harness_work(h);
    assert_int_equal(h->progress.complete_serial, 0);
    harness_adopt(h, 2);
    harness_work(h);
    assert_int_equal(h->progress.complete_serial, 1);
    harness_close(h);
    harness_free(h);
}

static void what_waits_when_it_is_given_up_counts_as_dropped(void **state)
{
    (void)state;
    struct harness *h = harness_new();
    harness_start(h);
    harness_open(h, 8);
    harness_image(h, 0);
    harness_image(h, 1);
    harness_work(h);
    harness_image(h, 2);
    harness_image(h, 3);
    sluice_writer_give_up(h->writer);
    harness_close(h);
    const struct sluice_summary *s = harness_counts(h, 2, 6, 0, 0);
    assert_int_equal(s->dropped, 2);
    assert_false(s->failed);
    assert_int_equal(read_finished(data_path(h, "series_7", 0)), 1);
    harness_free(h);
}

static void one_file_takes_more_images_than_were_announced(void **state)
{
    (void)state;
    struct harness *h = harness_new();
    h->settings.images_per_file = 0;
    harness_start(h);
    harness_open(h, 3);
    for (uint64_t id = 0; id < 4; id++)
        harness_image(h, id);
    harness_close(h);
    harness_counts(h, 4, 0, 0, 0);
    assert_column(data_path(h, "series_7", 0), "image_id", 1, 2, 3, 4);
    harness_free(h);
}

static void one_file_is_bounded_and_rolls_over_beyond(void **state)
{
    (void)state;
    struct harness *h = harness_new();
    h->settings.images_per_file = 0;
    h->settings.images_per_file_max = 3;
    harness_start(h);
    harness_open(h, 3);
    for (uint64_t id = 0; id < 4; id++)
        harness_image(h, id);
    harness_close(h);
    harness_counts(h, 4, 0, 0, 0);
    assert_column(data_path(h, "series_7", 0), "image_id", 1, 2, 3);
    assert_column(data_path(h, "series_7", 1), "image_id", 4);
    harness_free(h);
}

static void files_of_one_image_each_work(void **state)
{
    (void)state;
    struct harness *h = harness_new();
    h->settings.images_per_file = 1;
    h->settings.files_open_max = 1;
    harness_start(h);
    harness_open(h, 3);
    for (uint64_t id = 0; id < 3; id++)
        harness_image(h, id);
    harness_close(h);
    harness_counts(h, 3, 0, 0, 0);
    assert_column(data_path(h, "series_7", 2), "image_id", 3);
    assert_image(data_path(h, "series_7", 2), "data", 0, 2, 0, SLUICE_ENCODING_BSLZ4);
    harness_free(h);
}

static void two_series_follow_each_other(void **state)
{
    (void)state;
    struct harness *h = harness_new();
    harness_start(h);
    harness_open(h, 2);
    harness_image(h, 0);
    harness_image(h, 1);
    harness_close(h);
    harness_counts(h, 2, 0, 0, 0);
    harness_open(h, 1); /* the same series_id: the same name */
    harness_image(h, 0);
    harness_close(h);
    const struct sluice_summary *s = harness_counts(h, 1, 0, 0, 0);
    assert_string_equal(s->name, "series_7_2");
    assert_true(file_exists(data_path(h, "series_7_2", 0)));
    assert_int_equal(h->progress.complete_serial, 2);
    harness_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_order_images_fill_files_exactly),
        cmocka_unit_test(finished_files_are_read_only_and_of_the_set_mode),
        cmocka_unit_test(a_duplicate_is_counted_and_the_first_wins),
        cmocka_unit_test(an_invalid_image_is_refused_before_it_is_a_duplicate),
        cmocka_unit_test(images_in_reverse_order_lie_in_their_rows),
        cmocka_unit_test(every_other_image_writes_points_not_blocks),
        cmocka_unit_test(lost_images_are_marked_and_trailing_ones_have_no_row),
        cmocka_unit_test(refused_images_are_marked_where_they_lie_within),
        cmocka_unit_test(an_id_beyond_the_jump_is_refused_whatever_the_number_says),
        cmocka_unit_test(a_file_of_lost_images_before_a_later_one_is_made),
        cmocka_unit_test(beyond_the_open_files_the_oldest_closes_and_late_images_are_refused),
        cmocka_unit_test(the_last_file_stays_open_while_older_ones_close),
        cmocka_unit_test(more_images_than_announced_are_written_and_expected),
        cmocka_unit_test(images_beyond_the_number_do_not_make_it_complete),
        cmocka_unit_test(without_any_image_there_is_no_file),
        cmocka_unit_test(an_unknown_number_expects_what_was_written),
        cmocka_unit_test(a_missed_start_saves_the_images_and_is_adopted_late),
        cmocka_unit_test(a_late_start_that_does_not_fit_is_left_out),
        cmocka_unit_test(a_late_start_that_completes_the_series_says_so),
        cmocka_unit_test(what_waits_when_it_is_given_up_counts_as_dropped),
        cmocka_unit_test(one_file_takes_more_images_than_were_announced),
        cmocka_unit_test(one_file_is_bounded_and_rolls_over_beyond),
        cmocka_unit_test(files_of_one_image_each_work),
        cmocka_unit_test(two_series_follow_each_other),
    };
    return cmocka_run_group_tests_name("writer: counting", tests, NULL, NULL);
}
