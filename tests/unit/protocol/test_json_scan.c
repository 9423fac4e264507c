/* SPDX-License-Identifier: Apache-2.0
 *
 * The reader of image headers: what JSON is, what it is not, and what the values mean. */
#include "cmocka_all.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/protocol/json_scan.h"

static struct sluice_span span_of(const char *text)
{
    return (struct sluice_span){(const uint8_t *)text, strlen(text)};
}

/* The value of "k" in {"k":…}. */
static struct sluice_scan_value value_of(const char *json)
{
    static const char *const keys[] = {"k"};
    struct sluice_scan_value value;
    char text[512];
    static char kept[512];
    const char *why;
    (void)snprintf(text, sizeof text, "{\"k\":%s}", json);
    memcpy(kept, text, sizeof kept);
    assert_int_equal(sluice_scan_object(span_of(kept), keys, 1, &value, &why), SLUICE_OK);
    return value;
}

static void the_wanted_values_of_an_object_are_found_in_any_order(void **state)
{
    static const char *const keys[] = {"shape", "type", "frame", "absent", "none"};
    static const char json[] = " { \"frame\" : 7 , \"x\":{\"type\":\"no\",\"y\":[1,[2,{}]]},\n"
                               "\"type\":\"uint16\",\"shape\":[ 3 , 4 ],\t\"none\":null,"
                               "\"frame\":8,\"b\":true,\"c\":false } \r\n";
    struct sluice_scan_value values[5];
    uint64_t numbers[2];
    const char *why;
    (void)state;
    assert_int_equal(sluice_scan_object(span_of(json), keys, 5, values, &why), SLUICE_OK);
    assert_true(sluice_scan_uints(&values[0], numbers, 2));
    assert_int_equal(numbers[0], 3);
    assert_int_equal(numbers[1], 4);
    assert_true(sluice_scan_is(&values[1], "uint16"));
    assert_true(sluice_scan_uint(&values[2], numbers));
    assert_int_equal(numbers[0], 7); /* the first counts */
    assert_int_equal(values[3].kind, SLUICE_SCAN_ABSENT);
    assert_int_equal(values[4].kind, SLUICE_SCAN_NULL);
}

static void a_probe_looks_no_further_than_its_key(void **state)
{
    struct sluice_scan_value value;
    (void)state;
    assert_true(sluice_scan_find(span_of("{\"a\":1,\"htype\":\"x\" and rubbish"), "htype", &value));
    assert_true(sluice_scan_is(&value, "x"));
    assert_false(sluice_scan_find(span_of("{\"a\":1,\"b\":{\"htype\":\"x\"}}"), "htype", &value));
    assert_false(sluice_scan_find(span_of("{\"htype\":\"x"), "htype", &value));
    assert_int_equal(value.kind, SLUICE_SCAN_ABSENT);
    assert_false(sluice_scan_find(span_of("[\"htype\"]"), "htype", &value));
    assert_false(sluice_scan_find(span_of(""), "htype", &value));
}

