/* SPDX-License-Identifier: Apache-2.0
 *
 * The codec workers by hand: every filter from every encoding and element type, odd sizes, order,
 * damaged planes, buffers that run out, shapes that change, giving up and finishing. */
#include "rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    enum sluice_codec_filter filter;
    enum sluice_encoding encoding;
} filters[] = {
    {SLUICE_CODEC_BSLZ4, SLUICE_ENCODING_BSLZ4},
    {SLUICE_CODEC_LZ4, SLUICE_ENCODING_LZ4},
    {SLUICE_CODEC_NONE, SLUICE_ENCODING_NONE},
};
static const enum sluice_encoding encodings[] = {SLUICE_ENCODING_NONE, SLUICE_ENCODING_LZ4,
                                                 SLUICE_ENCODING_BSLZ4, SLUICE_ENCODING_LZ4_BLOCK};

/* One image of one plane; its pixels, to be freed. */
static uint8_t *push_image(struct rig *rig, uint32_t width, uint32_t height,
                           enum sluice_dtype dtype, enum sluice_encoding encoding,
                           enum rig_content content)
{
    const size_t element_bytes = sluice_dtype_bytes(dtype);
    const size_t bytes = (size_t)width * height * element_bytes;
    uint8_t *pixels = rig_pixels(content, bytes, element_bytes, rig->used + bytes);
    struct sluice_span payload = rig_encode(encoding, pixels, bytes, element_bytes);
    const uint32_t slot = rig_image(rig, rig->used);
    rig_plane(rig, slot, payload, width, height, dtype, encoding);
    free((void *)(uintptr_t)payload.data);
    sluice_handover_push_work(&rig->handover, slot);
    return pixels;
}

static void every_encoding_and_type_becomes_what_the_filter_says(void **state)
{
    static const uint32_t shapes[][2] = {{1, 1},   {7, 1},   {3, 5},    {8, 2},
                                         {31, 33}, {64, 64}, {257, 129}};
    (void)state;
    for (size_t f = 0; f < sizeof filters / sizeof *filters; f++)
        for (size_t e = 0; e < sizeof encodings / sizeof *encodings; e++)
            for (unsigned dtype = 0; dtype < SLUICE_DTYPE_COUNT; dtype++)
                for (int content = 0; content < RIG_CONTENT_COUNT; content++) {
                    struct rig rig;
                    uint8_t *pixels[sizeof shapes / sizeof *shapes];
                    const size_t count = sizeof shapes / sizeof *shapes;
                    rig_open(&rig, filters[f].filter, 2);
                    for (size_t i = 0; i < count; i++)
                        pixels[i] =
                            push_image(&rig, shapes[i][0], shapes[i][1], (enum sluice_dtype)dtype,
                                       encodings[e], (enum rig_content)content);
                    for (size_t i = 0; i < count; i++) {
                        rig_work(&rig);
                        struct sluice_frame *frame = rig_pop(&rig);
                        assert_non_null(frame);
                        assert_int_equal(frame->image.image_id, i);
                        assert_int_equal(frame->encode_status, SLUICE_OK);
                        rig_assert_plane(&frame->image.planes[0], filters[f].encoding, pixels[i]);
                        rig_release(frame);
                        free(pixels[i]);
                    }
                    assert_int_equal(rig_counter(&rig, SLUICE_COUNTER_ENCODE_IMAGES), count);
                    rig_close(&rig);
                }
}

static void what_is_in_the_wanted_encoding_is_passed_on_untouched(void **state)
{
    (void)state;
    for (size_t f = 0; f < sizeof filters / sizeof *filters; f++) {
        struct rig rig;
        rig_open(&rig, filters[f].filter, 1);
        uint8_t *pixels = push_image(&rig, 20, 10, SLUICE_U16, filters[f].encoding, RIG_COUNTS);
        const struct sluice_span before = rig.frames[0].image.planes[0].payload;
        rig_work(&rig);
        struct sluice_frame *frame = rig_pop(&rig);
        assert_ptr_equal(frame->image.planes[0].payload.data, before.data);
        assert_int_equal(frame->image.planes[0].payload.bytes, before.bytes);
        assert_null(frame->pool);
        rig_assert_plane(&frame->image.planes[0], filters[f].encoding, pixels);
        assert_int_equal(rig_counter(&rig, SLUICE_COUNTER_ENCODE_UNCHANGED), 1);
        assert_int_equal(rig_counter(&rig, SLUICE_COUNTER_ENCODE_BUFFERS), 0);
        free(pixels);
        rig_close(&rig);
    }
}

