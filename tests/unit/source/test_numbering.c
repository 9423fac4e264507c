/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames of counters that begin anywhere: which image of which acquisition they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ingest/source/numbering.h"

static struct sluice_numbering opened(uint64_t first, uint64_t count)
{
    struct sluice_numbering numbering = {.jump_max = 1000};

    sluice_numbering_open(&numbering, first, count);
    return numbering;
}

static enum sluice_number_verdict judge(const struct sluice_numbering *numbering, uint64_t frame)
{
    return sluice_numbering_judge(numbering, frame, true, true);
}

static void the_first_frame_opens_whatever_its_number(void **state)
{
    const uint64_t frames[] = {0, 1, 17, UINT64_MAX};
    const struct sluice_numbering none = {.jump_max = 1000};

    (void)state;
    for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++)
        assert_int_equal(judge(&none, frames[i]), SLUICE_NUMBER_OPENS);
}

static void without_a_count_all_from_the_first_on_are_inside(void **state)
{
    const struct sluice_numbering numbering = opened(100, 0);

    (void)state;
    assert_int_equal(judge(&numbering, 99), SLUICE_NUMBER_EARLIER);
    assert_int_equal(judge(&numbering, 0), SLUICE_NUMBER_EARLIER);
    assert_int_equal(judge(&numbering, 100), SLUICE_NUMBER_INSIDE);
    assert_int_equal(judge(&numbering, UINT64_MAX), SLUICE_NUMBER_INSIDE);
}

static void another_shape_closes_and_opens_whatever_the_number(void **state)
{
    const struct sluice_numbering numbering = opened(100, 10);

    (void)state;
    for (uint64_t frame = 99; frame < 112; frame++)
        assert_int_equal(sluice_numbering_judge(&numbering, frame, false, true),
                         SLUICE_NUMBER_CHANGED);
}

static void a_frame_past_the_count_closes_and_opens(void **state)
{
    struct sluice_numbering numbering = opened(100, 10);

    (void)state;
    assert_int_equal(judge(&numbering, 109), SLUICE_NUMBER_INSIDE);
    assert_int_equal(judge(&numbering, 110), SLUICE_NUMBER_BEYOND);
    assert_int_equal(judge(&numbering, 1100), SLUICE_NUMBER_BEYOND);
    assert_int_equal(judge(&numbering, 1101),
                     SLUICE_NUMBER_INSIDE); /* damaged: the writer refuses */
    assert_int_equal(judge(&numbering, UINT64_MAX), SLUICE_NUMBER_INSIDE);
    (void)sluice_numbering_note(&numbering, 105);
    assert_int_equal(judge(&numbering, 1105), SLUICE_NUMBER_BEYOND);
    (void)sluice_numbering_note(&numbering, UINT64_MAX); /* moves nothing */
    assert_int_equal(judge(&numbering, 1106), SLUICE_NUMBER_INSIDE);
}

static void counters_at_the_end_of_their_range_do_not_wrap(void **state)
{
    const struct sluice_numbering numbering = opened(UINT64_MAX - 1, 5);

    (void)state;
    assert_int_equal(judge(&numbering, UINT64_MAX), SLUICE_NUMBER_INSIDE);
    assert_int_equal(judge(&numbering, 0), SLUICE_NUMBER_EARLIER);
}

static void a_frame_that_comes_twice_after_a_full_acquisition_opens_nothing(void **state)
{
    struct sluice_numbering numbering = opened(100, 10);

    (void)state;
    sluice_numbering_close(&numbering, true);
    assert_int_equal(judge(&numbering, 109), SLUICE_NUMBER_ECHO);
    assert_int_equal(judge(&numbering, 101), SLUICE_NUMBER_ECHO);
    assert_int_equal(judge(&numbering, 110), SLUICE_NUMBER_OPENS);
    assert_int_equal(judge(&numbering, 99), SLUICE_NUMBER_OPENS);
    /* long ago: a counter that restarted, and its first frame was lost */
    assert_int_equal(sluice_numbering_judge(&numbering, 101, true, false), SLUICE_NUMBER_OPENS);
}

static void a_counter_that_restarts_after_a_full_acquisition_opens_the_next(void **state)
{
    struct sluice_numbering numbering = opened(100, 10);

    (void)state;
    sluice_numbering_close(&numbering, true);
    assert_int_equal(judge(&numbering, 100), SLUICE_NUMBER_OPENS);
    /* Its first frame was lost: the second is taken for an echo, but not the third. */
    assert_int_equal(judge(&numbering, 101), SLUICE_NUMBER_ECHO);
    sluice_numbering_note_echo(&numbering, 101);
    assert_int_equal(judge(&numbering, 102), SLUICE_NUMBER_OPENS);
    assert_int_equal(judge(&numbering, 101), SLUICE_NUMBER_ECHO);
}

