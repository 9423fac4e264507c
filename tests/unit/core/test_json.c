/* SPDX-License-Identifier: Apache-2.0
 *
 * The JSON writer: grammar, escapes, numbers, and what happens when there is no more room. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/json.h"

static void expect(struct sluice_json *json, const char *text)
{
    assert_false(json->failed);
    assert_non_null(json->text);
    assert_string_equal(json->text, text);
    assert_int_equal(json->bytes, strlen(text));
    sluice_json_close(json);
}

static void expect_text(const char *bytes, size_t count, const char *quoted)
{
    struct sluice_json json = {0};

    sluice_json_text_span(&json, bytes, count);
    expect(&json, quoted);
}

static void expect_double(double value, const char *text)
{
    struct sluice_json json = {0};

    sluice_json_double(&json, value);
    expect(&json, text);
}

static void commas_and_nesting_are_kept(void **state)
{
    struct sluice_json json = {0};

    (void)state;
    sluice_json_object_begin(&json);
    sluice_json_key(&json, "a");
    sluice_json_int(&json, -1);
    sluice_json_key(&json, "b");
    sluice_json_array_begin(&json);
    sluice_json_bool(&json, true);
    sluice_json_bool(&json, false);
    sluice_json_array_begin(&json);
    sluice_json_array_end(&json);
    sluice_json_object_begin(&json);
    sluice_json_object_end(&json);
    sluice_json_null(&json);
    sluice_json_array_end(&json);
    sluice_json_key_span(&json, "cdef", 1);
    sluice_json_text(&json, NULL);
    sluice_json_object_end(&json);
    expect(&json, "{\"a\":-1,\"b\":[true,false,[],{},null],\"c\":null}");
}

static void reset_empties_and_keeps_the_memory(void **state)
{
    struct sluice_json json = {0};
    size_t capacity;

    (void)state;
    sluice_json_array_begin(&json);
    sluice_json_int(&json, 1);
    capacity = json.capacity;
    sluice_json_reset(&json);
    assert_int_equal(json.bytes, 0);
    assert_string_equal(json.text, "");
    assert_int_equal(json.capacity, capacity);
    sluice_json_int(&json, 2);
    expect(&json, "2");
}

static void control_characters_are_escaped(void **state)
{
    (void)state;
    expect_text("a\"b\\c/\b\f\n\r\t", 11, "\"a\\\"b\\\\c/\\b\\f\\n\\r\\t\"");
    expect_text("\0\x01\x1f\x7f", 4, "\"\\u0000\\u0001\\u001f\\u007f\"");
    expect_text("", 0, "\"\"");
    expect_text(NULL, 0, "\"\"");
}

static void utf_8_becomes_ascii(void **state)
{
    (void)state;
    expect_text("\xc3\xa9", 2, "\"\\u00e9\"");                /* U+00E9 */
    expect_text("\xe2\x82\xac", 3, "\"\\u20ac\"");            /* U+20AC */
    expect_text("\xed\x9f\xbf", 3, "\"\\ud7ff\"");            /* below the surrogates */
    expect_text("\xee\x80\x80", 3, "\"\\ue000\"");            /* above them */
    expect_text("\xf0\x9f\x98\x80", 4, "\"\\ud83d\\ude00\""); /* U+1F600 */
    expect_text("\xf4\x8f\xbf\xbf", 4, "\"\\udbff\\udfff\""); /* U+10FFFF */
    expect_text("x\xc3\xa9y", 4, "\"x\\u00e9y\"");
}

static void what_is_not_utf_8_becomes_the_replacement_character(void **state)
{
    (void)state;
    expect_text("\x80", 1, "\"\\ufffd\"");   /* stray continuation */
    expect_text("\xff", 1, "\"\\ufffd\"");   /* never in UTF-8 */
    expect_text("\xc3", 1, "\"\\ufffd\"");   /* cut short */
    expect_text("\xc3(", 2, "\"\\ufffd(\""); /* not continued */
    expect_text("\xe2\x82", 2, "\"\\ufffd\\ufffd\"");
    expect_text("\xc0\xaf", 2, "\"\\ufffd\\ufffd\""); /* longer than needed */
    expect_text("\xe0\x80\xaf", 3, "\"\\ufffd\\ufffd\\ufffd\"");
    expect_text("\xf0\x80\x80\xaf", 4, "\"\\ufffd\\ufffd\\ufffd\\ufffd\"");
    expect_text("\xed\xa0\x80", 3, "\"\\ufffd\\ufffd\\ufffd\"");            /* a surrogate */
    expect_text("\xf4\x90\x80\x80", 4, "\"\\ufffd\\ufffd\\ufffd\\ufffd\""); /* beyond the end */
}

static void keys_are_escaped_too(void **state)
{
    struct sluice_json json = {0};

    (void)state;
    sluice_json_object_begin(&json);
    sluice_json_key(&json, "\xc3\xa9\"");
    sluice_json_int(&json, 0);
    sluice_json_object_end(&json);
    expect(&json, "{\"\\u00e9\\\"\":0}");
}

static void integers_are_exact_to_their_ends(void **state)
{
    struct sluice_json json = {0};
    const __int128 largest = (__int128)(~(unsigned __int128)0 >> 1);

    (void)state;
    sluice_json_array_begin(&json);
    sluice_json_int(&json, INT64_MIN);
    sluice_json_int(&json, INT64_MAX);
    sluice_json_uint(&json, UINT64_MAX);
    sluice_json_int128(&json, 0);
    sluice_json_int128(&json, -12);
    sluice_json_int128(&json, largest);
    sluice_json_int128(&json, -largest - 1);
    sluice_json_array_end(&json);
    expect(&json, "[-9223372036854775808,9223372036854775807,18446744073709551615,0,-12,"
                  "170141183460469231731687303715884105727,"
                  "-170141183460469231731687303715884105728]");
}