static void all_channels_lie_in_one_buffer_at_whole_pages_with_zeros_behind(void **state)
{
    static const enum sluice_dtype dtypes[] = {SLUICE_U16, SLUICE_U16, SLUICE_I32};
    struct rig rig;
    uint8_t *pixels[3];
    (void)state;
    rig_open(&rig, SLUICE_CODEC_BSLZ4, 1);
    const uint32_t slot = rig_image(&rig, 0);
    for (uint32_t p = 0; p < 3; p++) {
        const size_t element_bytes = sluice_dtype_bytes(dtypes[p]), bytes = 61 * 43 * element_bytes;
        pixels[p] = rig_pixels(RIG_NOISE, bytes, element_bytes, p + 1);
        struct sluice_span payload = rig_encode(encodings[p], pixels[p], bytes, element_bytes);
        rig_plane(&rig, slot, payload, 61, 43, dtypes[p], encodings[p]);
        free((void *)(uintptr_t)payload.data);
    }
    sluice_handover_push_work(&rig.handover, slot);
    rig_work(&rig);
    struct sluice_frame *frame = rig_pop(&rig);
    assert_non_null(frame->pool);
    for (uint32_t p = 0; p < 3; p++) {
        const struct sluice_plane *plane = &frame->image.planes[p];
        rig_assert_plane(plane, SLUICE_ENCODING_BSLZ4, pixels[p]);
        free(pixels[p]);
        if (p == 2)
            continue; /* it came so: still in the message */
        assert_int_equal((uintptr_t)plane->payload.data % SLUICE_POOL_ALIGN, 0);
        for (size_t at = plane->payload.bytes; at < sluice_pool_round(plane->payload.bytes); at++)
            assert_int_equal(plane->payload.data[at], 0);
    }
    rig_release(frame);
    rig_close(&rig);
}

static void images_leave_in_order_whatever_the_workers_take(void **state)
{
    struct rig rig;
    uint8_t *pixels[4];
    (void)state;
    rig_open(&rig, SLUICE_CODEC_BSLZ4, 2);
    for (int i = 0; i < 4; i++)
        pixels[i] = push_image(&rig, 9, 9, SLUICE_U16, SLUICE_ENCODING_NONE, RIG_COUNTS);
    sluice_handover_push(&rig.handover, RIG_SLOTS - 1); /* a close */
    while (rig_cycle(&rig, 1) > 0) /* all of the second worker: images 1 and 3 */
        assert_null(rig_pop(&rig));
    assert_true(rig_cycle(&rig, 0) > 0);
    for (uint64_t id = 0; id < 2; id++) {
        struct sluice_frame *frame = rig_pop(&rig);
        assert_int_equal(frame->image.image_id, id);
        rig_release(frame);
    }
    assert_null(rig_pop(&rig));
    rig_work(&rig);
    for (uint64_t id = 2; id < 4; id++) {
        struct sluice_frame *frame = rig_pop(&rig);
        assert_int_equal(frame->image.image_id, id);
        rig_release(frame);
    }
    assert_ptr_equal(rig_pop(&rig), &rig.frames[RIG_SLOTS - 1]);
    for (int i = 0; i < 4; i++)
        free(pixels[i]);
    rig_close(&rig);
}