static void after_any_other_close_every_frame_opens(void **state)
{
    struct sluice_numbering numbering = opened(100, 10);

    (void)state;
    sluice_numbering_close(&numbering, false);
    for (uint64_t frame = 98; frame < 112; frame++)
        assert_int_equal(judge(&numbering, frame), SLUICE_NUMBER_OPENS);
}

static void a_counter_that_goes_back_and_counts_on_is_said_once(void **state)
{
    struct sluice_numbering numbering = opened(0, 0);
    int said = 0;

    (void)state;
    for (uint64_t frame = 0; frame < 100; frame++)
        said += sluice_numbering_note(&numbering, frame);
    /* late ones and doubled ones are no restart */
    const uint64_t ordinary[] = {50, 51, 52, 100, 99, 98, 97, 96, 95, 94, 93, 92, 91, 7, 7, 7, 101};
    for (size_t i = 0; i < sizeof(ordinary) / sizeof(ordinary[0]); i++)
        said += sluice_numbering_note(&numbering, ordinary[i]);
    assert_int_equal(said, 0);
    for (uint64_t frame = 0; frame < 8; frame++)
        said += sluice_numbering_note(&numbering, frame);
    assert_int_equal(said, 0);
    for (uint64_t frame = 8; frame < 90; frame++)
        said += sluice_numbering_note(&numbering, frame);
    assert_int_equal(said, 1);
}

static void after_a_stop_the_stream_opens_nothing_before_a_pause_or_a_release(void **state)
{
    struct sluice_numbering numbering = opened(100, 0);

    (void)state;
    sluice_numbering_close(&numbering, false);
    sluice_numbering_hold(&numbering);
    assert_int_equal(judge(&numbering, 101), SLUICE_NUMBER_HELD);
    assert_int_equal(judge(&numbering, 5), SLUICE_NUMBER_HELD);
    assert_int_equal(sluice_numbering_judge(&numbering, 101, true, false), SLUICE_NUMBER_OPENS);
    sluice_numbering_release(&numbering);
    assert_int_equal(judge(&numbering, 101), SLUICE_NUMBER_OPENS);
    sluice_numbering_hold(&numbering);
    sluice_numbering_open(&numbering, 101, 0);
    assert_int_equal(judge(&numbering, 102), SLUICE_NUMBER_INSIDE);
    sluice_numbering_close(&numbering, false);
    assert_int_equal(judge(&numbering, 103), SLUICE_NUMBER_OPENS);
}

static void an_acquisition_is_full_when_every_image_was_there_in_any_order(void **state)
{
    struct sluice_numbering numbering = opened(100, 6);
    const uint64_t frames[] = {100, 105, 102, 102, 101, 5000, 100 + SLUICE_NUMBERING_WINDOW, 104};

    (void)state;
    for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
        (void)sluice_numbering_note(&numbering, frames[i]);
        assert_false(sluice_numbering_is_full(&numbering));
    }
    (void)sluice_numbering_note(&numbering, 103);
    assert_true(sluice_numbering_is_full(&numbering));
    numbering = opened(7, 0);
    (void)sluice_numbering_note(&numbering, 7);
    assert_false(sluice_numbering_is_full(&numbering)); /* no number is known */
}

static void out_of_order_frames_are_known_across_the_window(void **state)
{
    const uint64_t count = 3 * SLUICE_NUMBERING_WINDOW + 5, step = SLUICE_NUMBERING_WINDOW;
    struct sluice_numbering numbering = opened(1, count);

    (void)state;
    for (uint64_t from = 0; from < count; from += step) /* each window backwards */
        for (uint64_t k = step; k-- > 0;)
            if (from + k < count) {
                assert_false(sluice_numbering_is_full(&numbering));
                (void)sluice_numbering_note(&numbering, 1 + from + k);
            }
    assert_true(sluice_numbering_is_full(&numbering));
    sluice_numbering_open(&numbering, 1, 1); /* nothing is left of the one before */
    assert_false(sluice_numbering_is_full(&numbering));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_frame_opens_whatever_its_number),
        cmocka_unit_test(without_a_count_all_from_the_first_on_are_inside),
        cmocka_unit_test(another_shape_closes_and_opens_whatever_the_number),
        cmocka_unit_test(a_frame_past_the_count_closes_and_opens),
        cmocka_unit_test(counters_at_the_end_of_their_range_do_not_wrap),
        cmocka_unit_test(a_frame_that_comes_twice_after_a_full_acquisition_opens_nothing),
        cmocka_unit_test(a_counter_that_restarts_after_a_full_acquisition_opens_the_next),
        cmocka_unit_test(after_any_other_close_every_frame_opens),
        cmocka_unit_test(after_a_stop_the_stream_opens_nothing_before_a_pause_or_a_release),
        cmocka_unit_test(an_acquisition_is_full_when_every_image_was_there_in_any_order),
        cmocka_unit_test(out_of_order_frames_are_known_across_the_window),
        cmocka_unit_test(a_counter_that_goes_back_and_counts_on_is_said_once),
    };
    return cmocka_run_group_tests_name("numbering", tests, NULL, NULL);
}
