/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages that are cut, changed at random, or lie about their sizes: an error or a right answer,
 * never a crash, and never memory in proportion to a claim. The allocator is wrapped by the linker,
 * so that every request of ours is seen. The seed of the random part is printed and can be given in
 * SLUICE_TEST_SEED. */
#include "tests/unit/protocol/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/codec/codec.h"
#include "core/log.h"
#include "ingest/protocol/stream2.h"
#include "tests/unit/protocol/allocations.h"
#include "tests/unit/protocol/messages.h"

#define WIDTH  13
#define HEIGHT 11

static uint64_t random_state;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static enum sluice_status decode(struct sluice_span message, struct sluice_image *image)
{
    static char text[128];
    const struct sluice_text_buffer buffer = {text, sizeof(text)};
    struct sluice_message_head head;
    struct sluice_error error = {0};
    enum sluice_status status = sluice_stream2_decode(message, &head, image, &buffer, &error);

    assert_int_equal(error.status, status);
    assert_true((status == SLUICE_OK) == (error.message[0] == '\0'));
    return status;
}

static enum sluice_status start(struct sluice_span message)
{
    struct sluice_series *series = NULL;
    struct sluice_error error = {0};
    enum sluice_status status = sluice_stream2_start(message, &series, &error);

    assert_true((status == SLUICE_OK) == (series != NULL));
    assert_int_equal(error.status, status);
    sluice_series_destroy(series);
    return status;
}

/* Every byte of an accepted image lies inside the message, and its planes decode or say why not. */
static void use_image(struct sluice_span message, const struct sluice_image *image)
{
    struct sluice_codec_scratch scratch = {0};

    for (uint32_t p = 0; p < image->plane_count; p++) {
        const struct sluice_plane *plane = &image->planes[p];
        size_t element_bytes = sluice_dtype_bytes(plane->dtype);
        size_t bytes = (size_t)plane->width * plane->height * element_bytes;
        uint8_t *pixels;

        assert_true(plane->payload.data >= message.data &&
                    plane->payload.data + plane->payload.bytes <= message.data + message.bytes);
        assert_true(plane->channel.bytes > 0 && plane->channel.bytes < SLUICE_NAME_BYTES);
        if (bytes > 1u << 20)
            continue;
        pixels = malloc(bytes);
        assert_non_null(pixels);
        (void)sluice_codec_decode(plane->encoding, plane->payload, element_bytes, pixels, bytes,
                                  &scratch);
        free(pixels);
    }
    sluice_codec_scratch_close(&scratch);
}

static void an_image_is_decoded_without_an_allocation(void **state)
{
    struct builder builder = {0};
    struct sluice_image image;

    (void)state;
    message_whole_image(&builder, WIDTH, HEIGHT);
    allocation_count = 0;
    assert_int_equal(decode(build_span(&builder), &image), SLUICE_OK);
    assert_int_equal(decode((struct sluice_span){builder.data, builder.bytes - 1}, &image),
                     SLUICE_TRUNCATED);
    assert_int_equal(allocation_count, 0);
    build_free(&builder);
    assert_true(image.plane_count == 0);
}

static void a_message_cut_at_any_byte_is_an_error(void **state)
{
    struct builder builders[2] = {{0}, {0}};

    (void)state;
    message_whole_image(&builders[0], WIDTH, HEIGHT);
    message_whole_start(&builders[1], WIDTH, HEIGHT);
    for (int m = 0; m < 2; m++) {
        for (size_t bytes = 0; bytes < builders[m].bytes; bytes++) {
            struct sluice_image image;
            /* A copy of its own, so that reading a byte too far is seen by the sanitizer. */
            uint8_t *cut = malloc(bytes > 0 ? bytes : 1);
            struct sluice_span message = {cut, bytes};

            memcpy(cut, builders[m].data, bytes);
            assert_int_equal(decode(message, &image), SLUICE_TRUNCATED);
            assert_int_equal(start(message), SLUICE_TRUNCATED);
            (void)sluice_stream2_probe(message);
            free(cut);
        }
        build_free(&builders[m]);
    }
}

