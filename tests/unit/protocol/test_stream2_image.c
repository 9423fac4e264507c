/* SPDX-License-Identifier: Apache-2.0
 *
 * Images and end messages: what is accepted, in every spelling that CBOR allows, and what is
 * refused and with which words. */
#include "tests/unit/protocol/cmocka_all.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/codec/codec.h"
#include "ingest/protocol/stream2.h"
#include "tests/unit/protocol/messages.h"

#define WIDTH  17
#define HEIGHT 9
#define PIXELS (WIDTH * HEIGHT)

static struct sluice_message_head head;
static struct sluice_image image;
static struct sluice_error error;
static char text[256];

static enum sluice_status decode(const struct builder *builder)
{
    const struct sluice_text_buffer buffer = {text, sizeof(text)};

    memset(&image, 0xA5, sizeof(image));
    memset(&head, 0xA5, sizeof(head));
    sluice_error_clear(&error);
    return sluice_stream2_decode(build_span(builder), &head, &image, &buffer, &error);
}

static void assert_span(struct sluice_span span, const char *expected)
{
    assert_int_equal(span.bytes, strlen(expected));
    assert_memory_equal(span.data, expected, span.bytes);
}

static void assert_accepted(struct builder *builder)
{
    enum sluice_status status = decode(builder);

    if (status != SLUICE_OK)
        fail_msg("refused: %s", error.message);
    assert_int_equal(error.status, SLUICE_OK);
}

/* Refused with this status and with `words` in the message, and still attributed to its series. */
static void assert_refused(struct builder *builder, enum sluice_status status, const char *words)
{
    assert_int_equal(decode(builder), status);
    assert_int_equal(error.status, status);
    if (strstr(error.message, words) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", words, error.message);
    assert_int_equal(head.kind, SLUICE_MESSAGE_IMAGE);
    assert_true(head.has_series_id && head.series_id == 7);
    assert_true(head.has_image_id && head.image_id == 3);
    assert_span(head.unique_id, MESSAGE_UNIQUE_ID);
    build_free(builder);
}

/* An image up to its only channel, whose array is the caller's. */
static void begin_plane(struct builder *builder)
{
    message_image_begin(builder, 3, 1);
    build_text(builder, "data");
    build_head(builder, MAJOR_MAP, 1);
    build_text(builder, "threshold_1");
}

static void a_whole_image_is_decoded_without_a_copy(void **state)
{
    static const char *const channels[] = {"threshold_1", "threshold_2", "difference"};
    struct builder builder = {0};
    struct sluice_codec_scratch scratch = {0};

    (void)state;
    message_whole_image(&builder, WIDTH, HEIGHT);
    assert_true(sluice_stream2_probe(build_span(&builder)));
    assert_accepted(&builder);
    assert_int_equal(image.image_id, 41);
    assert_span(head.series_date, "2023-02-10T15:49:05.281+01:00");
    assert_true(image.start_time == 0.02 && image.stop_time == 0.0399999);
    assert_true(image.real_time == 0.0199999);
    assert_span(image.user_data, "[1,\"\\ud83d\\udc99\"]");
    assert_int_equal(image.plane_count, 3);
    for (uint32_t p = 0; p < 3; p++) {
        const struct sluice_plane *plane = &image.planes[p];
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
            assert_int_equal(image.planes[0].dtype, d);
            assert_int_equal(image.planes[0].encoding, e);
            free(pixels);
            build_free(&builder);
        }
    }
}