/* Pushes an image whose payload was damaged at `at`; a negative one shortens it by so much. */
static void push_damaged(struct rig *rig, enum sluice_encoding encoding, long at)
{
    uint8_t *pixels = rig_pixels(RIG_COUNTS, 4000, 2, 1);
    struct sluice_span payload = rig_encode(encoding, pixels, 4000, 2);
    const uint32_t slot = rig_image(rig, rig->used);
    if (at < 0)
        payload.bytes -= (size_t)-at;
    else
        memset((void *)(uintptr_t)(payload.data + at), 0xff, 16);
    rig_plane(rig, slot, (struct sluice_span){pixels, 4000}, 50, 40, SLUICE_U16,
              SLUICE_ENCODING_NONE);
    rig_plane(rig, slot, payload, 50, 40, SLUICE_U16, encoding);
    free((void *)(uintptr_t)payload.data);
    free(pixels);
    sluice_handover_push_work(&rig->handover, slot);
}

static void a_damaged_plane_refuses_the_image_and_nothing_else(void **state)
{
    struct rig rig;
    struct sluice_distinct_error error;
    (void)state;
    rig_open(&rig, SLUICE_CODEC_LZ4, 1);
    push_damaged(&rig, SLUICE_ENCODING_BSLZ4, 12); /* the first length */
    push_damaged(&rig, SLUICE_ENCODING_BSLZ4, 0);  /* the header */
    push_damaged(&rig, SLUICE_ENCODING_BSLZ4, -1);
    push_damaged(&rig, SLUICE_ENCODING_NONE, -1);
    uint8_t *pixels = push_image(&rig, 50, 40, SLUICE_U16, SLUICE_ENCODING_BSLZ4, RIG_COUNTS);
    rig_work(&rig);
    for (int i = 0; i < 4; i++) {
        struct sluice_frame *frame = rig_pop(&rig);
        assert_int_equal(frame->image.image_id, i);
        assert_int_not_equal(frame->encode_status, SLUICE_OK);
        assert_int_equal(frame->bad_plane, 1);
        assert_null(frame->pool); /* nothing to give back */
    }
    struct sluice_frame *frame = rig_pop(&rig);
    assert_int_equal(frame->encode_status, SLUICE_OK);
    rig_assert_plane(&frame->image.planes[0], SLUICE_ENCODING_LZ4, pixels);
    rig_release(frame);
    assert_int_equal(rig_counter(&rig, SLUICE_COUNTER_ENCODE_DAMAGED), 4);
    assert_true(sluice_counters_error_get(rig.counters, 0, &error));
    assert_non_null(strstr(error.text, "channel \"threshold_1\" cannot be decoded (bslz4)"));
    free(pixels);
    rig_close(&rig);
}

static void a_worker_without_a_buffer_waits_for_the_writer(void **state)
{
    /* one buffer of 3 pages */
    const struct sluice_encode_settings settings = {
        .filter = SLUICE_CODEC_BSLZ4, .workers = 1, .memory_bytes_max = 16384, .cpu = -1};
    struct rig rig;
    uint8_t *pixels[3];
    (void)state;
    rig_open_with(&rig, &settings);
    for (int i = 0; i < 3; i++)
        pixels[i] = push_image(&rig, 60, 70, SLUICE_U16, SLUICE_ENCODING_NONE, RIG_NOISE);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(rig_work(&rig), 1);
        assert_int_equal(rig_cycle(&rig, 0), 0);
        struct sluice_frame *frame = rig_pop(&rig);
        assert_int_equal(frame->image.image_id, i);
        rig_assert_plane(&frame->image.planes[0], SLUICE_ENCODING_BSLZ4, pixels[i]);
        assert_int_equal(rig_cycle(&rig, 0), 0);
        const struct sluice_wake *wake = sluice_handover_worker_wake(&rig.handover, 0);
        const uint32_t before = wake->word;
        rig_release(frame);
        assert_int_not_equal(wake->word, before);
        free(pixels[i]);
    }
    assert_int_equal(rig_counter(&rig, SLUICE_COUNTER_ENCODE_BUFFERS), 1);
    assert_int_equal(rig_counter(&rig, SLUICE_COUNTER_ENCODE_WAITS), 2);
    rig_close(&rig);
}

