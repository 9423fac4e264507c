/* SPDX-License-Identifier: Apache-2.0
 *
 * Images and end messages: what is accepted, in every spelling that CBOR allows, and which heads
 * are refused and with which words. */
#include "tests/unit/protocol/cmocka_all.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/codec/codec.h"
#include "tests/unit/protocol/decoded.h"

#define WIDTH  17
#define HEIGHT 9
#define PIXELS (WIDTH * HEIGHT)

static void a_whole_image_is_decoded_without_a_copy(void **state)
{
    static const char *const channels[] = {"threshold_1", "threshold_2", "difference"};
    struct builder builder = {0};
    struct sluice_codec_scratch scratch = {0};

    (void)state;
    message_whole_image(&builder, WIDTH, HEIGHT);
    assert_true(sluice_stream2_probe(build_span(&builder)));
    assert_accepted(&builder);
    assert_int_equal(decoded.image.image_id, 41);
    assert_span(decoded.head.series_date, "2023-02-10T15:49:05.281+01:00");
    assert_true(decoded.image.start_time == 0.02 && decoded.image.stop_time == 0.0399999);
    assert_true(decoded.image.real_time == 0.0199999);
    assert_span(decoded.image.user_data, "[1,\"\\ud83d\\udc99\"]");
    assert_int_equal(decoded.image.plane_count, 3);
    for (uint32_t p = 0; p < 3; p++) {
        const struct sluice_plane *plane = &decoded.image.planes[p];
        uint8_t *expected = message_pixels(PIXELS * 2, p), pixels[PIXELS * 2];

        assert_span(plane->channel, channels[p]);
        assert_int_equal(plane->width, WIDTH);
        assert_int_equal(plane->height, HEIGHT);
        assert_int_equal(plane->dtype, SLUICE_U16);
        assert_in_range((uintptr_t)plane->payload.data, (uintptr_t)builder.data,
                        (uintptr_t)builder.data + builder.bytes - plane->payload.bytes);
        assert_int_equal(sluice_codec_decode(plane->encoding, plane->payload, 2, pixels,
                                             sizeof(pixels), &scratch),
                         SLUICE_OK);
        assert_memory_equal(pixels, expected, sizeof(pixels));
        free(expected);
    }
    sluice_codec_scratch_close(&scratch);
    build_free(&builder);
}

static void every_element_type_is_accepted_in_every_encoding(void **state)
{
    (void)state;
    for (int d = 0; d < SLUICE_DTYPE_COUNT; d++) {
        for (int e = 0; e <= SLUICE_ENCODING_BSLZ4; e++) {
            struct builder builder = {0};
            uint8_t *pixels = message_pixels(PIXELS * 8, 1);

            begin_plane(&builder);
            message_array(&builder, WIDTH, HEIGHT, (enum sluice_dtype)d, (enum sluice_encoding)e,
                          pixels);
            assert_accepted(&builder);
            assert_int_equal(decoded.image.planes[0].dtype, d);
            assert_int_equal(decoded.image.planes[0].encoding, e);
            free(pixels);
            build_free(&builder);
        }
    }
}

static void a_message_may_be_spelt_in_any_legal_way(void **state)
{
    struct builder builder = {0};

    (void)state;
    /* No self-description, indefinite containers, wide heads, the type last, unknown keys. */
    build_indefinite(&builder, MAJOR_MAP);
    build_text(&builder, "data");
    build_indefinite(&builder, MAJOR_MAP);
    build_text(&builder, "a");
    build_head_wide(&builder, MAJOR_TAG, 40, 8);
    build_indefinite(&builder, MAJOR_ARRAY);
    build_indefinite(&builder, MAJOR_ARRAY);
    build_head_wide(&builder, MAJOR_UINT, 2, 8);
    build_head_wide(&builder, MAJOR_UINT, 2, 4);
    build_break(&builder);
    build_head_wide(&builder, MAJOR_TAG, 64, 2);
    build_head_wide(&builder, MAJOR_BYTES, 4, 8);
    build_raw(&builder, "1234", 4);
    build_break(&builder);
    build_break(&builder);
    build_text(&builder, "future");
    build_raw(&builder, "\x9f\xbf\x01\xd9\x01\x00\x5f\x41\x00\xff\xff\xf8\x80\xff", 14);
    build_int(&builder, 12);
    build_text(&builder, "an integer for a key");
    build_text(&builder, "image_id");
    build_double(&builder, 3);
    build_text(&builder, "series_id");
    build_head_wide(&builder, MAJOR_UINT, 7, 8);
    build_text(&builder, "type");
    build_text(&builder, "image");
    build_break(&builder);
    assert_accepted(&builder);
    assert_true(sluice_stream2_probe(build_span(&builder)));
    assert_false(decoded.head.has_unique_id);
    assert_int_equal(decoded.image.image_id, 3);
    assert_true(isnan(decoded.image.start_time) && isnan(decoded.image.real_time));
    assert_int_equal(decoded.image.user_data.bytes, 0);
    assert_int_equal(decoded.image.planes[0].payload.bytes, 4);
    build_free(&builder);
}

