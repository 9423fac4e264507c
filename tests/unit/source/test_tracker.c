/* SPDX-License-Identifier: Apache-2.0
 *
 * Series boundaries, without a socket: each case of protocols and counting rules that depends on
 * which series is open. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ingest/source/tracker.h"

static struct sluice_span text(const char *s)
{
    return (struct sluice_span){(const uint8_t *)s, strlen(s)};
}

static struct sluice_message_head head_of(uint64_t id, const char *unique_id)
{
    struct sluice_message_head head = {.has_series_id = true, .series_id = id};
    if (unique_id != NULL) {
        head.has_unique_id = true;
        head.unique_id = text(unique_id);
    }
    return head;
}

static struct sluice_series *series_of(uint64_t id, const char *unique_id)
{
    struct sluice_series *series = sluice_series_create();
    assert_non_null(series);
    series->series_id = id;
    strcpy(series->unique_id, unique_id);
    series->width = 4;
    series->height = 3;
    series->dtype = SLUICE_U16;
    series->number_of_images = 10;
    series->channel_count = 2;
    strcpy(series->channels[0].name, "a");
    strcpy(series->channels[1].name, "b");
    return series;
}

static struct sluice_image image_of(const char *first, const char *second)
{
    struct sluice_image image = {.plane_count = second != NULL ? 2 : 1};
    for (uint32_t i = 0; i < image.plane_count; i++) {
        image.planes[i] = (struct sluice_plane){
            .channel = text(i == 0 ? first : second),
            .width = 4,
            .height = 3,
            .dtype = SLUICE_U16,
        };
    }
    return image;
}

static void open_one(struct sluice_tracker *tracker, uint64_t id, const char *unique_id)
{
    struct sluice_series *series = series_of(id, unique_id);
    sluice_tracker_open(tracker, series, NULL, 0);
    sluice_series_destroy(series);
}

static enum sluice_image_verdict judge(const struct sluice_tracker *tracker, uint64_t id,
                                       const char *unique_id)
{
    const struct sluice_message_head head = head_of(id, unique_id);
    return sluice_tracker_judge_image(tracker, &head, true);
}

static void an_image_belongs_when_both_ids_agree(void **state)
{
    (void)state;
    struct sluice_tracker tracker = {0};
    open_one(&tracker, 1, "one");
    assert_int_equal(judge(&tracker, 1, "one"), SLUICE_IMAGE_OF_SERIES);
    assert_int_equal(judge(&tracker, 1, "two"), SLUICE_IMAGE_FOREIGN);
    assert_int_equal(judge(&tracker, 2, "one"), SLUICE_IMAGE_FOREIGN);
    assert_int_equal(judge(&tracker, 1, NULL), SLUICE_IMAGE_OF_SERIES);
    assert_int_equal(judge(&tracker, 2, NULL), SLUICE_IMAGE_FOREIGN);
}

static void a_message_without_ids_counts_for_the_open_series(void **state)
{
    (void)state;
    struct sluice_tracker tracker = {0};
    const struct sluice_message_head nothing = {0};
    assert_int_equal(sluice_tracker_judge_image(&tracker, &nothing, false), SLUICE_IMAGE_NO_SERIES);
    open_one(&tracker, 1, "one");
    assert_int_equal(sluice_tracker_judge_image(&tracker, &nothing, false), SLUICE_IMAGE_OF_SERIES);
}

static void an_image_without_an_open_series_opens_one(void **state)
{
    (void)state;
    struct sluice_tracker tracker = {0};
    assert_int_equal(judge(&tracker, 5, "five"), SLUICE_IMAGE_MISSED_START);
}

static void an_image_after_the_close_opens_nothing(void **state)
{
    (void)state;
    static const enum sluice_ended_by ways[] = {SLUICE_ENDED_BY_END, SLUICE_ENDED_BY_NEW_START,
                                                SLUICE_ENDED_BY_STOP};
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        struct sluice_tracker tracker = {0};
        open_one(&tracker, 1, "one");
        sluice_tracker_close(&tracker, ways[i], false);
        assert_int_equal(judge(&tracker, 1, "one"), SLUICE_IMAGE_OF_CLOSED);
        assert_int_equal(judge(&tracker, 2, "two"), SLUICE_IMAGE_MISSED_START);
    }
}

static void a_series_closed_for_idleness_goes_on_only_when_images_are_missing(void **state)
{
    (void)state;
    struct sluice_tracker tracker = {0};
    open_one(&tracker, 1, "one");
    sluice_tracker_close(&tracker, SLUICE_ENDED_BY_IDLE, false);
    assert_int_equal(judge(&tracker, 1, "one"), SLUICE_IMAGE_MISSED_START);
    open_one(&tracker, 2, "two");
    sluice_tracker_close(&tracker, SLUICE_ENDED_BY_IDLE, true);
    assert_int_equal(judge(&tracker, 2, "two"), SLUICE_IMAGE_OF_CLOSED);
}

static void a_start_with_the_ids_of_a_closed_series_makes_them_current_again(void **state)
{
    (void)state;
    struct sluice_tracker tracker = {0};
    open_one(&tracker, 1, "one");
    sluice_tracker_close(&tracker, SLUICE_ENDED_BY_END, true);
    const struct sluice_message_head head = head_of(1, "one");
    assert_int_equal(sluice_tracker_judge_start(&tracker, &head), SLUICE_START_NEW);
    open_one(&tracker, 1, "one");
    assert_int_equal(judge(&tracker, 1, "one"), SLUICE_IMAGE_OF_SERIES);
    assert_int_equal(tracker.serial, 2);
}

static void a_start_whose_ids_cannot_be_read_makes_any_current_again(void **state)
{
    (void)state;
    struct sluice_tracker tracker = {0};
    const struct sluice_message_head head = {0};
    open_one(&tracker, 1, "one");
    sluice_tracker_close(&tracker, SLUICE_ENDED_BY_END, true);
    assert_int_equal(judge(&tracker, 1, "one"), SLUICE_IMAGE_OF_CLOSED);
    sluice_tracker_note_start(&tracker, &head);
    assert_int_equal(judge(&tracker, 1, "one"), SLUICE_IMAGE_MISSED_START);
}

static void starts_are_new_repeated_or_late(void **state)
{
    (void)state;
    struct sluice_tracker tracker = {0};
    const struct sluice_message_head one = head_of(1, "one"), two = head_of(2, "two");
    assert_int_equal(sluice_tracker_judge_start(&tracker, &one), SLUICE_START_NEW);
    open_one(&tracker, 1, "one");
    assert_int_equal(sluice_tracker_judge_start(&tracker, &one), SLUICE_START_REPEATED);
    assert_int_equal(sluice_tracker_judge_start(&tracker, &two), SLUICE_START_NEW);
    tracker.start_missed = true;
    assert_int_equal(sluice_tracker_judge_start(&tracker, &one), SLUICE_START_LATE);
}

static void only_its_own_end_closes_a_series(void **state)
{
    (void)state;
    struct sluice_tracker tracker = {0};
    const struct sluice_message_head one = head_of(1, "one"), two = head_of(2, "two");
    assert_false(sluice_tracker_judge_end(&tracker, &one));
    open_one(&tracker, 1, "one");
    assert_false(sluice_tracker_judge_end(&tracker, &two));
    assert_true(sluice_tracker_judge_end(&tracker, &one));
}

static void planes_are_matched_to_channels_by_name(void **state)
{
    (void)state;
    struct sluice_tracker tracker = {0};
    struct sluice_error error = {0};
    open_one(&tracker, 1, "one");
    struct sluice_image image = image_of("b", "a");
    assert_int_equal(sluice_tracker_check(&tracker, &image, &error), SLUICE_OK);
    assert_int_equal(image.planes[0].channel_index, 1);
    assert_int_equal(image.planes[1].channel_index, 0);
}

static void an_image_that_differs_from_the_series_is_a_mismatch(void **state)
{
    (void)state;
    struct sluice_tracker tracker = {0};
    open_one(&tracker, 1, "one");
    struct sluice_image cases[6];
    for (size_t i = 0; i < 4; i++) {
        cases[i] = image_of("a", "b");
    }
    cases[0].planes[1].width = 5;
    cases[1].planes[0].height = 4;
    cases[2].planes[1].dtype = SLUICE_I16;
    cases[3].planes[1].channel = text("a");
    cases[4] = image_of("a", NULL);
    cases[5] = image_of("a", "c");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sluice_error error = {0};
        assert_int_equal(sluice_tracker_check(&tracker, &cases[i], &error), SLUICE_MISMATCH);
        assert_true(strlen(error.message) > 10);
    }
}

static void a_late_start_is_brought_into_the_order_of_the_images(void **state)
{
    (void)state;
    struct sluice_tracker tracker = {0};
    struct sluice_error error = {0};
    const struct sluice_message_head head = head_of(1, "one");
    const struct sluice_image image = image_of("b", "a");
    struct sluice_series *made = sluice_tracker_series_of_image(&head, &image);
    assert_true(made->start_missed);
    assert_string_equal(made->channels[0].name, "b");
    sluice_tracker_open(&tracker, made, &image, 0);
    struct sluice_series *late = series_of(1, "one");
    late->channels[0].threshold_energy = 4000;
    late->channels[1].threshold_energy = 6000;
    assert_int_equal(sluice_tracker_adopt(&tracker, late, &error), SLUICE_OK);
    assert_string_equal(late->channels[0].name, "b");
    assert_true(late->channels[0].threshold_energy == 6000);
    assert_int_equal(tracker.number_of_images, 10);
    assert_false(tracker.start_missed);
    sluice_series_destroy(made);
    sluice_series_destroy(late);
}

static void a_late_start_that_contradicts_the_images_is_not_adopted(void **state)
{
    (void)state;
    const struct sluice_message_head head = head_of(1, "one");
    const struct sluice_image image = image_of("b", "a");
    struct sluice_series *made = sluice_tracker_series_of_image(&head, &image);
    for (int i = 0; i < 4; i++) {
        struct sluice_tracker tracker = {0};
        struct sluice_error error = {0};
        sluice_tracker_open(&tracker, made, &image, 0);
        struct sluice_series *late = series_of(1, "one");
        switch (i) {
        case 0:
            late->width = 5;
            break;
        case 1:
            late->dtype = SLUICE_U32;
            break;
        case 2:
            late->channel_count = 1;
            break;
        default:
            strcpy(late->channels[0].name, "c");
        }
        assert_int_equal(sluice_tracker_adopt(&tracker, late, &error), SLUICE_MISMATCH);
        assert_true(tracker.start_missed);
        sluice_series_destroy(late);
    }
    sluice_series_destroy(made);
}

static void what_a_start_does_not_say_the_first_image_does(void **state)
{
    (void)state;
    struct sluice_tracker tracker = {0};
    struct sluice_error error = {0};
    struct sluice_image image = image_of("data", NULL);
    struct sluice_series *series = series_of(1, "");
    series->width = series->height = 0;
    series->channel_count = 1;
    strcpy(series->channels[0].name, "data");
    series->channels[0].threshold_energy = 4000;
    sluice_tracker_open(&tracker, series, NULL, 0);
    image.planes[0].dtype = SLUICE_U32;
    sluice_tracker_complete(&tracker, series, &image);
    assert_int_equal(series->width, 4);
    assert_int_equal(series->height, 3);
    assert_int_equal(series->dtype, SLUICE_U32);
    assert_true(series->channels[0].threshold_energy == 4000); /* the channel is as it was */
    assert_int_equal(sluice_tracker_check(&tracker, &image, &error), SLUICE_OK);
    image.planes[0].width = 5;
    assert_int_equal(sluice_tracker_check(&tracker, &image, &error), SLUICE_MISMATCH);
    sluice_series_destroy(series);
}