static void an_image_larger_than_all_memory_is_refused(void **state)
{
    const struct sluice_encode_settings settings = {
        .filter = SLUICE_CODEC_BSLZ4, .workers = 2, .memory_bytes_max = 16384, .cpu = -1};
    struct rig rig;
    (void)state;
    rig_open_with(&rig, &settings);
    free(push_image(&rig, 100, 100, SLUICE_U16, SLUICE_ENCODING_NONE, RIG_ZEROS));
    uint8_t *small = push_image(&rig, 10, 10, SLUICE_U16, SLUICE_ENCODING_NONE, RIG_ZEROS);
    /* 4e9 x 4e9 pixels that nobody sent */
    const uint32_t slot = rig_image(&rig, 2);
    rig_plane(&rig, slot, (struct sluice_span){(const uint8_t *)"x", 1}, 4000000000u, 4000000000u,
              SLUICE_F64, SLUICE_ENCODING_LZ4);
    sluice_handover_push_work(&rig.handover, slot);
    rig_work(&rig);
    assert_int_equal(rig_pop(&rig)->encode_status, SLUICE_LIMIT);
    struct sluice_frame *frame = rig_pop(&rig);
    assert_int_equal(frame->encode_status, SLUICE_OK);
    rig_release(frame);
    assert_int_equal(rig_pop(&rig)->encode_status, SLUICE_LIMIT);
    free(small);
    rig_close(&rig);
}

static void announce(struct rig *rig, uint32_t width, uint32_t height, uint32_t channels)
{
    const struct sluice_series series = {
        .width = width, .height = height, .dtype = SLUICE_U16, .channel_count = channels};
    sluice_encode_announce(rig->encode, &series);
}

static void an_announced_series_has_its_buffers_before_its_first_image(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig, SLUICE_CODEC_BSLZ4, 2);
    announce(&rig, 100, 100, 2);
    rig_work(&rig);
    const uint64_t bytes = rig_counter(&rig, SLUICE_COUNTER_ENCODE_BUFFER_BYTES);
    assert_true(rig_counter(&rig, SLUICE_COUNTER_ENCODE_BUFFERS) >= RIG_SLOTS);
    assert_true(bytes >= RIG_SLOTS * 2 * 20000);
    uint8_t *pixels = push_image(&rig, 100, 100, SLUICE_U16, SLUICE_ENCODING_NONE, RIG_NOISE);
    rig_work(&rig);
    rig_release(rig_pop(&rig));
    announce(&rig, 100, 100, 2); /* again: nothing to do */
    rig_work(&rig);
    assert_int_equal(rig_counter(&rig, SLUICE_COUNTER_ENCODE_BUFFER_BYTES), bytes);
    free(pixels);
    announce(&rig, 1u << 31, 1u << 31, 2); /* no such image will be taken */
    rig_work(&rig);
    announce(&rig, 0, 0, 0); /* the start said no shape */
    rig_work(&rig);
    assert_int_equal(rig_counter(&rig, SLUICE_COUNTER_ENCODE_BUFFER_BYTES), bytes);
    rig_close(&rig);
}

static void a_larger_shape_waits_for_the_buffers_of_the_smaller(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig, SLUICE_CODEC_LZ4, 1);
    uint8_t *small = push_image(&rig, 8, 8, SLUICE_U16, SLUICE_ENCODING_NONE, RIG_NOISE);
    uint8_t *large = push_image(&rig, 200, 300, SLUICE_U32, SLUICE_ENCODING_BSLZ4, RIG_COUNTS);
    rig_work(&rig);
    struct sluice_frame *first = rig_pop(&rig);
    assert_null(rig_pop(&rig));
    announce(&rig, 8, 8, 1); /* cannot hurry it, nor be lost in it */
    assert_int_equal(rig_cycle(&rig, 0), 0);
    rig_assert_plane(&first->image.planes[0], SLUICE_ENCODING_LZ4, small);
    rig_release(first);
    rig_work(&rig);
    struct sluice_frame *second = rig_pop(&rig);
    rig_assert_plane(&second->image.planes[0], SLUICE_ENCODING_LZ4, large);
    rig_release(second);
    rig_work(&rig);
    uint8_t *again = push_image(&rig, 8, 8, SLUICE_U16, SLUICE_ENCODING_NONE, RIG_NOISE);
    rig_work(&rig);
    rig_release(rig_pop(&rig));
    free(small);
    free(large);
    free(again);
    rig_close(&rig);
}