static void of_a_key_that_stands_twice_the_first_counts(void **state)
{
    struct builder builder = {0};

    (void)state;
    message_image_begin(&builder, 3, 3);
    build_text(&builder, "data");
    build_head(&builder, MAJOR_MAP, 1);
    build_text(&builder, "a");
    build_small_plane(&builder);
    build_text(&builder, "image_id");
    build_int(&builder, 4);
    build_text(&builder, "data");
    build_null(&builder);
    assert_accepted(&builder);
    assert_int_equal(decoded.image.image_id, 3);
    build_free(&builder);
}

static void times_are_rationals_or_numbers(void **state)
{
    struct builder builder = {0}, wrong = {0};

    (void)state;
    message_image_begin(&builder, 3, 4);
    build_text(&builder, "start_time");
    build_float(&builder, 0.25f);
    build_text(&builder, "stop_time");
    build_raw(&builder, "\x82\x01\x00", 3); /* [1, 0] */
    build_text(&builder, "real_time");
    build_raw(&builder, "\x9f\x20\x04\xff", 4); /* [-1, 4] */
    build_text(&builder, "data");
    build_head(&builder, MAJOR_MAP, 1);
    build_text(&builder, "a");
    build_small_plane(&builder);
    assert_accepted(&builder);
    assert_true(decoded.image.start_time == 0.25 && isnan(decoded.image.stop_time) &&
                decoded.image.real_time == -0.25);
    build_free(&builder);
    message_image_begin(&wrong, 3, 1);
    build_text(&wrong, "stop_time");
    build_raw(&wrong, "\x83\x01\x02\x03", 4);
    assert_refused(&wrong, SLUICE_MALFORMED, "'stop_time': it must be [numerator, denominator]");
}

/* An image with one good plane and the user data that `bytes` hold. */
static void build_with_user_data(struct builder *builder, const void *bytes, size_t count)
{
    message_image_begin(builder, 3, 2);
    build_text(builder, "user_data");
    build_raw(builder, bytes, count);
    build_text(builder, "data");
    build_head(builder, MAJOR_MAP, 1);
    build_text(builder, "a");
    build_small_plane(builder);
}

static void user_data_that_do_not_fit_are_cut_and_the_image_kept(void **state)
{
    const struct sluice_text_buffer tiny = {decoded.text, 8}, none = {NULL, 0};
    struct builder builder = {0}, null = {0};
    struct builder value = {0};

    (void)state;
    build_head(&value, MAJOR_TEXT, 300);
    for (int i = 0; i < 300; i++)
        build_raw(&value, "u", 1);
    build_with_user_data(&builder, value.data, value.bytes);
    assert_accepted(&builder);
    assert_int_equal(decoded.image.user_data.bytes, sizeof(decoded.text) - 1);
    assert_memory_equal(decoded.image.user_data.data, "\"uuuuuuu", 8);
    assert_int_equal(sluice_stream2_decode(build_span(&builder), &decoded.head, &decoded.image,
                                           &tiny, &decoded.error),
                     SLUICE_OK);
    assert_int_equal(decoded.image.user_data.bytes, 7);
    assert_int_equal(sluice_stream2_decode(build_span(&builder), &decoded.head, &decoded.image,
                                           &none, &decoded.error),
                     SLUICE_OK);
    assert_int_equal(sluice_stream2_decode(build_span(&builder), &decoded.head, &decoded.image,
                                           NULL, &decoded.error),
                     SLUICE_OK);
    build_with_user_data(&null, "\xf6", 1);
    assert_accepted(&null);
    assert_int_equal(decoded.image.user_data.bytes, 0);
    build_free(&null);
    build_free(&value);
    build_free(&builder);
}

