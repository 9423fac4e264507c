/* SPDX-License-Identifier: Apache-2.0
 *
 * Codec workers at full speed between a source and a writer that are only threads: the source fills
 * slots with raw images of changing size and now and then a series frame, the writer decodes what
 * comes and gives buffers and slots back late. Few buffers, few slots: all sides wait for each
 * other all the time. Nothing may be lost, doubled, torn or out of order, and nobody may wait for
 * ever. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/codec/codec.h"
#include "ingest/encode/encode.h"
#include "ingest/ring/pool.h"
#include "tests/stress/stress.h"

#define SLOTS      24
#define PIXELS_MAX 3000
#define SERIES_OF  61 /* every so many images a series frame goes straight to the writer */
#define GIVE_UP_AT 7  /* of 8: then the rest is given up */

struct run {
    struct sluice_handover handover;
    struct sluice_spsc empty;
    struct sluice_wake empty_wake;
    struct sluice_frame frames[SLOTS];
    uint16_t pixels[SLOTS][PIXELS_MAX];
    struct sluice_encode *encode;
    struct sluice_counters *counters;
    enum sluice_encoding encoding;
    uint64_t total;
    bool give_up;
    _Atomic bool given_up; /* as the writer's own flag */
    struct stress_self source, writer;
    uint64_t held; /* images that were handed on unencoded */
};

static uint32_t shape(uint64_t number)
{
    return number / 1000 % 2 == 0 ? 200 : PIXELS_MAX; /* changes on the way */
}

static void fill(struct run *run, uint32_t slot, uint64_t number)
{
    struct sluice_frame *frame = &run->frames[slot];
    const uint32_t count = shape(number);
    for (uint32_t i = 0; i < count; i++)
        run->pixels[slot][i] = (uint16_t)(stress_mix(number) + i * (number % 3));
    frame->kind = SLUICE_FRAME_IMAGE;
    frame->image.image_id = number;
    frame->image.plane_count = 1;
    frame->image.planes[0] = (struct sluice_plane){
        .payload = {(const uint8_t *)run->pixels[slot], 2 * (size_t)count},
        .width = count,
        .height = 1,
        .dtype = SLUICE_U16,
        .encoding = SLUICE_ENCODING_NONE,
    };
}

static void *send(void *context)
{
    struct run *run = context;
    for (uint64_t number = 0; number < run->total; number++) {
        const uint32_t slot = stress_pop_or_sleep(&run->empty, &run->empty_wake, &run->source);
        if (number % SERIES_OF == 0) {
            const struct sluice_series series = {
                .width = shape(number), .height = 1, .dtype = SLUICE_U16, .channel_count = 1};
            run->frames[slot].kind = SLUICE_FRAME_CLOSE;
            run->frames[slot].image.image_id = number;
            sluice_encode_announce(run->encode, &series);
            sluice_handover_push(&run->handover, slot);
        } else {
            fill(run, slot, number);
            sluice_handover_push_work(&run->handover, slot);
        }
        stress_pause(&run->source);
    }
    return NULL;
}

static void check(struct run *run, const struct sluice_frame *frame, uint64_t number,
                  struct sluice_codec_scratch *scratch)
{
    const struct sluice_plane *plane = &frame->image.planes[0];
    uint16_t pixels[PIXELS_MAX];
    const uint32_t count = shape(number);
    STRESS_CHECK(frame->image.image_id == number, "image %llu where %llu should be",
                 (unsigned long long)frame->image.image_id, (unsigned long long)number);
    if (frame->kind == SLUICE_FRAME_CLOSE)
        return;
    if (frame->pool == NULL) {
        STRESS_CHECK(sluice_load_relaxed(&run->given_up), "not encoded"); /* [edge GIVE_UP] */
        run->held++;
        return;
    }
    STRESS_CHECK(frame->encode_status == SLUICE_OK && plane->encoding == run->encoding &&
                     plane->checksum == sluice_checksum(plane->payload),
                 "torn image %llu", (unsigned long long)number);
    STRESS_CHECK(sluice_codec_decode(run->encoding, plane->payload, 2, pixels, 2 * (size_t)count,
                                     scratch) == SLUICE_OK,
                 "image %llu cannot be decoded", (unsigned long long)number);
    for (uint32_t i = 0; i < count; i++)
        STRESS_CHECK(pixels[i] == (uint16_t)(stress_mix(number) + i * (number % 3)),
                     "pixel %u of image %llu", i, (unsigned long long)number);
}

static void give_back(struct run *run, uint32_t slot)
{
    struct sluice_frame *frame = &run->frames[slot];
    if (frame->pool != NULL)
        sluice_pool_give_back(frame->pool, frame->buffer);
    frame->pool = NULL;
    stress_push_and_signal(&run->empty, &run->empty_wake, slot);
}