static void build_small_plane(struct builder *builder)
{
    message_shape(builder, 2, 2);
    build_head(builder, MAJOR_TAG, 64);
    build_bytes(builder, "1234", 4);
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
    assert_false(sluice_stream2_probe(build_span(&builder)));
    assert_false(head.has_unique_id);
    assert_int_equal(image.image_id, 3);
    assert_true(isnan(image.start_time) && isnan(image.real_time));
    assert_int_equal(image.user_data.bytes, 0);
    assert_int_equal(image.planes[0].payload.bytes, 4);
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
    assert_int_equal(image.image_id, 3);
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
    assert_true(image.start_time == 0.25 && isnan(image.stop_time) && image.real_time == -0.25);
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

static void user_data_that_does_not_fit_is_named_and_the_image_kept(void **state)
{
    const struct sluice_text_buffer tiny = {text, 8}, none = {NULL, 0};
    struct builder builder = {0}, null = {0};
    struct builder value = {0};

    (void)state;
    build_head(&value, MAJOR_TEXT, 300);
    for (int i = 0; i < 300; i++)
        build_raw(&value, "u", 1);
    build_with_user_data(&builder, value.data, value.bytes);
    assert_accepted(&builder);
    assert_span(image.user_data, "{\"bytes\":303,\"omitted\":true}");
    assert_int_equal(sluice_stream2_decode(build_span(&builder), &head, &image, &tiny, &error),
                     SLUICE_OK);
    assert_int_equal(image.user_data.bytes, 0);
    assert_int_equal(sluice_stream2_decode(build_span(&builder), &head, &image, &none, &error),
                     SLUICE_OK);
    assert_int_equal(sluice_stream2_decode(build_span(&builder), &head, &image, NULL, &error),
                     SLUICE_OK);
    build_with_user_data(&null, "\xf6", 1);
    assert_accepted(&null);
    assert_int_equal(image.user_data.bytes, 0);
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
    assert_int_equal(head.kind, SLUICE_MESSAGE_END);
    assert_int_equal(head.series_id, 9);
    assert_span(head.unique_id, "X");
    assert_false(head.has_image_id);
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
        assert_int_equal(decode(&builder), SLUICE_MALFORMED);
        snprintf(words, sizeof(words), "'%s'", required[missing]);
        assert_non_null(strstr(error.message, words));
        assert_int_equal(head.kind, missing == 0 ? SLUICE_MESSAGE_UNKNOWN : SLUICE_MESSAGE_IMAGE);
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
    assert_int_equal(decode(&negative), SLUICE_MALFORMED);
    assert_false(head.has_series_id);
    assert_int_equal(decode(&fraction), SLUICE_MALFORMED);
    assert_false(head.has_image_id);
    assert_int_equal(decode(&text_id), SLUICE_MALFORMED);
    assert_int_equal(decode(&unique), SLUICE_LIMIT);
    assert_false(head.has_unique_id);
    assert_non_null(strstr(error.message, "series_unique_id"));
    assert_int_equal(decode(&nul), SLUICE_MALFORMED);
    assert_int_equal(decode(&of), SLUICE_UNSUPPORTED);
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

static void channels_are_bounded_named_and_distinct(void **state)
{
    struct builder most = {0}, many = {0}, none = {0}, twice = {0}, unnamed = {0}, longest = {0},
                   chunked = {0};
    char name[SLUICE_NAME_BYTES + 1];

    (void)state;
    for (int more = 0; more < 2; more++) {
        struct builder *builder = more ? &many : &most;

        message_image_begin(builder, 3, 1);
        build_text(builder, "data");
        build_head(builder, MAJOR_MAP, (uint64_t)(SLUICE_PLANES_MAX + more));
        for (int c = 0; c < SLUICE_PLANES_MAX + more; c++) {
            snprintf(name, sizeof(name), "c%d", c);
            build_text(builder, name);
            build_small_plane(builder);
        }
    }
    assert_accepted(&most);
    assert_int_equal(image.plane_count, SLUICE_PLANES_MAX);
    build_free(&most);
    assert_refused(&many, SLUICE_LIMIT, "more than 32 channels");
    message_image_begin(&none, 3, 1);
    build_text(&none, "data");
    build_head(&none, MAJOR_MAP, 0);
    assert_refused(&none, SLUICE_MALFORMED, "it has no channel");
    message_image_begin(&twice, 3, 1);
    build_text(&twice, "data");
    build_head(&twice, MAJOR_MAP, 2);
    for (int c = 0; c < 2; c++) {
        build_text(&twice, "a");
        build_small_plane(&twice);
    }
    assert_refused(&twice, SLUICE_MALFORMED, "stands twice");
    message_image_begin(&unnamed, 3, 1);
    build_text(&unnamed, "data");
    build_head(&unnamed, MAJOR_MAP, 1);
    build_text(&unnamed, "");
    build_small_plane(&unnamed);
    assert_refused(&unnamed, SLUICE_MALFORMED, "a name in it is empty");
    memset(name, 'n', SLUICE_NAME_BYTES);
    name[SLUICE_NAME_BYTES] = '\0';
    message_image_begin(&longest, 3, 1);
    build_text(&longest, "data");
    build_head(&longest, MAJOR_MAP, 1);
    build_text(&longest, name);
    build_small_plane(&longest);
    assert_refused(&longest, SLUICE_LIMIT, "too long");
    message_image_begin(&chunked, 3, 1);
    build_text(&chunked, "data");
    build_head(&chunked, MAJOR_MAP, 1);
    build_raw(&chunked,
              "\x7f\x61"
              "a"
              "\xff",
              4);
    build_small_plane(&chunked);
    assert_refused(&chunked, SLUICE_UNSUPPORTED, "chunks");
}

static void arrays_must_be_spelt_as_tag_40_of_a_typed_array(void **state)
{
    static const struct {
        const char *bytes;
        size_t count;
        enum sluice_status status;
        const char *words;
    } wrong[] = {
#define CASE(literal, status, words) {literal, sizeof(literal) - 1, status, words}
        CASE("\x01", SLUICE_MALFORMED, "must be tag 40"),
        CASE("\xf6", SLUICE_MALFORMED, "must be tag 40"),
        CASE("\xd8\x40\x41\x01", SLUICE_MALFORMED, "must be tag 40"), /* a bare typed array */
        CASE("\xd8\x28\x01", SLUICE_MALFORMED, "must be tag 40"),
        CASE("\xd9\x04\x10\x82\x82\x01\x01\xd8\x40\x41\x01", SLUICE_UNSUPPORTED, "column-major"),
        CASE("\xd8\x28\x81\x82\x01\x01", SLUICE_MALFORMED, "must be tag 40"),
        CASE("\xd8\x28\x83\x82\x01\x01\xd8\x40\x41\x01\x00", SLUICE_MALFORMED, "must be tag 40"),
        CASE("\xd8\x28\x82\x81\x01\xd8\x40\x41\x01", SLUICE_MALFORMED, "two dimensions"),
        CASE("\xd8\x28\x82\x83\x01\x01\x01\xd8\x40\x41\x01", SLUICE_MALFORMED, "two dimensions"),
        CASE("\xd8\x28\x82\x82\x00\x01\xd8\x40\x40", SLUICE_MALFORMED, "above 0"),
        CASE("\xd8\x28\x82\x82\x01\x20\xd8\x40\x40", SLUICE_MALFORMED, "above 0"),
        CASE("\xd8\x28\x82\x82\x01\x61"
             "1\xd8\x40\x40",
             SLUICE_MALFORMED, "above 0"),
        CASE("\xd8\x28\x82\x82\x01\x1a\x80\x00\x00\x00\xd8\x40\x40", SLUICE_LIMIT, "2^31 - 1"),
        CASE("\xd8\x28\x82\x82\x1b\xff\xff\xff\xff\xff\xff\xff\xff\x01\xd8\x40\x40", SLUICE_LIMIT,
             "2^31 - 1"),
        CASE("\xd8\x28\x82\x82\x1a\x7f\xff\xff\xff\x1a\x7f\xff\xff\xff\xd8\x56\x40", SLUICE_LIMIT,
             "4 GiB"),
        CASE("\xd8\x28\x82\x82\x1a\x00\x01\x00\x00\x1a\x00\x01\x00\x00\xd8\x40\x40", SLUICE_LIMIT,
             "4 GiB"),
        CASE("\xd8\x28\x82\x82\x01\x01\x41\x01", SLUICE_MALFORMED, "typed array"),
        CASE("\xd8\x28\x82\x82\x01\x01\x81\x01", SLUICE_MALFORMED, "typed array"),
        CASE("\xd8\x28\x82\x82\x01\x01\xd8\x3f\x41\x01", SLUICE_MALFORMED, "typed array"),
        CASE("\xd8\x28\x82\x82\x01\x01\xd8\x58\x41\x01", SLUICE_MALFORMED, "typed array"),
        CASE("\xd8\x28\x82\x82\x01\x01\xd8\x40\x61\x01", SLUICE_MALFORMED, "byte string"),
        CASE("\xd8\x28\x82\x82\x01\x01\xd8\x40\x5f\x41\x01\xff", SLUICE_UNSUPPORTED, "chunks"),
        CASE("\xd8\x28\x82\x82\x01\x01\xd8\x40\xc1\x41\x01", SLUICE_MALFORMED, "byte string"),
        CASE("\xd8\x28\x82\x82\x01\x01\xd8\x40\x42\x01\x02", SLUICE_MISMATCH, "1x1 pixels"),
#undef CASE
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct builder builder = {0};

        begin_plane(&builder);
        build_raw(&builder, wrong[i].bytes, wrong[i].count);
        assert_refused(&builder, wrong[i].status, wrong[i].words);
    }
}

static void big_endian_and_odd_elements_are_refused_with_the_reason(void **state)
{
    (void)state;
    for (unsigned tag = 64; tag <= 87; tag++) {
        bool big = (tag >= 65 && tag <= 67) || (tag >= 73 && tag <= 75) || (tag >= 80 && tag <= 83);
        bool odd = tag == 76 || tag == 84 || tag == 87;
        struct builder builder = {0};
        uint8_t zeros[16] = {0};
        size_t element_bytes = 0;

        for (int d = 0; d < SLUICE_DTYPE_COUNT; d++) {
            if (message_typed_tag((enum sluice_dtype)d) == tag)
                element_bytes = sluice_dtype_bytes((enum sluice_dtype)d);
        }
        if (tag == 68)
            element_bytes = 1; /* uint8, clamped */
        begin_plane(&builder);
        message_shape(&builder, 1, 1);
        build_head(&builder, MAJOR_TAG, tag);
        build_bytes(&builder, zeros, element_bytes);
        if (big || odd) {
            assert_refused(&builder, SLUICE_UNSUPPORTED, big ? "big-endian" : "cannot be stored");
        } else {
            assert_true(element_bytes > 0);
            assert_accepted(&builder);
            build_free(&builder);
        }
    }
}

/* [algorithm, element size, bytes] with the framing of 8 × 8 uint16. */
static struct sluice_span small_payload(enum sluice_encoding encoding)
{
    uint8_t *pixels = message_pixels(128, 5);
    struct sluice_span payload = message_encode(encoding, pixels, 128, 2);

    free(pixels);
    return payload;
}

static void compression_must_be_known_and_of_the_elements_size(void **state)
{
    static const struct {
        const char *algorithm;
        uint64_t element_bytes;
        enum sluice_status status;
        const char *words;
    } wrong[] = {
        {"bslz4", 1, SLUICE_MISMATCH, "element size"},
        {"bslz4", 4, SLUICE_MISMATCH, "element size"},
        {"bslz4", 0, SLUICE_MISMATCH, "element size"},
        {"bslz4", UINT64_MAX, SLUICE_MISMATCH, "element size"},
        {"zstd", 2, SLUICE_UNSUPPORTED, "neither bslz4 nor lz4"},
        {"bslz", 2, SLUICE_UNSUPPORTED, "neither bslz4 nor lz4"},
        {"", 2, SLUICE_UNSUPPORTED, "neither bslz4 nor lz4"},
    };
    struct sluice_span payload = small_payload(SLUICE_ENCODING_BSLZ4);

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct builder builder = {0};

        begin_plane(&builder);
        message_shape(&builder, 8, 8);
        build_head(&builder, MAJOR_TAG, 69);
        message_compressed(&builder, wrong[i].algorithm, wrong[i].element_bytes, payload);
        assert_refused(&builder, wrong[i].status, wrong[i].words);
    }
    free((void *)(uintptr_t)payload.data);
}

static void compressed_bytes_must_be_a_triple(void **state)
{
    static const struct {
        const char *bytes;
        size_t count;
        enum sluice_status status;
    } wrong[] = {
#define CASE(literal, status) {"\xd9\xdc\xb4" literal, sizeof(literal) + 2, status}
        CASE("\x41\x00", SLUICE_MALFORMED),
        CASE("\x80", SLUICE_MALFORMED),
        CASE("\x82\x63lz4\x00", SLUICE_MALFORMED),
        CASE("\x84\x63lz4\x00\x41\x00\x00", SLUICE_MALFORMED),
        CASE("\x9f\x63lz4\x00\x41\x00\x00\xff", SLUICE_MALFORMED),
        CASE("\x9f\x63lz4\x00\xff", SLUICE_MALFORMED),
        CASE("\x83\x00\x00\x41\x00", SLUICE_MALFORMED),
        CASE("\x83\x63lz4\x20\x41\x00", SLUICE_MALFORMED),
        CASE("\x83\x63lz4\x00\x61\x00", SLUICE_MALFORMED),
        CASE("\x83\x63lz4\x00\x5f\x41\x00\xff", SLUICE_UNSUPPORTED),
        CASE("\x83\x7f\x63lz4\xff\x00\x41\x00", SLUICE_UNSUPPORTED),
#undef CASE
    };

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct builder builder = {0};

        begin_plane(&builder);
        message_shape(&builder, 1, 1);
        build_head(&builder, MAJOR_TAG, 64);
        build_raw(&builder, wrong[i].bytes, wrong[i].count);
        assert_refused(&builder, wrong[i].status, "'threshold_1'");
    }
}