static void an_end_message_gives_its_head(void **state)
{
    struct builder builder = {0};

    (void)state;
    build_raw(&builder, "\xd9\xd9\xf7\xa3", 4);
    build_text(&builder, "type");
    build_text(&builder, "end");
    build_text(&builder, "series_id");
    build_int(&builder, 9);
    build_text(&builder, "series_unique_id");
    build_text(&builder, "X");
    assert_accepted(&builder);
    assert_int_equal(decoded.head.kind, SLUICE_MESSAGE_END);
    assert_int_equal(decoded.head.series_id, 9);
    assert_span(decoded.head.unique_id, "X");
    assert_false(decoded.head.has_image_id);
    build_free(&builder);
}

static void what_an_image_must_have_is_missed_by_name(void **state)
{
    static const char *const required[] = {"type", "series_id", "image_id", "data"};

    (void)state;
    for (int missing = 0; missing < 4; missing++) {
        struct builder builder = {0};
        char words[32];

        build_head(&builder, MAJOR_MAP, 3);
        for (int k = 0; k < 4; k++) {
            if (k == missing)
                continue;
            build_text(&builder, required[k]);
            if (k == 0)
                build_text(&builder, "image");
            else if (k == 3)
                build_head(&builder, MAJOR_MAP, 0);
            else
                build_int(&builder, 5);
        }
        assert_int_equal(decode_image(&builder), SLUICE_MALFORMED);
        snprintf(words, sizeof(words), "'%s'", required[missing]);
        assert_non_null(strstr(decoded.error.message, words));
        assert_int_equal(decoded.head.kind,
                         missing == 0 ? SLUICE_MESSAGE_UNKNOWN : SLUICE_MESSAGE_IMAGE);
        build_free(&builder);
    }
}

static void the_head_is_read_although_other_keys_are_bad(void **state)
{
    struct builder builder = {0};

    (void)state;
    build_head(&builder, MAJOR_MAP, 5);
    build_text(&builder, "data"); /* bad, and before the head's keys */
    build_int(&builder, 1);
    build_text(&builder, "series_unique_id");
    build_text(&builder, MESSAGE_UNIQUE_ID);
    build_text(&builder, "type");
    build_text(&builder, "image");
    build_text(&builder, "image_id");
    build_int(&builder, 3);
    build_text(&builder, "series_id");
    build_int(&builder, 7);
    assert_refused(&builder, SLUICE_MALFORMED, "'data': it must be a map");
}

static void a_cut_image_is_still_attributed_to_its_series(void **state)
{
    struct builder builder = {0};

    (void)state;
    message_image_begin(&builder, 3, 1);
    build_text(&builder, "data");
    build_head(&builder, MAJOR_MAP, 1);
    build_text(&builder, "a");
    build_small_plane(&builder);
    builder.bytes--;
    assert_refused(&builder, SLUICE_TRUNCATED, "the message ends in the middle");
}