static void doubles_are_the_shortest_text_that_reads_back(void **state)
{
    (void)state;
    expect_double(0.0, "0");
    expect_double(1.0, "1");
    expect_double(-2.5, "-2.5");
    expect_double(0.1, "0.1");
    expect_double(0.1 + 0.2, "0.30000000000000004");
    expect_double(1.0 / 3.0, "0.3333333333333333");
    expect_double(123456789.123, "123456789.123");
    expect_double(1e300, "1e+300");
    expect_double(5e-324, "5e-324");
    expect_double(2.2250738585072014e-308, "2.2250738585072014e-308");
    expect_double(DBL_MAX, "1.7976931348623157e+308");
}

static void numbers_json_does_not_have_become_null(void **state)
{
    (void)state;
    expect_double(NAN, "null");
    expect_double(INFINITY, "null");
    expect_double(-INFINITY, "null");
}

static void every_double_reads_back_as_itself(void **state)
{
    uint64_t bits = UINT64_C(0x9e3779b97f4a7c15);

    (void)state;
    for (int i = 0; i < 20000; i++) {
        struct sluice_json json = {0};
        double value, back;

        bits = bits * UINT64_C(6364136223846793005) + 1442695040888963407u;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value))
            continue;
        sluice_json_double(&json, value);
        back = strtod(json.text, NULL);
        assert_memory_equal(&back, &value, sizeof value);
        sluice_json_close(&json);
    }
}

static void a_fixed_buffer_is_never_overrun(void **state)
{
    static const char whole[] = "{\"key\":[1,\"\\u20ac\"]}";

    (void)state;
    for (size_t capacity = 0; capacity <= sizeof whole + 1; capacity++) {
        char buffer[sizeof whole + 8];
        struct sluice_json json;

        memset(buffer, '#', sizeof buffer);
        sluice_json_init_fixed(&json, buffer, capacity);
        sluice_json_object_begin(&json);
        sluice_json_key(&json, "key");
        sluice_json_array_begin(&json);
        sluice_json_int(&json, 1);
        sluice_json_text(&json, "\xe2\x82\xac");
        sluice_json_array_end(&json);
        sluice_json_object_end(&json);
        for (size_t i = capacity; i < sizeof buffer; i++)
            assert_int_equal(buffer[i], '#');
        assert_int_equal(json.failed, capacity < sizeof whole);
        if (capacity > 0) {
            assert_int_equal(strlen(buffer), json.bytes);
            assert_memory_equal(buffer, whole, json.bytes);
        }
        if (!json.failed)
            assert_string_equal(buffer, whole);
        sluice_json_close(&json);
    }
}

static void a_failed_writer_stays_failed_until_reset(void **state)
{
    char buffer[4];
    struct sluice_json json;

    (void)state;
    sluice_json_init_fixed(&json, buffer, sizeof buffer);
    sluice_json_text(&json, "too long");
    assert_true(json.failed);
    sluice_json_reset(&json);
    sluice_json_int(&json, 123);
    assert_false(json.failed);
    assert_string_equal(buffer, "123");
    sluice_json_int(&json, 4);
    assert_true(json.failed);
    sluice_json_reset(&json);
    sluice_json_int(&json, 5);
    assert_string_equal(buffer, "5");
}

static void nesting_has_a_bound(void **state)
{
    struct sluice_json json = {0};

    (void)state;
    for (int i = 0; i < SLUICE_JSON_DEPTH_MAX - 1; i++)
        sluice_json_array_begin(&json);
    assert_false(json.failed);
    for (int i = 0; i < 10; i++)
        sluice_json_array_begin(&json);
    assert_true(json.failed);
    sluice_json_reset(&json);
    sluice_json_array_end(&json); /* nothing is open */
    assert_true(json.failed);
    sluice_json_close(&json);
}

static void long_documents_grow(void **state)
{
    struct sluice_json json = {0};

    (void)state;
    sluice_json_array_begin(&json);
    for (int i = 0; i < 10000; i++)
        sluice_json_int(&json, 7);
    sluice_json_array_end(&json);
    assert_false(json.failed);
    assert_int_equal(json.bytes, 2 * 10000 + 1);
    assert_int_equal(strlen(json.text), json.bytes);
    sluice_json_close(&json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commas_and_nesting_are_kept),
        cmocka_unit_test(reset_empties_and_keeps_the_memory),
        cmocka_unit_test(control_characters_are_escaped),
        cmocka_unit_test(utf_8_becomes_ascii),
        cmocka_unit_test(what_is_not_utf_8_becomes_the_replacement_character),
        cmocka_unit_test(keys_are_escaped_too),
        cmocka_unit_test(integers_are_exact_to_their_ends),
        cmocka_unit_test(doubles_are_the_shortest_text_that_reads_back),
        cmocka_unit_test(numbers_json_does_not_have_become_null),
        cmocka_unit_test(every_double_reads_back_as_itself),
        cmocka_unit_test(a_fixed_buffer_is_never_overrun),
        cmocka_unit_test(a_failed_writer_stays_failed_until_reset),
        cmocka_unit_test(nesting_has_a_bound),
        cmocka_unit_test(long_documents_grow),
    };

    return cmocka_run_group_tests_name("core: json", tests, NULL, NULL);
}