/* The framing with its total (byte 0 to 7), block size (8 to 11) or first length (12 to 15) set to
 * something else, or some bytes cut off or added. */
static void framings_that_lie_are_refused(void **state)
{
    static const struct {
        size_t at, bytes;
        uint64_t value;
    } lies[] = {
        {0, 8, 0},
        {0, 8, 127},
        {0, 8, 130},
        {0, 8, UINT64_MAX},
        {0, 8, UINT64_C(1) << 63},
        {8, 4, 0},
        {8, 4, 64},
        {12, 4, 0},
        {12, 4, UINT32_MAX},
        {12, 4, 1},
        {12, 4, UINT32_C(1) << 31},
    };

    (void)state;
    for (int e = SLUICE_ENCODING_LZ4; e <= SLUICE_ENCODING_BSLZ4; e++) {
        struct sluice_span payload = small_payload((enum sluice_encoding)e);
        uint8_t *bytes = (uint8_t *)(uintptr_t)payload.data;
        const char *algorithm = e == SLUICE_ENCODING_LZ4 ? "lz4" : "bslz4";

        for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]) + 3; i++) {
            struct sluice_span sent = payload;
            struct builder builder = {0};
            uint8_t kept[16];

            memcpy(kept, bytes, sizeof(kept));
            if (i < sizeof(lies) / sizeof(lies[0])) {
                for (size_t b = 0; b < lies[i].bytes; b++)
                    bytes[lies[i].at + b] =
                        (uint8_t)(lies[i].value >> (8 * (lies[i].bytes - 1 - b)));
            } else {
                static const size_t cuts[] = {1, 6, 120};
                size_t cut = cuts[i - sizeof(lies) / sizeof(lies[0])];

                sent.bytes = sent.bytes > cut ? sent.bytes - cut : 0;
            }
            begin_plane(&builder);
            message_shape(&builder, 8, 8);
            build_head(&builder, MAJOR_TAG, 69);
            message_compressed(&builder, algorithm, e == SLUICE_ENCODING_LZ4 ? 0 : 2, sent);
            memcpy(bytes, kept, sizeof(kept));
            assert_true(decode(&builder) != SLUICE_OK);
            assert_non_null(strstr(error.message, "channel 'threshold_1'"));
            assert_non_null(strstr(error.message, "8x8 pixels of uint16"));
            build_free(&builder);
        }
        free(bytes);
    }
}