static void *store(void *context)
{
    struct run *run = context;
    struct sluice_wake *wake = sluice_handover_wake(&run->handover);
    struct sluice_codec_scratch scratch = {0};
    for (uint64_t number = 0; number < run->total;) {
        uint32_t slots[SLOTS];
        uint32_t count = sluice_handover_pop_many(&run->handover, slots, SLOTS);
        if (count == 0) {
            const uint32_t prepared = sluice_wake_prepare(wake);
            if (sluice_handover_count(&run->handover) > 0) {
                sluice_wake_cancel(wake);
            } else {
                run->writer.sleeps++;
                sluice_wake_wait(wake, prepared, -1);
            }
            continue;
        }
        for (uint32_t i = 0; i < count; i++)
            check(run, &run->frames[slots[i]], number++, &scratch);
        stress_pause(&run->writer);
        for (uint32_t i = 0; i < count; i++) /* a batch goes back when all of it is written */
            give_back(run, slots[i]);
        if (run->give_up && number * 8 > run->total * GIVE_UP_AT &&
            !sluice_load_relaxed(&run->given_up)) {
            sluice_store_relaxed(&run->given_up, true);
            sluice_encode_give_up(run->encode);
        }
    }
    sluice_codec_scratch_close(&scratch);
    return NULL;
}

static void stress(enum sluice_codec_filter filter, uint32_t workers, uint64_t memory_bytes,
                   bool give_up)
{
    const struct sluice_encode_settings settings = {
        .filter = filter, .workers = workers, .memory_bytes_max = memory_bytes, .cpu = -1};
    struct run *run = aligned_alloc(SLUICE_CACHE_LINE, sizeof *run);
    struct sluice_error error = {0};
    pthread_t source, writer;
    assert_non_null(run);
    memset(run, 0, sizeof *run);
    run->total = 12000 * stress_scale;
    run->give_up = give_up;
    run->encoding = sluice_encode_encoding(&settings);
    run->source = (struct stress_self){.random = stress_mix(stress_seed), .pause_every = 40};
    run->writer = (struct stress_self){.random = stress_mix(stress_seed + 1), .pause_every = 15};
    assert_int_equal(sluice_counters_create(NULL, &run->counters, &error), SLUICE_OK);
    assert_int_equal(sluice_handover_init(&run->handover, workers, SLOTS), SLUICE_OK);
    assert_int_equal(sluice_spsc_init(&run->empty, SLOTS, 0), SLUICE_OK);
    for (uint32_t slot = 0; slot < SLOTS; slot++)
        assert_int_equal(sluice_spsc_push(&run->empty, slot), SLUICE_OK);
    const struct sluice_encode_ports ports = {.handover = &run->handover,
                                              .frames = run->frames,
                                              .slot_count = SLOTS,
                                              .counters = run->counters,
                                              .clock = sluice_clock_system()};
    assert_int_equal(sluice_encode_create(&settings, &ports, &run->encode, &error), SLUICE_OK);
    assert_int_equal(sluice_encode_start(run->encode, &error), SLUICE_OK);
    stress_start(&writer, store, run);
    stress_start(&source, send, run);
    stress_join(source, "the source");
    stress_join(writer, "the writer");
    sluice_encode_finish(run->encode);
    const uint64_t images = sluice_counter_get(run->counters, SLUICE_COUNTER_ENCODE_IMAGES);
    printf("%u workers: %llu images, %llu waits for a buffer, %llu handed on unencoded; writer "
           "slept %llu, source %llu times\n",
           workers, (unsigned long long)images,
           (unsigned long long)sluice_counter_get(run->counters, SLUICE_COUNTER_ENCODE_WAITS),
           (unsigned long long)run->held, (unsigned long long)run->writer.sleeps,
           (unsigned long long)run->source.sleeps);
    assert_int_equal(images, run->total - (run->total + SERIES_OF - 1) / SERIES_OF);
    sluice_encode_destroy(run->encode);
    sluice_handover_close(&run->handover);
    sluice_spsc_close(&run->empty);
    sluice_counters_destroy(run->counters);
    free(run);
}

static void three_workers_with_ample_buffers(void **state)
{
    (void)state;
    stress(SLUICE_CODEC_BSLZ4, 3, 16 << 20, false);
}

static void three_workers_with_one_buffer_each(void **state)
{
    (void)state;
    stress(SLUICE_CODEC_LZ4, 3, 12288, false);
}

static void two_workers_that_are_given_up(void **state)
{
    (void)state;
    stress(SLUICE_CODEC_BSLZ4, 2, 12288, true);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_workers_with_ample_buffers),
        cmocka_unit_test(three_workers_with_one_buffer_each),
        cmocka_unit_test(two_workers_that_are_given_up),
    };
    return stress_begin(argc, argv) ? cmocka_run_group_tests(tests, NULL, NULL) : 2;
}