static void what_is_not_json_is_refused(void **state)
{
    static const struct {
        const char *json;
        enum sluice_status status;
    } cases[] = {
        {"", SLUICE_TRUNCATED},
        {"  ", SLUICE_TRUNCATED},
        {"{", SLUICE_TRUNCATED},
        {"{\"a", SLUICE_TRUNCATED},
        {"{\"a\"", SLUICE_TRUNCATED},
        {"{\"a\":", SLUICE_TRUNCATED},
        {"{\"a\":1", SLUICE_TRUNCATED},
        {"{\"a\":1,", SLUICE_TRUNCATED},
        {"{\"a\":\"\\", SLUICE_TRUNCATED},
        {"{\"a\":\"\\u12", SLUICE_TRUNCATED},
        {"{\"a\":[1,2", SLUICE_TRUNCATED},
        {"[]", SLUICE_MALFORMED},
        {"1", SLUICE_MALFORMED},
        {"{}x", SLUICE_MALFORMED},
        {"{} {}", SLUICE_MALFORMED},
        {"{a:1}", SLUICE_MALFORMED},
        {"{\"a\" 1}", SLUICE_MALFORMED},
        {"{\"a\":1 \"b\":2}", SLUICE_MALFORMED},
        {"{\"a\":1,}", SLUICE_MALFORMED},
        {"{\"a\":[1,]}", SLUICE_MALFORMED},
        {"{\"a\":01}", SLUICE_MALFORMED},
        {"{\"a\":-}", SLUICE_MALFORMED},
        {"{\"a\":1.}", SLUICE_MALFORMED},
        {"{\"a\":.5}", SLUICE_MALFORMED},
        {"{\"a\":+1}", SLUICE_MALFORMED},
        {"{\"a\":1e}", SLUICE_MALFORMED},
        {"{\"a\":0x1}", SLUICE_MALFORMED},
        {"{\"a\":NaN}", SLUICE_MALFORMED},
        {"{\"a\":tru}", SLUICE_MALFORMED},
        {"{\"a\":nul", SLUICE_MALFORMED},
        {"{\"a\":'x'}", SLUICE_MALFORMED},
        {"{\"a\":\"\n\"}", SLUICE_MALFORMED},
        {"{\"a\":\"\\x\"}", SLUICE_MALFORMED},
        {"{\"a\":\"\\u12g4\"}", SLUICE_MALFORMED},
        {"{\"a\":\"\xff\"}", SLUICE_MALFORMED},
        {"{\"a\":\"\xc3\"}", SLUICE_MALFORMED},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *why = NULL;
        struct sluice_scan_value value;
        static const char *const keys[] = {"zz"};
        assert_int_equal(sluice_scan_object(span_of(cases[i].json), keys, 1, &value, &why),
                         cases[i].status);
        assert_non_null(why);
    }
}

static void depth_is_bounded(void **state)
{
    char json[3 * SLUICE_SCAN_DEPTH_MAX + 100] = "";
    (void)state;
    for (int extra = 0; extra < 2; extra++) {
        const int depth = SLUICE_SCAN_DEPTH_MAX + extra;
        memset(json, '[', (size_t)depth);
        memset(json + depth, ']', (size_t)depth);
        json[2 * depth] = '\0';
        assert_int_equal(sluice_scan_is_valid(span_of(json)), extra == 0);
    }
}

static void numbers_are_read_also_from_texts(void **state)
{
    static const struct {
        const char *json;
        bool is_uint, is_double;
        double number;
    } cases[] = {
        {"0", true, true, 0},
        {"42", true, true, 42},
        {"\"42\"", true, true, 42},
        {"18446744073709551615", true, true, 18446744073709551615.0},
        {"18446744073709551616", false, true, 18446744073709551616.0},
        {"-1", false, true, -1},
        {"1.5", false, true, 1.5},
        {"\"7.5e-05\"", false, true, 7.5e-5},
        {"1e400", false, false, 0},
        {"\"\"", false, false, 0},
        {"\"nan\"", false, false, 0},
        {"\"0x10\"", false, false, 0},
        {"\"12 \"", false, false, 0},
        {"\"1_000\"", false, false, 0},
        {"true", false, false, 0},
        {"null", false, false, 0},
        {"[1]", false, false, 0},
        {"1000000000000000000000000000000000000000000000000000000000000000", false, false, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct sluice_scan_value value = value_of(cases[i].json);
        uint64_t whole = 0;
        double number = NAN;
        assert_int_equal(sluice_scan_uint(&value, &whole), cases[i].is_uint);
        assert_int_equal(sluice_scan_double(&value, &number), cases[i].is_double);
        if (cases[i].is_double)
            assert_true(number == cases[i].number);
        if (cases[i].is_uint)
            assert_true((double)whole == cases[i].number);
    }
}

static void a_list_has_as_many_numbers_as_it_must(void **state)
{
    static const char *const bad[] = {"[]",
                                      "[1]",
                                      "[1,2,3]",
                                      "[1,-2]",
                                      "[1,2.5]",
                                      "[1,[2]]",
                                      "[1,{}]",
                                      "1",
                                      "\"12\"",
                                      "{\"a\":1}",
                                      "null",
                                      "[[1,2]]",
                                      "[1,18446744073709551616]"};
    struct sluice_scan_value value = value_of("[ 5, \"6\" ]");
    uint64_t numbers[2];
    (void)state;
    assert_true(sluice_scan_uints(&value, numbers, 2));
    assert_int_equal(numbers[1], 6);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        value = value_of(bad[i]);
        assert_false(sluice_scan_uints(&value, numbers, 2));
    }
}