static void given_up_images_are_handed_on_as_they_are(void **state)
{
    const struct sluice_encode_settings settings = {
        .filter = SLUICE_CODEC_BSLZ4, .workers = 1, .memory_bytes_max = 16384, .cpu = -1};
    struct rig rig;
    (void)state;
    rig_open_with(&rig, &settings);
    for (int i = 0; i < 3; i++)
        free(push_image(&rig, 60, 70, SLUICE_U16, SLUICE_ENCODING_NONE, RIG_NOISE));
    rig_work(&rig); /* one is encoded, one waits in the worker's hands, one in the ring */
    sluice_encode_give_up(rig.encode);
    rig_work(&rig);
    for (int i = 0; i < 3; i++) {
        struct sluice_frame *frame = rig_pop(&rig);
        assert_int_equal(frame->image.image_id, i);
        assert_int_equal(frame->pool != NULL, i == 0);
        rig_release(frame);
    }
    rig_close(&rig);
}

static void workers_finish_when_told_and_nothing_is_left(void **state)
{
    struct rig rig;
    struct sluice_error error = {0};
    (void)state;
    rig_open(&rig, SLUICE_CODEC_BSLZ4, 3);
    assert_int_equal(sluice_encode_start(rig.encode, &error), SLUICE_OK);
    uint8_t *pixels = push_image(&rig, 30, 30, SLUICE_U16, SLUICE_ENCODING_NONE, RIG_NOISE);
    struct sluice_frame *frame;
    while ((frame = rig_pop(&rig)) == NULL) {
        struct sluice_wake *wake = sluice_handover_wake(&rig.handover);
        const uint32_t prepared = sluice_wake_prepare(wake);
        if (sluice_handover_count(&rig.handover) > 0)
            sluice_wake_cancel(wake);
        else
            sluice_wake_wait(wake, prepared, SLUICE_NS_PER_S);
    }
    rig_assert_plane(&frame->image.planes[0], SLUICE_ENCODING_BSLZ4, pixels);
    rig_release(frame);
    sluice_encode_finish(rig.encode); /* returns: they are joined */
    free(pixels);
    rig_close(&rig);
}

static void the_number_of_workers_follows_the_filter_and_the_cpus(void **state)
{
    struct sluice_encode_settings settings = {.filter = SLUICE_CODEC_KEEP, .workers = 5};
    (void)state;
    assert_int_equal(sluice_encode_worker_count(&settings), 0);
    settings.filter = SLUICE_CODEC_NONE;
    assert_int_equal(sluice_encode_worker_count(&settings), 5);
    settings.workers = 0;
    assert_in_range(sluice_encode_worker_count(&settings), 1, SLUICE_FAN_WORKERS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_encoding_and_type_becomes_what_the_filter_says),
        cmocka_unit_test(what_is_in_the_wanted_encoding_is_passed_on_untouched),
        cmocka_unit_test(all_channels_lie_in_one_buffer_at_whole_pages_with_zeros_behind),
        cmocka_unit_test(images_leave_in_order_whatever_the_workers_take),
        cmocka_unit_test(a_damaged_plane_refuses_the_image_and_nothing_else),
        cmocka_unit_test(a_worker_without_a_buffer_waits_for_the_writer),
        cmocka_unit_test(an_image_larger_than_all_memory_is_refused),
        cmocka_unit_test(an_announced_series_has_its_buffers_before_its_first_image),
        cmocka_unit_test(a_larger_shape_waits_for_the_buffers_of_the_smaller),
        cmocka_unit_test(given_up_images_are_handed_on_as_they_are),
        cmocka_unit_test(workers_finish_when_told_and_nothing_is_left),
        cmocka_unit_test(the_number_of_workers_follows_the_filter_and_the_cpus),
    };
    return cmocka_run_group_tests_name("encode", tests, NULL, NULL);
}
