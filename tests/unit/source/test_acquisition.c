/* SPDX-License-Identifier: Apache-2.0
 *
 * The source agent on array-1.0: when acquisitions open and close, on a fake clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <zmq.h>

#include "core/series.h"
#include "tests/unit/source/bench.h"

static void send_array(struct bench *bench, uint64_t frame, uint32_t rows)
{
    uint8_t pixels[64];
    char header[128];
    const int bytes = snprintf(header, sizeof header,
                               "{\"htype\":\"array-1.0\",\"shape\":[%u,2],\"type\":\"int8\","
                               "\"frame\":%llu}",
                               rows, (unsigned long long)frame);
    memset(pixels, (int)frame, sizeof pixels);
    assert_int_equal(zmq_send(bench->push, header, (size_t)bytes, ZMQ_SNDMORE), bytes);
    assert_int_equal(zmq_send(bench->push, pixels, 2 * (size_t)rows, 0), 2 * rows);
}

static void take_array(struct bench *bench, uint64_t image_id, uint64_t frame)
{
    uint32_t slot;
    const struct sluice_frame *taken = next_frame(bench, SLUICE_FRAME_IMAGE, &slot);
    assert_int_equal(taken->image.image_id, image_id);
    assert_int_equal(taken->image.planes[0].payload.data[0], frame);
    give_back(bench, slot);
}

/* The number of images that the series which opens is to have. */
static uint64_t take_opening(struct bench *bench)
{
    uint32_t slot;
    struct sluice_frame *frame = next_frame(bench, SLUICE_FRAME_OPEN, &slot);
    const uint64_t number_of_images = frame->series->number_of_images;
    sluice_series_destroy(frame->series);
    frame->series = NULL;
    give_back(bench, slot);
    return number_of_images;
}

/* The series that opens, checked against what the first frame said. */
static void take_acquisition(struct bench *bench, uint32_t rows)
{
    uint32_t slot;
    struct sluice_frame *frame = next_frame(bench, SLUICE_FRAME_OPEN, &slot);
    assert_false(frame->series->start_missed);
    assert_int_equal(frame->series->height, rows);
    assert_int_equal(frame->series->dtype, SLUICE_I8);
    assert_int_equal(frame->series->number_of_images, 0);
    assert_int_equal(frame->series->series_id, 19700101000001); /* where the fake clock stands */
    sluice_series_destroy(frame->series);
    frame->series = NULL;
    give_back(bench, slot);
}

static void take_close(struct bench *bench, enum sluice_ended_by ended_by, uint64_t received)
{
    uint32_t slot;
    const struct sluice_frame *frame = next_frame(bench, SLUICE_FRAME_CLOSE, &slot);
    assert_int_equal(frame->ended_by, ended_by);
    assert_int_equal(frame->source_counts.received, received);
    give_back(bench, slot);
}

static void an_acquisition_ends_after_two_seconds_without_a_frame(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_with(&bench, SLUICE_OVERFLOW_WAIT, SLUICE_IDLE_TIMEOUT_AUTO);
    send_array(&bench, 40, 3);
    work_until(&bench, SLUICE_COUNTER_SOURCE_IMAGES, 1);
    take_acquisition(&bench, 3);
    take_array(&bench, 0, 40);
    sluice_clock_fake_advance(&bench.clock, 2 * SLUICE_NS_PER_S - 1);
    send_array(&bench, 39, 3); /* before the first: no sign of life */
    work_until(&bench, SLUICE_COUNTER_SOURCE_IMAGES, 2);
    assert_int_equal(sluice_handover_count(&bench.out), 0);
    sluice_clock_fake_advance(&bench.clock, 1);
    (void)sluice_source_agent_ops.do_work(bench.source);
    (void)sluice_source_agent_ops.do_work(bench.source);
    take_close(&bench, SLUICE_ENDED_BY_IDLE, 2);
    bench_close(&bench);
}

static void a_frame_that_waits_for_a_slot_closes_and_opens_only_once(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, SLUICE_OVERFLOW_WAIT);
    send_array(&bench, 40, 3);
    send_array(&bench, 7, 5); /* another shape, and the one slot is taken */
    work_until(&bench, SLUICE_COUNTER_SOURCE_WAITS, 1);
    for (int i = 0; i < 5; i++)
        (void)sluice_source_agent_ops.do_work(bench.source);
    take_acquisition(&bench, 3);
    take_array(&bench, 0, 40);
    work_until(&bench, SLUICE_COUNTER_SOURCE_IMAGES, 2);
    take_close(&bench, SLUICE_ENDED_BY_NEW_START, 1);
    take_acquisition(&bench, 5);
    take_array(&bench, 0, 7);
    bench_close(&bench);
}