static void changed_messages_are_refused_or_right(void **state)
{
    const char *given = getenv("SLUICE_TEST_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
    size_t accepted = 0, refused = 0;

    (void)state;
    print_message("seed %lu\n", seed);
    random_state = seed * 2 + 1;
    for (int round = 0; round < 60000; round++) {
        struct builder builder = {0};
        struct sluice_span message;
        struct sluice_image image;
        bool is_start = round % 4 == 3;
        int changes = 1 + (int)(next_random() % 3);

        if (is_start)
            message_whole_start(&builder, 3, 3);
        else
            message_whole_image(&builder, 5, 3);
        for (int c = 0; c < changes; c++) {
            size_t at = next_random() % builder.bytes;

            if (next_random() % 2 == 0)
                builder.data[at] ^= (uint8_t)(1u << next_random() % 8);
            else
                builder.data[at] = (uint8_t)next_random();
        }
        message = build_span(&builder);
        largest_allocation = 0;
        if ((is_start ? start(message) : decode(message, &image)) == SLUICE_OK) {
            accepted++;
            if (!is_start && image.plane_count > 0)
                use_image(message, &image);
        } else {
            refused++;
        }
        build_free(&builder);
    }
    /* Both must happen, or nothing was tried. */
    assert_true(accepted > 1000 && refused > 1000);
}

static void random_bytes_are_never_a_message(void **state)
{
    (void)state;
    random_state = 88172645463325252u;
    for (int round = 0; round < 20000; round++) {
        uint8_t bytes[200] = {0xd9, 0xd9, 0xf7, 0xbf};
        struct sluice_image image;

        for (size_t i = round % 5; i < sizeof(bytes); i++)
            bytes[i] = (uint8_t)next_random();
        assert_true(decode((struct sluice_span){bytes, sizeof(bytes)}, &image) != SLUICE_OK);
        assert_true(start((struct sluice_span){bytes, sizeof(bytes)}) != SLUICE_OK);
    }
}

static void claims_of_2_to_the_63_and_nests_of_10000_cost_nothing(void **state)
{
    (void)state;
    for (int kind = 0; kind < 6; kind++) {
        for (int of = 0; of < 2; of++) {
            struct builder builder = {0};
            struct sluice_image image;

            if (of == 0)
                message_image_begin(&builder, 3, 1);
            else
                message_start_begin(&builder, WIDTH, HEIGHT, "uint8", 1);
            build_text(&builder, of == 0 ? "data" : "goniometer");
            if (kind < 4) {
                build_head_wide(&builder, (enum major)(MAJOR_BYTES + kind), UINT64_C(1) << 63, 8);
                build_text(&builder, "and no more");
            } else {
                for (int i = 0; i < 10000; i++)
                    build_raw(&builder,
                              kind == 4 ? "\x81"
                                        : "\xa1\x61"
                                          "n",
                              kind == 4 ? 1 : 3);
                build_int(&builder, 0);
            }
            allocation_count = 0;
            assert_int_equal(decode(build_span(&builder), &image),
                             kind < 4 ? SLUICE_TRUNCATED : SLUICE_LIMIT);
            assert_int_equal(start(build_span(&builder)),
                             kind < 4 ? SLUICE_TRUNCATED : SLUICE_LIMIT);
            assert_int_equal(allocation_count, 0);
            build_free(&builder);
        }
    }
}

/* A mask and a table whose framings agree with a claimed size, in a single block of a few bytes. */
static void arrays_that_claim_more_than_they_hold_take_no_memory(void **state)
{
    static const uint32_t side = 20000;
    const uint64_t total = (uint64_t)side * side * 4;
    struct builder builder = {0}, framing = {0};

    (void)state;
    for (int i = 7; i >= 0; i--)
        build_raw(&framing, (uint8_t[]){(uint8_t)(total >> (8 * i))}, 1);
    for (int i = 3; i >= 0; i--)
        build_raw(&framing, (uint8_t[]){(uint8_t)(total >> (8 * i))}, 1);
    build_raw(&framing,
              "\x00\x00\x00\x08"
              "12345678",
              12);
    assert_int_equal(
        sluice_codec_check(SLUICE_ENCODING_BSLZ4, build_span(&framing), 4, (size_t)total),
        SLUICE_OK); /* nothing but the size gives it away */
    message_start_begin(&builder, side, side, "uint16", 3);
    build_text(&builder, "channels");
    build_raw(&builder,
              "\x81\x61"
              "a",
              3);
    build_text(&builder, "pixel_mask");
    build_raw(&builder,
              "\xa1\x61"
              "a",
              3);
    message_shape(&builder, side, side);
    build_head(&builder, MAJOR_TAG, 70);
    message_compressed(&builder, "bslz4", 4, build_span(&framing));
    build_text(&builder, "countrate_correction_lookup_table");
    build_head(&builder, MAJOR_TAG, 70);
    message_compressed(&builder, "bslz4", 4, build_span(&framing));
    largest_allocation = 0;
    assert_int_equal(start(build_span(&builder)), SLUICE_OK);
    assert_in_range(largest_allocation, 1, 64 * 1024);
    build_free(&builder);
    build_free(&framing);
}

static int quiet(void **state)
{
    (void)state;
    sluice_log_set_level(SLUICE_LOG_ERROR);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_image_is_decoded_without_an_allocation),
        cmocka_unit_test(a_message_cut_at_any_byte_is_an_error),
        cmocka_unit_test(changed_messages_are_refused_or_right),
        cmocka_unit_test(random_bytes_are_never_a_message),
        cmocka_unit_test(claims_of_2_to_the_63_and_nests_of_10000_cost_nothing),
        cmocka_unit_test(arrays_that_claim_more_than_they_hold_take_no_memory),
    };

    return cmocka_run_group_tests(tests, quiet, NULL);
}