static void one_bad_plane_refuses_the_image(void **state)
{
    struct builder builder = {0};

    (void)state;
    message_image_begin(&builder, 3, 1);
    build_text(&builder, "data");
    build_head(&builder, MAJOR_MAP, 2);
    build_text(&builder, "good");
    build_small_plane(&builder);
    build_text(&builder, "b\x01"
                         "d");
    message_shape(&builder, 2, 3);
    build_head(&builder, MAJOR_TAG, 64);
    build_bytes(&builder, "1234", 4);
    assert_refused(&builder, SLUICE_MISMATCH, "channel 'b?d'");
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
        CASE("\xa1\x64typo\x01", false),
        CASE("\xa1\x65types\x01", false),
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
        cmocka_unit_test(user_data_that_does_not_fit_is_named_and_the_image_kept),
        cmocka_unit_test(an_end_message_gives_its_head),
        cmocka_unit_test(what_an_image_must_have_is_missed_by_name),
        cmocka_unit_test(the_head_is_read_although_other_keys_are_bad),
        cmocka_unit_test(ids_of_a_wrong_type_are_refused_by_name),
        cmocka_unit_test(bytes_after_the_map_are_refused),
        cmocka_unit_test(channels_are_bounded_named_and_distinct),
        cmocka_unit_test(arrays_must_be_spelt_as_tag_40_of_a_typed_array),
        cmocka_unit_test(big_endian_and_odd_elements_are_refused_with_the_reason),
        cmocka_unit_test(compression_must_be_known_and_of_the_elements_size),
        cmocka_unit_test(compressed_bytes_must_be_a_triple),
        cmocka_unit_test(framings_that_lie_are_refused),
        cmocka_unit_test(one_bad_plane_refuses_the_image),
        cmocka_unit_test(the_probe_knows_the_beginning_of_a_message),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