static void an_arm_says_how_many_images_and_no_more_are_taken(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench, SLUICE_OVERFLOW_WAIT);
    atomic_store(&bench.progress.armed_images, 2);
    atomic_store(&bench.progress.arms_accepted, 1);
    for (uint64_t frame = 40; frame < 42; frame++) {
        send_array(&bench, frame, 3);
        work_until(&bench, SLUICE_COUNTER_SOURCE_IMAGES, frame - 39);
        if (frame == 40)
            assert_int_equal(take_opening(&bench), 2);
        atomic_store(&bench.progress.armed_images, 0); /* used up */
        take_array(&bench, frame - 40, frame);
    }
    take_close(&bench, SLUICE_ENDED_BY_END, 2);
    send_array(&bench, 42, 3); /* it runs freely */
    work_until(&bench, SLUICE_COUNTER_SOURCE_FOREIGN, 1);
    assert_int_equal(sluice_handover_count(&bench.out), 0);
    atomic_store(&bench.progress.arms_accepted, 2); /* without a number */
    send_array(&bench, 43, 3);
    work_until(&bench, SLUICE_COUNTER_SOURCE_IMAGES, 4);
    assert_int_equal(take_opening(&bench), 0);
    take_array(&bench, 0, 43);
    bench_close(&bench);
}

static void take_stopped(struct bench *bench, uint64_t number)
{
    uint32_t slot;
    assert_int_equal(next_frame(bench, SLUICE_FRAME_STOPPED, &slot)->stop_number, number);
    give_back(bench, slot);
}

static void after_a_stop_a_free_running_detector_opens_nothing(void **state)
{
    (void)state;
    struct bench bench;
    bench_open_with(&bench, SLUICE_OVERFLOW_WAIT, SLUICE_IDLE_TIMEOUT_AUTO);
    send_array(&bench, 40, 3);
    work_until(&bench, SLUICE_COUNTER_SOURCE_IMAGES, 1);
    take_acquisition(&bench, 3);
    take_array(&bench, 0, 40);
    sluice_source_stop_series(bench.source, 1);
    work_until_frames(&bench, 2);
    take_close(&bench, SLUICE_ENDED_BY_STOP, 1);
    take_stopped(&bench, 1);
    for (uint64_t frame = 41; frame < 46; frame++) { /* 5 s without a pause of 2 s */
        sluice_clock_fake_advance(&bench.clock, SLUICE_NS_PER_S);
        send_array(&bench, frame, 3);
        work_until(&bench, SLUICE_COUNTER_SOURCE_FOREIGN, frame - 40);
    }
    assert_int_equal(sluice_handover_count(&bench.out), 0);
    atomic_store(&bench.progress.arms_accepted, 1); /* an arm lets the next one open */
    send_array(&bench, 46, 3);
    work_until(&bench, SLUICE_COUNTER_SOURCE_IMAGES, 7);
    assert_int_equal(take_opening(&bench), 0);
    take_array(&bench, 0, 46);
    sluice_source_stop_series(bench.source, 2);
    work_until_frames(&bench, 2);
    take_close(&bench, SLUICE_ENDED_BY_STOP, 1);
    take_stopped(&bench, 2);
    sluice_clock_fake_advance(&bench.clock, 2 * SLUICE_NS_PER_S); /* and so does a pause */
    send_array(&bench, 47, 3);
    work_until(&bench, SLUICE_COUNTER_SOURCE_IMAGES, 8);
    assert_int_equal(take_opening(&bench), 0);
    take_array(&bench, 0, 47);
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_acquisition_ends_after_two_seconds_without_a_frame),
        cmocka_unit_test(a_frame_that_waits_for_a_slot_closes_and_opens_only_once),
        cmocka_unit_test(an_arm_says_how_many_images_and_no_more_are_taken),
        cmocka_unit_test(after_a_stop_a_free_running_detector_opens_nothing),
    };
    return cmocka_run_group_tests_name("acquisition", tests, NULL, NULL);
}