static void a_late_start_that_does_not_say_how_images_look_learns_it(void **state)
{
    (void)state;
    struct sluice_tracker tracker = {0};
    struct sluice_error error = {0};
    const struct sluice_message_head head = head_of(1, NULL);
    const struct sluice_image image = image_of("a", "b");
    struct sluice_series *made = sluice_tracker_series_of_image(&head, &image);
    struct sluice_series *late = series_of(1, "");
    sluice_tracker_open(&tracker, made, &image, 0);
    late->width = late->height = 0;
    assert_int_equal(sluice_tracker_adopt(&tracker, late, &error), SLUICE_OK);
    assert_int_equal(late->width, 4);
    assert_int_equal(late->height, 3);
    assert_int_equal(late->dtype, SLUICE_U16);
    sluice_series_destroy(made);
    sluice_series_destroy(late);
}

static void every_second_id_means_a_second_client_and_is_said_once(void **state)
{
    (void)state;
    struct sluice_tracker tracker = {0};
    uint64_t clients = 0;
    unsigned said = 0;
    open_one(&tracker, 1, "one");
    for (uint64_t id = 1; id < 100; id += 2) {
        said += sluice_tracker_note_id(&tracker, id, &clients);
    }
    assert_int_equal(said, 1);
    assert_int_equal(clients, 2);
}

