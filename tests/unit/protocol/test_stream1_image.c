/* SPDX-License-Identifier: Apache-2.0
 *
 * Images and ends of Stream V1: every field, every encoding and type, and what is refused, by name.
 */
#include "cmocka_all.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/codec/codec.h"
#include "ingest/protocol/stream1.h"

#define WIDTH  13
#define HEIGHT 11
#define PIXELS (WIDTH * HEIGHT)

static char part_1[512], part_2[512], part_4[512];
static uint8_t blob[PIXELS * 8 + 200];
static struct sluice_parts parts;
static struct sluice_message_head head;
static struct sluice_image image;
static struct sluice_error error;
static char text[256];

static struct sluice_span span_of(const char *string)
{
    return (struct sluice_span){(const uint8_t *)string, strlen(string)};
}

/* A good image of WIDTH x HEIGHT, which the tests then spoil. */
static void make(const char *type, const char *encoding, size_t blob_bytes)
{
    snprintf(part_1, sizeof part_1,
             "{\"htype\":\"dimage-1.0\",\"series\":42,\"frame\":7,\"hash\":\"fc67f000d08fe6b3\"}");
    snprintf(part_2, sizeof part_2,
             "{\"htype\":\"dimage_d-1.0\",\"shape\":[%d,%d],\"type\":\"%s\",\"encoding\":\"%s\","
             "\"size\":%zu}",
             WIDTH, HEIGHT, type, encoding, blob_bytes);
    snprintf(part_4, sizeof part_4,
             "{\"htype\":\"dconfig-1.0\",\"start_time\":1500000000,\"stop_time\":1750000001,"
             "\"real_time\":250000000}");
    parts = (struct sluice_parts){
        .part = {span_of(part_1), span_of(part_2), {blob, blob_bytes}, span_of(part_4)},
        .count = 4};
}

static enum sluice_status decode(void)
{
    const struct sluice_text_buffer buffer = {text, sizeof text};
    sluice_error_clear(&error);
    memset(&image, 0x5a, sizeof image);
    const enum sluice_status status = sluice_stream1_decode(&parts, &head, &image, &buffer, &error);
    assert_int_equal(error.status, status);
    return status;
}