static void escapes_are_resolved(void **state)
{
    static const struct {
        const char *json, *text;
    } cases[] = {
        {"\"bs16-lz4\\u003c\"", "bs16-lz4<"},
        {"\"a\\\"b\\\\c\\/d\\b\\f\\n\\r\\t\"", "a\"b\\c/d\b\f\n\r\t"},
        {"\"\\u00e9\\u20ac\\ud83d\\ude00\"", "\u00e9\u20ac\U0001f600"},
        {"\"\\ud83dx\"", "\ufffdx"},
        {"\"\\ude00\"", "\ufffd"},
        {"\"\u00e9\"", "\u00e9"},
        {"\"\"", ""},
    };
    struct sluice_scan_value value;
    char text[32];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        value = value_of(cases[i].json);
        assert_true(sluice_scan_text(&value, text, sizeof text));
        assert_string_equal(text, cases[i].text);
        assert_true(sluice_scan_is(&value, cases[i].text));
        assert_false(sluice_scan_is(&value, "other"));
    }
    value = value_of("\"a\\u0000b\"");
    assert_false(sluice_scan_text(&value, text, sizeof text));
    value = value_of("\"0123456\"");
    assert_false(sluice_scan_text(&value, text, 7));
    assert_true(sluice_scan_text(&value, text, 8));
    value = value_of("7");
    assert_false(sluice_scan_text(&value, text, sizeof text));
}

static void an_escaped_key_is_the_key(void **state)
{
    static const char *const keys[] = {"htype"};
    struct sluice_scan_value value;
    const char *why;
    (void)state;
    assert_int_equal(sluice_scan_object(span_of("{\"h\\u0074ype\":1}"), keys, 1, &value, &why),
                     SLUICE_OK);
    assert_int_equal(value.kind, SLUICE_SCAN_NUMBER);
}

/* Whatever the bytes are: no read outside of them (they end where their allocation does). */
static void any_bytes_are_survived(void **state)
{
    static const char *const keys[] = {"shape", "type"};
    static const char json[] = "{\"shape\":[1,2],\"t\\u0079pe\":\"\\ud83d\\ude00\",\"x\":-1.5e+3}";
    struct sluice_scan_value values[2];
    uint64_t numbers[2];
    double number;
    char text[64];
    const char *why;
    (void)state;
    srandom(1);
    for (int round = 0; round < 20000; round++) {
        const size_t bytes = (size_t)random() % sizeof json;
        uint8_t *copy = malloc(bytes + (bytes == 0));
        assert_non_null(copy);
        memcpy(copy, json, bytes);
        for (int change = 0; change < 3 && bytes > 0; change++)
            copy[(size_t)random() % bytes] = (uint8_t)random();
        const struct sluice_span span = {copy, bytes};
        (void)sluice_scan_object(span, keys, 2, values, &why);
        for (int i = 0; i < 2; i++) {
            (void)sluice_scan_uints(&values[i], numbers, 2);
            (void)sluice_scan_double(&values[i], &number);
            (void)sluice_scan_text(&values[i], text, sizeof text);
        }
        (void)sluice_scan_is_valid(span);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_wanted_values_of_an_object_are_found_in_any_order),
        cmocka_unit_test(a_probe_looks_no_further_than_its_key),
        cmocka_unit_test(what_is_not_json_is_refused),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(numbers_are_read_also_from_texts),
        cmocka_unit_test(a_list_has_as_many_numbers_as_it_must),
        cmocka_unit_test(escapes_are_resolved),
        cmocka_unit_test(an_escaped_key_is_the_key),
        cmocka_unit_test(any_bytes_are_survived),
    };
    return cmocka_run_group_tests_name("json scan", tests, NULL, NULL);
}