static void scattered_losses_are_no_second_client(void **state)
{
    (void)state;
    struct sluice_tracker tracker = {0};
    uint64_t clients = 0;
    open_one(&tracker, 1, "one");
    for (uint64_t id = 0; id < 400; id++) {
        if (id % 7 != 3 && id % 13 != 5) {
            assert_false(sluice_tracker_note_id(&tracker, id, &clients));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_image_belongs_when_both_ids_agree),
        cmocka_unit_test(a_message_without_ids_counts_for_the_open_series),
        cmocka_unit_test(an_image_without_an_open_series_opens_one),
        cmocka_unit_test(an_image_after_the_close_opens_nothing),
        cmocka_unit_test(a_series_closed_for_idleness_goes_on_only_when_images_are_missing),
        cmocka_unit_test(a_start_with_the_ids_of_a_closed_series_makes_them_current_again),
        cmocka_unit_test(a_start_whose_ids_cannot_be_read_makes_any_current_again),
        cmocka_unit_test(starts_are_new_repeated_or_late),
        cmocka_unit_test(only_its_own_end_closes_a_series),
        cmocka_unit_test(planes_are_matched_to_channels_by_name),
        cmocka_unit_test(an_image_that_differs_from_the_series_is_a_mismatch),
        cmocka_unit_test(a_late_start_is_brought_into_the_order_of_the_images),
        cmocka_unit_test(a_late_start_that_contradicts_the_images_is_not_adopted),
        cmocka_unit_test(what_a_start_does_not_say_the_first_image_does),
        cmocka_unit_test(a_late_start_that_does_not_say_how_images_look_learns_it),
        cmocka_unit_test(every_second_id_means_a_second_client_and_is_said_once),
        cmocka_unit_test(scattered_losses_are_no_second_client),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