/* Refused with this status and these words, and still attributed to its series and image. */
static void assert_refused(enum sluice_status status, const char *words)
{
    assert_int_equal(decode(), status);
    if (strstr(error.message, words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", error.message, words);
    assert_int_equal(head.kind, SLUICE_MESSAGE_IMAGE);
    assert_true(head.has_series_id && head.series_id == 42);
    assert_true(head.has_image_id && head.image_id == 7);
}

static void replace(char *part, const char *old, const char *new)
{
    char copy[512];
    char *at = strstr(part, old);
    assert_non_null(at);
    snprintf(copy, sizeof copy, "%.*s%s%s", (int)(at - part), part, new, at + strlen(old));
    memcpy(part, copy, sizeof copy);
    parts.part[0] = span_of(part_1);
    parts.part[1] = span_of(part_2);
    parts.part[3] = span_of(part_4);
}

static void a_whole_image_is_decoded_without_a_copy(void **state)
{
    (void)state;
    make("uint16", "<", PIXELS * 2);
    assert_int_equal(decode(), SLUICE_OK);
    assert_true(sluice_stream1_probe(&parts));
    assert_int_equal(head.kind, SLUICE_MESSAGE_IMAGE);
    assert_true(head.has_series_id && head.has_image_id && !head.has_unique_id);
    assert_int_equal(head.series_id, 42);
    assert_int_equal(image.image_id, 7);
    assert_int_equal(image.plane_count, 1);
    const struct sluice_plane *plane = &image.planes[0];
    assert_int_equal(plane->channel.bytes, 4);
    assert_memory_equal(plane->channel.data, "data", 4);
    assert_int_equal(plane->width, WIDTH); /* the first of the shape */
    assert_int_equal(plane->height, HEIGHT);
    assert_int_equal(plane->dtype, SLUICE_U16);
    assert_ptr_equal(plane->payload.data, blob);
    assert_int_equal(plane->payload.bytes, PIXELS * 2);
    assert_true(plane->has_checksum && plane->checksum == sluice_checksum(plane->payload));
    assert_true(image.start_time == 1.5 && image.stop_time == 1.750000001);
    assert_true(image.real_time == 0.25);
    assert_int_equal(image.user_data.bytes, 0);
}

static void every_type_is_accepted_in_every_encoding(void **state)
{
    static const char *const marks[] = {"<", ""};
    struct sluice_codec_scratch scratch = {0};
    uint8_t pixels[PIXELS * 8], decoded[PIXELS * 8], framed[PIXELS * 8 + 200];
    (void)state;
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)(i % 8 == 0 ? i / 64 : 0);
    for (int type = 0; type < SLUICE_DTYPE_COUNT; type++) {
        const enum sluice_dtype dtype = (enum sluice_dtype)type;
        const size_t element_bytes = sluice_dtype_bytes(dtype), bytes = PIXELS * element_bytes;
        for (int kind = 0; kind < 6; kind++) {
            static const char *const words[] = {"", "lz4", "-lz4", "", "", ""};
            const enum sluice_encoding encoding = kind == 0  ? SLUICE_ENCODING_NONE
                                                  : kind < 3 ? SLUICE_ENCODING_LZ4_BLOCK
                                                             : SLUICE_ENCODING_BSLZ4;
            char name[32], marked[40];
            size_t length = 0, skip = 0;
            snprintf(name, sizeof name, "%s", words[kind]);
            if (kind >= 3)
                snprintf(name, sizeof name, "bs%zu%slz4", 8 * element_bytes, kind == 4 ? "" : "-");
            snprintf(marked, sizeof marked, "%s%s", name, marks[kind % 2]);
            assert_int_equal(sluice_codec_encode(sluice_encoding_stored(encoding), pixels, bytes,
                                                 element_bytes, blob, sizeof blob, &length,
                                                 &scratch),
                             SLUICE_OK);
            if (encoding == SLUICE_ENCODING_LZ4_BLOCK)
                skip = SLUICE_BLOCK_FRAMING_BYTES;
            make(sluice_dtype_name(dtype), marked, length - skip);
            parts.part[2].data = blob + skip;
            assert_int_equal(decode(), SLUICE_OK);
            const struct sluice_plane *plane = &image.planes[0];
            assert_int_equal(plane->dtype, dtype);
            assert_int_equal(plane->encoding, encoding);
            assert_int_equal(sluice_codec_decode(encoding, plane->payload, element_bytes, decoded,
                                                 bytes, &scratch),
                             SLUICE_OK);
            assert_memory_equal(decoded, pixels, bytes);
            assert_true(plane->has_checksum);
            struct sluice_span chunk = plane->payload; /* the checksum is of what is stored */
            if (encoding == SLUICE_ENCODING_LZ4_BLOCK) {
                chunk.data = framed;
                assert_int_equal(sluice_codec_frame_block(plane->payload, bytes, framed,
                                                          sizeof framed, &chunk.bytes),
                                 SLUICE_OK);
            }
            assert_true(plane->checksum == sluice_checksum(chunk));
        }
    }
    sluice_codec_scratch_close(&scratch);
}

static void big_endian_is_for_single_bytes_only(void **state)
{
    (void)state;
    make("uint8", ">", PIXELS);
    assert_int_equal(decode(), SLUICE_OK);
    make("uint16", ">", PIXELS * 2);
    assert_refused(SLUICE_UNSUPPORTED, "big-endian");
    make("uint32", "bs32-lz4>", PIXELS);
    assert_refused(SLUICE_UNSUPPORTED, "big-endian");
}

static void encodings_that_cannot_be_stored_are_refused_by_name(void **state)
{
    static const struct {
        const char *encoding, *words;
    } cases[] = {
        {"bs16<", "bitshuffle without LZ4"},
        {"bs16-<", "not of the form"},
        {"bs8-lz4<", "the type's width"},
        {"bs32-lz4<", "the type's width"},
        {"bs-lz4<", "not of the form"},
        {"bs016-lz4<", "not of the form"},
        {"bs99999999999999999999-lz4<", "the type's width"},
        {"gzip", "not of the form"},
        {"lz4<<", "not of the form"},
        {"<lz4", "not of the form"},
        {"-<", "not of the form"},
        {" <", "not of the form"},
        {"LZ4<", "not of the form"},
        {"a very long encoding that nobody has", "short text"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        make("uint16", cases[i].encoding, PIXELS * 2);
        assert_int_not_equal(decode(), SLUICE_OK);
        assert_refused(error.status, cases[i].words);
        assert_refused(error.status, "'encoding'");
    }
}

static void sizes_that_lie_are_refused(void **state)
{
    static const struct {
        const char *shape, *words;
        enum sluice_status status;
    } cases[] = {
        {"[13,12]", "not 13x12 pixels", SLUICE_MISMATCH},
        {"[0,11]", "'shape'", SLUICE_LIMIT},
        {"[13]", "[x, y]", SLUICE_MALFORMED},
        {"[13,11,1]", "[x, y]", SLUICE_MALFORMED},
        {"[-13,11]", "[x, y]", SLUICE_MALFORMED},
        {"[13.5,11]", "[x, y]", SLUICE_MALFORMED},
        {"\"13x11\"", "[x, y]", SLUICE_MALFORMED},
        {"null", "[x, y]", SLUICE_MALFORMED},
        {"[4294967296,4294967296]", "'shape'", SLUICE_LIMIT},
        {"[65536,65536]", "4 GiB", SLUICE_LIMIT},
        {"[18446744073709551616,1]", "[x, y]", SLUICE_MALFORMED},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        make("uint16", "<", PIXELS * 2);
        replace(part_2, "[13,11]", cases[i].shape);
        assert_refused(cases[i].status, cases[i].words);
    }
    make("uint16", "<", PIXELS * 2);
    parts.part[2].bytes--;
    assert_refused(SLUICE_MISMATCH, "'size'");
    make("uint16", "<", PIXELS * 2 - 2);
    assert_refused(SLUICE_MISMATCH, "as '<'");
    make("uint16", "lz4<", 0);
    assert_refused(SLUICE_TRUNCATED, "as 'lz4<'");
    make("uint16", "bs16-lz4<", 20);
    assert_refused(SLUICE_MISMATCH, "as 'bs16-lz4<'");
}

static void what_an_image_must_have_is_missed_by_name(void **state)
{
    static const struct {
        char *part;
        const char *key, *words;
    } cases[] = {
        {part_2, "\"shape\"", "'shape'"},       {part_2, "\"type\"", "'type'"},
        {part_2, "\"encoding\"", "'encoding'"}, {part_2, "\"htype\"", "dimage_d"},
        {part_4, "\"htype\"", "dconfig"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        make("uint16", "<", PIXELS * 2);
        replace(cases[i].part, cases[i].key, "\"x\"");
        decode();
        assert_refused(error.status, cases[i].words);
    }
    make("float16", "<", PIXELS * 2);
    assert_refused(SLUICE_UNSUPPORTED, "'type'");
    make("uint16", "<", PIXELS * 2);
    replace(part_4, "1500000000", "\"soon\"");
    assert_refused(SLUICE_MALFORMED, "'start_time'");
    make("uint16", "<", PIXELS * 2);
    replace(part_4, "}", "");
    assert_refused(SLUICE_TRUNCATED, "part 4");
    make("uint16", "<", PIXELS * 2);
    replace(part_2, "{", "");
    assert_refused(SLUICE_MALFORMED, "part 2");
}

static void size_and_times_may_be_missing(void **state)
{
    (void)state;
    make("uint16", "<", PIXELS * 2);
    replace(part_2, "\"size\"", "\"sighs\"");
    snprintf(part_4, sizeof part_4, "{\"htype\":\"dconfig-1.0\",\"start_time\":null}");
    parts.part[3] = span_of(part_4);
    assert_int_equal(decode(), SLUICE_OK);
    assert_true(isnan(image.start_time) && isnan(image.stop_time) && isnan(image.real_time));
}

static void numbers_may_come_as_texts(void **state)
{
    (void)state;
    make("uint16", "<", PIXELS * 2);
    replace(part_1, ":42", ":\"42\"");
    replace(part_1, ":7", ":\"7\"");
    replace(part_2, "[13,11]", "[\"13\",\"11\"]");
    replace(part_2, ":286", ":\"286\"");
    replace(part_4, "1500000000", "\"1500000000.0\"");
    assert_int_equal(decode(), SLUICE_OK);
    assert_true(image.start_time == 1.5);
}

static void the_head_says_whose_the_image_is_or_what_is_wrong(void **state)
{
    (void)state;
    make("uint16", "<", PIXELS * 2);
    replace(part_1, "\"frame\":7", "\"frame\":-1");
    assert_int_equal(decode(), SLUICE_MALFORMED);
    assert_non_null(strstr(error.message, "'frame'"));
    assert_true(head.has_series_id && !head.has_image_id);
    make("uint16", "<", PIXELS * 2);
    replace(part_1, "series", "serious");
    assert_int_equal(decode(), SLUICE_MALFORMED);
    assert_non_null(strstr(error.message, "'series'"));
    assert_true(!head.has_series_id && head.has_image_id);
    make("uint16", "<", PIXELS * 2);
    replace(part_1, "dimage-1.0", "dimage-2.0");
    assert_true(sluice_stream1_probe(&parts));
    assert_int_equal(decode(), SLUICE_UNSUPPORTED);
    assert_int_equal(head.kind, SLUICE_MESSAGE_UNKNOWN);
    /* cut behind what is needed: still attributed */
    make("uint16", "<", PIXELS * 2);
    parts.part[0].bytes -= 5;
    assert_refused(SLUICE_TRUNCATED, "part 1");
}

static void the_number_of_parts_is_held(void **state)
{
    (void)state;
    make("uint16", "<", PIXELS * 2);
    for (uint32_t count = 1; count < 8; count++) {
        parts.count = count;
        if (count == 4 || count == 5)
            assert_int_equal(decode(), SLUICE_OK);
        else
            assert_refused(SLUICE_MALFORMED, "parts");
    }
    parts.count = 4;
    parts.cut = true;
    assert_refused(SLUICE_MALFORMED, "more than");
    parts = (struct sluice_parts){0};
    assert_int_equal(decode(), SLUICE_MALFORMED);
    assert_false(sluice_stream1_probe(&parts));
}

static void an_appendix_is_user_data(void **state)
{
    static const struct {
        const char *appendix, *user_data;
    } cases[] = {
        {"{ \"x\" : [ 1 , 2.5 ] ,\n \"y\" : \"a b\" }", "{\"x\":[1,2.5],\"y\":\"a b\"}"},
        {"plain text", "\"plain text\""},
        {"say \"hi\"\n", "\"say \\\"hi\\\"\""},
        {"{\"grad\":\"\u00b0\U0001f600 \\u00e9\"}", "{\"grad\":\"\\u00b0\\ud83d\\ude00 \\u00e9\"}"},
        {"\xff", "\"\\ufffd\""},
        {"null", ""},
        {" \r\n", ""},
        {"", ""},
        {"17", "17"},
        {"{\"broken\":", "\"{\\\"broken\\\":\""},
    };
    char large[9000];
    (void)state;
    make("uint16", "<", PIXELS * 2);
    parts.count = 5;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        parts.part[4] = span_of(cases[i].appendix);
        assert_int_equal(decode(), SLUICE_OK);
        assert_int_equal(image.user_data.bytes, strlen(cases[i].user_data));
        assert_memory_equal(image.user_data.data, cases[i].user_data, image.user_data.bytes);
    }
    memset(large, 'x', sizeof large);
    parts.part[4] = (struct sluice_span){(const uint8_t *)large, 1000}; /* cut */
    assert_int_equal(decode(), SLUICE_OK);
    assert_int_equal(image.user_data.bytes, sizeof text - 1);
    parts.part[4].bytes = sizeof large; /* not even looked at */
    assert_int_equal(decode(), SLUICE_OK);
    assert_int_equal(image.user_data.bytes, strlen("{\"bytes\":9000,\"omitted\":true}"));
    parts.part[4] = span_of("a\0"); /* the NUL of a C string counted */
    parts.part[4].bytes = 2;
    assert_int_equal(decode(), SLUICE_OK);
    assert_int_equal(image.user_data.bytes, 3);
    assert_int_equal(sluice_stream1_decode(&parts, &head, &image, NULL, &error), SLUICE_OK);
    assert_int_equal(image.user_data.bytes, 0);
}

static void a_block_as_long_as_its_pixels_has_no_checksum_yet(void **state)
{
    (void)state;
    make("uint16", "lz4<", PIXELS * 2);
    assert_int_equal(decode(), SLUICE_OK);
    assert_false(image.planes[0].has_checksum);
}

static void an_end_gives_its_head(void **state)
{
    (void)state;
    parts = (struct sluice_parts){.part = {span_of("{\"htype\":\"dseries_end-1.0\",\"series\":9}")},
                                  .count = 1};
    assert_true(sluice_stream1_probe(&parts));
    assert_int_equal(decode(), SLUICE_OK);
    assert_int_equal(head.kind, SLUICE_MESSAGE_END);
    assert_int_equal(head.series_id, 9);
    assert_false(head.has_image_id);
}

static void the_probe_knows_its_own_messages(void **state)
{
    static const struct {
        const char *first;
        bool expected;
    } cases[] = {
        {"{\"htype\":\"dheader-1.0\"}", true},
        {"{\"htype\":\"dheader-9.9\"", true},
        {"{\"series\":1,\"htype\":\"dseries_end-1.0\"}", true},
        {"{\"htype\":\"array-1.0\"}", false},
        {"{\"htype\":\"dimage\"}", false},
        {"{\"htype\":7}", false},
        {"{\"type\":\"dimage-1.0\"}", false},
        {"[\"htype\"]", false},
        {"\xa1\x64type\x65start", false},
        {"", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        parts = (struct sluice_parts){.part = {span_of(cases[i].first)}, .count = 1};
        assert_int_equal(sluice_stream1_probe(&parts), cases[i].expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_image_is_decoded_without_a_copy),
        cmocka_unit_test(every_type_is_accepted_in_every_encoding),
        cmocka_unit_test(big_endian_is_for_single_bytes_only),
        cmocka_unit_test(encodings_that_cannot_be_stored_are_refused_by_name),
        cmocka_unit_test(sizes_that_lie_are_refused),
        cmocka_unit_test(what_an_image_must_have_is_missed_by_name),
        cmocka_unit_test(size_and_times_may_be_missing),
        cmocka_unit_test(numbers_may_come_as_texts),
        cmocka_unit_test(the_head_says_whose_the_image_is_or_what_is_wrong),
        cmocka_unit_test(the_number_of_parts_is_held),
        cmocka_unit_test(an_appendix_is_user_data),
        cmocka_unit_test(a_block_as_long_as_its_pixels_has_no_checksum_yet),
        cmocka_unit_test(an_end_gives_its_head),
        cmocka_unit_test(the_probe_knows_its_own_messages),
    };
    return cmocka_run_group_tests_name("stream1: images", tests, NULL, NULL);
}
