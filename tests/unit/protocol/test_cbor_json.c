/* SPDX-License-Identifier: Apache-2.0
 *
 * Any CBOR item as JSON text. */
#include "tests/unit/protocol/cmocka_all.h"

#include <stdlib.h>
#include <string.h>

#include "ingest/protocol/cbor_json.h"
#include "tests/support/cbor_build.h"

static void assert_json(struct builder *builder, const char *expected)
{
    struct sluice_cbor_cursor cursor = sluice_cbor_at(build_span(builder), 0);
    struct sluice_json json = {0};

    assert_int_equal(sluice_cbor_write_json(&cursor, &json, SIZE_MAX), SLUICE_OK);
    assert_int_equal(cursor.at, builder->bytes);
    assert_string_equal(json.text, expected);
    sluice_json_close(&json);
    build_free(builder);
}

static void assert_json_of(const char *bytes, size_t count, const char *expected)
{
    struct builder builder = {0};

    build_raw(&builder, bytes, count);
    assert_json(&builder, expected);
}
#define JSON(literal, expected) assert_json_of(literal, sizeof(literal) - 1, expected)

static void plain_values_stay_what_they_are(void **state)
{
    (void)state;
    JSON("\x18\x64", "100");
    JSON("\x1b\xff\xff\xff\xff\xff\xff\xff\xff", "18446744073709551615");
    JSON("\x20", "-1");
    JSON("\x3b\xff\xff\xff\xff\xff\xff\xff\xff", "-18446744073709551616");
    JSON("\xf9\x3e\x00", "1.5");
    JSON("\xf9\x7e\x00", "null");
    JSON("\xfb\x7f\xf0\0\0\0\0\0\0", "null");
    JSON("\xf5", "true");
    JSON("\xf4", "false");
    JSON("\xf6", "null");
    JSON("\xf7", "null");
    JSON("\xf8\x63", "{\"simple\":99}");
    JSON("\x63"
         "a\"b",
         "\"a\\\"b\"");
    JSON("\x64\xf0\x9f\x92\x99", "\"\\ud83d\\udc99\"");
}

static void byte_strings_become_base64(void **state)
{
    (void)state;
    JSON("\x40", "{\"base64\":\"\"}");
    JSON("\x41\xff", "{\"base64\":\"/w==\"}");
    JSON("\x42\xff\xee", "{\"base64\":\"/+4=\"}");
    JSON("\x43\xff\xee\x00", "{\"base64\":\"/+4A\"}");
}

static void long_byte_strings_are_named_and_left_out(void **state)
{
    struct builder builder = {0}, longer = {0};
    struct sluice_json json = {0};
    struct sluice_cbor_cursor cursor;
    uint8_t *zeros = calloc(1, 65537);

    (void)state;
    build_bytes(&builder, zeros, 65536);
    cursor = sluice_cbor_at(build_span(&builder), 0);
    assert_int_equal(sluice_cbor_write_json(&cursor, &json, SIZE_MAX), SLUICE_OK);
    assert_int_equal(json.bytes, strlen("{\"base64\":\"\"}") + (65536 + 2) / 3 * 4);
    sluice_json_close(&json);
    build_free(&builder);
    build_bytes(&longer, zeros, 65537);
    assert_json(&longer, "{\"bytes\":65537,\"omitted\":true}");
    free(zeros);
}

static void tags_are_dropped_and_their_content_stays(void **state)
{
    (void)state;
    JSON("\xc0\x61"
         "d",
         "\"d\"");
    JSON("\xd8\x28\x82\x82\x01\x02\xd8\x45\x44\x01\x00\x02\x00",
         "[[1,2],{\"base64\":\"AQACAA==\"}]");
}

static void containers_nest_also_of_indefinite_length(void **state)
{
    (void)state;
    JSON("\x80", "[]");
    JSON("\xa0", "{}");
    JSON("\x82\x9f\x01\x02\xff\xbf\x61"
         "a"
         "\xa1\x61"
         "b"
         "\x80\xff",
         "[[1,2],{\"a\":{\"b\":[]}}]");
}