static void ids_of_a_wrong_type_are_refused_by_name(void **state)
{
    struct builder negative = {0}, fraction = {0}, text_id = {0}, unique = {0}, nul = {0}, of = {0};
    char long_text[SLUICE_UNIQUE_ID_BYTES + 1];

    (void)state;
    build_raw(&negative, "\xa1", 1);
    build_text(&negative, "series_id");
    build_int(&negative, -1);
    build_raw(&fraction, "\xa1", 1);
    build_text(&fraction, "image_id");
    build_double(&fraction, 1.5);
    build_raw(&text_id, "\xa1", 1);
    build_text(&text_id, "image_id");
    build_text(&text_id, "1");
    memset(long_text, 'u', sizeof(long_text) - 1);
    long_text[sizeof(long_text) - 1] = '\0';
    build_raw(&unique, "\xa2", 1);
    build_text(&unique, "type");
    build_text(&unique, "end");
    build_text(&unique, "series_unique_id");
    build_text(&unique, long_text);
    build_raw(&nul, "\xa2", 1);
    build_text(&nul, "type");
    build_text(&nul, "end");
    build_text(&nul, "series_unique_id");
    build_raw(&nul,
              "\x63"
              "a\0b",
              4);
    build_raw(&of, "\xa1", 1);
    build_text(&of, "type");
    build_text(&of, "imago");
    assert_int_equal(decode_image(&negative), SLUICE_MALFORMED);
    assert_false(decoded.head.has_series_id);
    assert_int_equal(decode_image(&fraction), SLUICE_MALFORMED);
    assert_false(decoded.head.has_image_id);
    assert_int_equal(decode_image(&text_id), SLUICE_MALFORMED);
    assert_int_equal(decode_image(&unique), SLUICE_LIMIT);
    assert_false(decoded.head.has_unique_id);
    assert_non_null(strstr(decoded.error.message, "series_unique_id"));
    assert_int_equal(decode_image(&nul), SLUICE_MALFORMED);
    assert_int_equal(decode_image(&of), SLUICE_UNSUPPORTED);
    build_free(&negative);
    build_free(&fraction);
    build_free(&text_id);
    build_free(&unique);
    build_free(&nul);
    build_free(&of);
}

static void bytes_after_the_map_are_refused(void **state)
{
    struct builder builder = {0};

    (void)state;
    begin_plane(&builder);
    build_small_plane(&builder);
    build_int(&builder, 0);
    assert_refused(&builder, SLUICE_MALFORMED, "1 bytes follow the map");
}

static void the_probe_knows_the_beginning_of_a_message(void **state)
{
    static const struct {
        const char *bytes;
        size_t count;
        bool expected;
    } cases[] = {
#define CASE(literal, expected) {literal, sizeof(literal) - 1, expected}
        CASE("\xa1\x64type", true),
        CASE("\xbf\x64type", true),
        CASE("\xb9\xff\xff\x64type\x01", false), /* more pairs than bytes */
        CASE("\xd9\xd9\xf7\xbf\x64type\xff", true),
        CASE("\xd9\xd9\xf7\xa1\x64type\x01", true),
        CASE("\xda\x00\x00\xd9\xf7\xa1\x64type\x01", true),
        CASE("\xa1\x7f\x64type\xff\x01", false), /* the key in chunks, which decode refuses */
        CASE("\xa1\x69series_id\x01", true),     /* keys come in any order */
        CASE("\xa1\x01\x01", false),
        CASE("\xa0\x64type", false),
        CASE("{\"htype\":\"dheader-1.0\"}", false),
        CASE("\xd9\xd9\xf7", false),
        CASE("", false),
#undef CASE
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sluice_span span = {(const uint8_t *)cases[i].bytes, cases[i].count};

        assert_int_equal(sluice_stream2_probe(span), cases[i].expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_image_is_decoded_without_a_copy),
        cmocka_unit_test(every_element_type_is_accepted_in_every_encoding),
        cmocka_unit_test(a_message_may_be_spelt_in_any_legal_way),
        cmocka_unit_test(of_a_key_that_stands_twice_the_first_counts),
        cmocka_unit_test(times_are_rationals_or_numbers),
        cmocka_unit_test(user_data_that_do_not_fit_are_cut_and_the_image_kept),
        cmocka_unit_test(an_end_message_gives_its_head),
        cmocka_unit_test(what_an_image_must_have_is_missed_by_name),
        cmocka_unit_test(the_head_is_read_although_other_keys_are_bad),
        cmocka_unit_test(a_cut_image_is_still_attributed_to_its_series),
        cmocka_unit_test(ids_of_a_wrong_type_are_refused_by_name),
        cmocka_unit_test(bytes_after_the_map_are_refused),
        cmocka_unit_test(the_probe_knows_the_beginning_of_a_message),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
