/* SPDX-License-Identifier: Apache-2.0
 *
 * The CBOR writer and scanner: heads of every width, editing in place, and hostile input. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bench/detector/cbor.h"

static void integers_take_the_shortest_head_and_read_back(void **state)
{
    (void)state;
    static const struct {
        uint64_t value;
        size_t bytes;
    } cases[] = {{0, 1},     {23, 1},    {24, 2},         {255, 2},        {256, 3},
                 {65535, 3}, {65536, 5}, {UINT32_MAX, 5}, {1ull << 32, 9}, {UINT64_MAX, 9}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sluice_cbor cbor = {0};
        struct sluice_cbor_item item;
        sluice_cbor_head(&cbor, SLUICE_CBOR_UINT, cases[i].value);
        assert_int_equal(cbor.bytes, cases[i].bytes);
        assert_true(sluice_cbor_read(sluice_cbor_span(&cbor), 0, &item));
        assert_int_equal(item.major, SLUICE_CBOR_UINT);
        assert_true(item.value == cases[i].value);
        assert_int_equal(item.content, cbor.bytes);
        sluice_cbor_close(&cbor);
    }
}

static void a_value_is_replaced_by_a_longer_and_by_a_shorter_one(void **state)
{
    (void)state;
    struct sluice_cbor cbor = {0};
    sluice_cbor_head(&cbor, SLUICE_CBOR_TAG, SLUICE_CBOR_SELF_DESCRIPTION);
    sluice_cbor_head(&cbor, SLUICE_CBOR_MAP, 3);
    sluice_cbor_text(&cbor, "a");
    sluice_cbor_int(&cbor, 5);
    sluice_cbor_text(&cbor, "b");
    sluice_cbor_text(&cbor, "hello");
    sluice_cbor_text(&cbor, "c");
    sluice_cbor_double(&cbor, -2.5);
    struct sluice_cbor_range range;
    uint64_t value;
    struct sluice_span text;
    static const uint8_t long_form[] = {0x1b, 0, 0, 0, 0, 0, 0, 1, 0}, short_text[] = {0x61, 'x'};

    assert_true(sluice_cbor_find(sluice_cbor_span(&cbor), "a", &range));
    sluice_cbor_splice(&cbor, range.begin, range.end - range.begin,
                       (struct sluice_span){long_form, sizeof long_form});
    assert_true(sluice_cbor_find(sluice_cbor_span(&cbor), "b", &range));
    sluice_cbor_splice(&cbor, range.begin, range.end - range.begin,
                       (struct sluice_span){short_text, sizeof short_text});
    assert_true(sluice_cbor_is_map(sluice_cbor_span(&cbor)));
    assert_true(sluice_cbor_find_uint(sluice_cbor_span(&cbor), "a", &value));
    assert_int_equal(value, 256);
    assert_true(sluice_cbor_find_text(sluice_cbor_span(&cbor), "b", &text));
    assert_int_equal(text.bytes, 1);
    assert_true(sluice_cbor_find(sluice_cbor_span(&cbor), "c", &range));
    assert_int_equal(range.end, cbor.bytes);
    assert_false(sluice_cbor_find(sluice_cbor_span(&cbor), "d", &range));
    sluice_cbor_close(&cbor);
}

static void every_prefix_of_a_message_is_refused(void **state)
{
    (void)state;
    static const uint8_t message[] = {0xd9, 0xd9, 0xf7, 0xbf, 0x64, 't',  'y',  'p',  'e',  0x7f,
                                      0x62, 'o',  'k',  0xff, 0x61, 'v',  0x9f, 0x01, 0xf9, 0x3c,
                                      0x00, 0xff, 0x61, 'b',  0x5f, 0x41, 0x07, 0xff, 0xff};
    assert_true(sluice_cbor_is_map((struct sluice_span){message, sizeof message}));
    for (size_t bytes = 0; bytes < sizeof message; bytes++) {
        uint8_t *copy = malloc(bytes + 1); /* so that a sanitizer sees reads past the end */
        assert_non_null(copy);
        uint8_t *cut = realloc(copy, bytes ? bytes : 1);
        assert_non_null(cut);
        memcpy(cut, message, bytes);
        assert_false(sluice_cbor_is_map((struct sluice_span){cut, bytes}));
        free(cut);
    }
}

static void lying_and_deep_messages_are_refused(void **state)
{
    (void)state;
    static const uint8_t huge_text[] = {0xa1, 0x61, 'a',  0x7b, 0xff, 0xff,
                                        0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    static const uint8_t huge_map[] = {0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00};
    static const uint8_t huge_array[] = {0xa1, 0x61, 'a', 0x9b, 0x80, 0, 0, 0, 0, 0, 0, 0, 0x00};
    assert_false(sluice_cbor_is_map((struct sluice_span){huge_text, sizeof huge_text}));
    assert_false(sluice_cbor_is_map((struct sluice_span){huge_map, sizeof huge_map}));
    assert_false(sluice_cbor_is_map((struct sluice_span){huge_array, sizeof huge_array}));
    uint8_t deep[10003] = {0xa1, 0x61, 'a'};
    memset(deep + 3, 0x81, sizeof deep - 3);
    deep[sizeof deep - 1] = 0x00;
    assert_false(sluice_cbor_is_map((struct sluice_span){deep, sizeof deep}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_take_the_shortest_head_and_read_back),
        cmocka_unit_test(a_value_is_replaced_by_a_longer_and_by_a_shorter_one),
        cmocka_unit_test(every_prefix_of_a_message_is_refused),
        cmocka_unit_test(lying_and_deep_messages_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