static void strings_in_chunks_are_joined(void **state)
{
    struct builder builder = {0};
    char chunk[3000];

    (void)state;
    JSON("\x7f\x62"
         "ab"
         "\x60\x61"
         "c"
         "\xff",
         "\"abc\"");
    JSON("\x5f\x41\xff\x42\xee\x00\xff", "{\"base64\":\"/+4A\"}");
    memset(chunk, 'x', sizeof(chunk));
    build_indefinite(&builder, MAJOR_TEXT);
    for (int i = 0; i < 2; i++) {
        build_head(&builder, MAJOR_TEXT, sizeof(chunk));
        build_raw(&builder, chunk, sizeof(chunk));
    }
    build_break(&builder);
    assert_json(&builder, "{\"bytes\":6000,\"omitted\":true}");
}

static void keys_that_are_not_text_become_text(void **state)
{
    (void)state;
    JSON("\xa1\x05\x01", "{\"5\":1}");
    JSON("\xa1\x20\x01", "{\"-1\":1}");
    JSON("\xa1\x82\x01\x02\x03", "{\"[1,2]\":3}");
    JSON("\xa1\xf5\xf6", "{\"true\":null}");
}

static void a_long_key_that_is_not_text_is_named_by_its_size(void **state)
{
    struct builder builder = {0};
    uint8_t zeros[400] = {0};

    (void)state;
    build_head(&builder, MAJOR_MAP, 1);
    build_bytes(&builder, zeros, sizeof(zeros));
    build_int(&builder, 1);
    assert_json(&builder, "{\"key of 403 bytes\":1}");
}

static void a_full_writer_is_a_limit(void **state)
{
    struct builder builder = {0};
    char buffer[16];
    struct sluice_json fixed, growing = {0};
    struct sluice_cbor_cursor cursor;

    (void)state;
    build_head(&builder, MAJOR_ARRAY, 20);
    for (int i = 0; i < 20; i++)
        build_int(&builder, 100);
    sluice_json_init_fixed(&fixed, buffer, sizeof(buffer));
    cursor = sluice_cbor_at(build_span(&builder), 0);
    assert_int_equal(sluice_cbor_write_json(&cursor, &fixed, SIZE_MAX), SLUICE_LIMIT);
    cursor = sluice_cbor_at(build_span(&builder), 0);
    assert_int_equal(sluice_cbor_write_json(&cursor, &growing, 16), SLUICE_LIMIT);
    sluice_json_close(&growing);
    build_free(&builder);
}

static void the_deepest_nesting_that_the_cursor_allows_can_be_written(void **state)
{
    struct builder builder = {0};
    char expected[2 * SLUICE_CBOR_DEPTH_MAX + 2];

    (void)state;
    for (int i = 0; i < SLUICE_CBOR_DEPTH_MAX; i++)
        build_head(&builder, MAJOR_ARRAY, 1);
    build_int(&builder, 7);
    memset(expected, '[', SLUICE_CBOR_DEPTH_MAX);
    expected[SLUICE_CBOR_DEPTH_MAX] = '7';
    memset(expected + SLUICE_CBOR_DEPTH_MAX + 1, ']', SLUICE_CBOR_DEPTH_MAX);
    expected[2 * SLUICE_CBOR_DEPTH_MAX + 1] = '\0';
    assert_json(&builder, expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_values_stay_what_they_are),
        cmocka_unit_test(byte_strings_become_base64),
        cmocka_unit_test(long_byte_strings_are_named_and_left_out),
        cmocka_unit_test(tags_are_dropped_and_their_content_stays),
        cmocka_unit_test(containers_nest_also_of_indefinite_length),
        cmocka_unit_test(strings_in_chunks_are_joined),
        cmocka_unit_test(keys_that_are_not_text_become_text),
        cmocka_unit_test(a_long_key_that_is_not_text_is_named_by_its_size),
        cmocka_unit_test(a_full_writer_is_a_limit),
        cmocka_unit_test(the_deepest_nesting_that_the_cursor_allows_can_be_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
