/* SPDX-License-Identifier: Apache-2.0
 *
 * The pull cursor: every token CBOR has, and every way in which a message can lie about itself. */
#include "tests/unit/protocol/cmocka_all.h"

#include <math.h>
#include <string.h>

#include "ingest/protocol/cbor_cursor.h"
#include "tests/support/cbor_build.h"

static struct sluice_cbor_token first_token(const struct builder *builder)
{
    struct sluice_cbor_cursor cursor = sluice_cbor_at(build_span(builder), 0);
    struct sluice_cbor_token token;

    assert_int_equal(sluice_cbor_next(&cursor, &token), SLUICE_OK);
    return token;
}

/* The status of stepping over the whole of it; on success all bytes must have been taken. */
static enum sluice_status skip_all(const struct builder *builder)
{
    struct sluice_cbor_cursor cursor = sluice_cbor_at(build_span(builder), 0);
    enum sluice_status status = sluice_cbor_skip(&cursor);

    if (status == SLUICE_OK)
        assert_int_equal(cursor.at, builder->bytes);
    else
        assert_non_null(cursor.why);
    return status;
}

static enum sluice_status skip_bytes(const char *bytes, size_t count)
{
    struct builder builder = {0};
    enum sluice_status status;

    build_raw(&builder, bytes, count);
    status = skip_all(&builder);
    build_free(&builder);
    return status;
}
#define SKIP(literal) skip_bytes(literal, sizeof(literal) - 1)

static void integers_of_every_width_are_read(void **state)
{
    static const int widths[] = {1, 2, 4, 8};

    (void)state;
    for (int m = MAJOR_UINT; m <= MAJOR_NEGINT; m++) {
        for (int w = 0; w < 4; w++) {
            uint64_t value = UINT64_MAX >> (64 - 8 * widths[w]);
            struct builder builder = {0};
            struct sluice_cbor_token token;

            build_head_wide(&builder, (enum major)m, value, widths[w]);
            token = first_token(&builder);
            assert_int_equal(token.kind, m == MAJOR_UINT ? SLUICE_CBOR_UINT : SLUICE_CBOR_NEGINT);
            assert_true(token.value == value);
            build_free(&builder);
        }
    }
}

static void floats_of_every_width_are_read(void **state)
{
    struct builder half = {0}, single = {0}, wide = {0}, infinite = {0}, nan = {0};

    (void)state;
    build_half(&half, 0xC100); /* -2.5 */
    build_float(&single, 0.1f);
    build_double(&wide, 1e300);
    build_half(&infinite, 0x7C00);
    build_half(&nan, 0x7E00);
    assert_int_equal(first_token(&half).kind, SLUICE_CBOR_FLOAT);
    assert_true(first_token(&half).number == -2.5);
    assert_true(first_token(&single).number == (double)0.1f);
    assert_true(first_token(&wide).number == 1e300);
    assert_true(isinf(first_token(&infinite).number));
    assert_true(isnan(first_token(&nan).number));
    build_free(&half);
    build_free(&single);
    build_free(&wide);
    build_free(&infinite);
    build_free(&nan);
}

static void every_tag_and_simple_value_is_read(void **state)
{
    (void)state;
    for (uint64_t value = 0; value < 256; value++) {
        struct builder tag = {0}, simple = {0};
        enum sluice_cbor_kind kind = value == 20 || value == 21   ? SLUICE_CBOR_BOOL
                                     : value == 22 || value == 23 ? SLUICE_CBOR_NULL
                                                                  : SLUICE_CBOR_SIMPLE;

        build_head(&tag, MAJOR_TAG, value);
        assert_int_equal(first_token(&tag).kind, SLUICE_CBOR_TAG);
        assert_int_equal(first_token(&tag).value, value);
        build_free(&tag);
        if (value >= 24 && value < 32)
            continue; /* not well-formed */
        build_head(&simple, MAJOR_SIMPLE, value);
        assert_int_equal(first_token(&simple).kind, kind);
        assert_int_equal(skip_all(&simple), SLUICE_OK);
        build_free(&simple);
    }
}

static void bytes_that_are_no_cbor_are_malformed(void **state)
{
    (void)state;
    for (unsigned initial = 0; initial < 256; initial++) {
        unsigned major = initial >> 5, size = initial & 31;
        bool reserved = size >= 28 && size <= 30;
        bool endless = size == 31 && (major == MAJOR_UINT || major == MAJOR_NEGINT ||
                                      major == MAJOR_TAG || major == MAJOR_SIMPLE);
        uint8_t bytes[16] = {(uint8_t)initial};
        struct sluice_cbor_cursor cursor = {.data = bytes, .bytes = sizeof(bytes)};

        if (reserved || endless)
            assert_int_equal(sluice_cbor_skip(&cursor), SLUICE_MALFORMED);
    }
    assert_int_equal(SKIP("\xf8\x1f"), SLUICE_MALFORMED); /* a simple value below 32, two bytes */
}

static void indefinite_items_are_stepped_over(void **state)
{
    (void)state;
    assert_int_equal(SKIP("\x5f\x41\x61\x42\x62\x63\xff"), SLUICE_OK);         /* bytes */
    assert_int_equal(SKIP("\x7f\xff"), SLUICE_OK);                             /* text, empty */
    assert_int_equal(SKIP("\x9f\x01\x9f\xff\xa0\x80\xff"), SLUICE_OK);         /* array */
    assert_int_equal(SKIP("\xbf\x61\x61\x01\x61\x62\xbf\xff\xff"), SLUICE_OK); /* map */
    assert_int_equal(SKIP("\xc1\xd8\x28\x9f\xc2\x01\xff"), SLUICE_OK);         /* under tags */
    assert_int_equal(SKIP("\x82\x9f\xff\xbf\xff"), SLUICE_OK);
}

static void a_token_keeps_nothing_of_the_one_before(void **state)
{
    static const uint8_t bytes[] = "\x64type\x7f\xff";
    struct sluice_cbor_cursor cursor = {.data = bytes, .bytes = sizeof(bytes) - 1};
    struct sluice_cbor_token token;

    (void)state;
    assert_int_equal(sluice_cbor_next(&cursor, &token), SLUICE_OK);
    assert_int_equal(token.span.bytes, 4);
    assert_int_equal(sluice_cbor_next(&cursor, &token), SLUICE_OK);
    assert_true(token.kind == SLUICE_CBOR_TEXT && token.indefinite);
    assert_null(token.span.data);
    assert_int_equal(token.span.bytes, 0);
}

static void breaks_and_chunks_out_of_place_are_malformed(void **state)
{
    (void)state;
    assert_int_equal(SKIP("\xff"), SLUICE_MALFORMED);
    assert_int_equal(SKIP("\x82\x01\xff"), SLUICE_MALFORMED);     /* definite array */
    assert_int_equal(SKIP("\xc1\xff"), SLUICE_MALFORMED);         /* tag of nothing */
    assert_int_equal(SKIP("\x9f\xc1\xff\xff"), SLUICE_MALFORMED); /* the same, inside */
    assert_int_equal(SKIP("\xbf\x01\xff"), SLUICE_MALFORMED);     /* key without value */
    assert_int_equal(SKIP("\xbf\x01\x02\x03\x80\x04\xff"), SLUICE_MALFORMED);
    assert_int_equal(SKIP("\x5f\x61\x61\xff"), SLUICE_MALFORMED); /* text in bytes */
    assert_int_equal(SKIP("\x7f\x01\xff"), SLUICE_MALFORMED);     /* integer in text */
    assert_int_equal(SKIP("\x5f\x5f\xff\xff"), SLUICE_MALFORMED); /* chunks of chunks */
}

static void a_prefix_of_an_item_is_truncated_whatever_its_length(void **state)
{
    struct builder builder = {0};

    (void)state;
    build_head(&builder, MAJOR_ARRAY, 6);
    build_head_wide(&builder, MAJOR_UINT, 1, 8);
    build_text(&builder, "a text that is longer than twenty-three bytes");
    build_indefinite(&builder, MAJOR_MAP);
    build_text(&builder, "k");
    build_double(&builder, 1);
    build_break(&builder);
    build_head(&builder, MAJOR_TAG, 56500);
    build_bytes(&builder, "0123456789", 10);
    build_head(&builder, MAJOR_SIMPLE, 99);
    build_indefinite(&builder, MAJOR_BYTES);
    build_bytes(&builder, "01", 2);
    build_break(&builder);
    assert_int_equal(skip_all(&builder), SLUICE_OK);
    for (size_t bytes = 0; bytes < builder.bytes; bytes++) {
        struct sluice_cbor_cursor cursor = {.data = builder.data, .bytes = bytes};

        assert_int_equal(sluice_cbor_skip(&cursor), SLUICE_TRUNCATED);
    }
    build_free(&builder);
}

static void lengths_and_counts_beyond_the_message_are_truncated(void **state)
{
    static const uint64_t tops[] = {0x40, UINT64_C(1) << 31, UINT64_C(1) << 32, UINT64_C(1) << 63,
                                    0};

    (void)state;
    for (int m = MAJOR_BYTES; m <= MAJOR_MAP; m++) {
        for (size_t t = 0; t < sizeof(tops) / sizeof(tops[0]); t++) {
            /* Below and above each: 2^64 - 1 and its neighbours are 0 - 1 and so on. */
            for (uint64_t d = 0; d < 48; d++) {
                uint64_t value = t == 4 ? UINT64_MAX - d : tops[t] + d;
                struct builder builder = {0};

                build_head_wide(&builder, (enum major)m, value, 8);
                for (int i = 0; i < 40; i++)
                    build_int(&builder, 1);
                assert_int_equal(skip_all(&builder), SLUICE_TRUNCATED);
                build_free(&builder);
            }
        }
    }
}

/* `depth` containers or tags around a 0. */
static void build_nested(struct builder *builder, int kind, int depth)
{
    for (int i = 0; i < depth; i++) {
        if (kind == 0)
            build_head(builder, MAJOR_ARRAY, 1);
        else if (kind == 1)
            build_head(builder, MAJOR_TAG, 40);
        else if (kind == 2)
            build_indefinite(builder, MAJOR_ARRAY);
        else
            build_raw(builder, "\xa1\x01", 2);
    }
    build_int(builder, 0);
    for (int i = 0; kind == 2 && i < depth; i++)
        build_break(builder);
}

static void nesting_is_bounded_without_recursion(void **state)
{
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        static const int depths[] = {SLUICE_CBOR_DEPTH_MAX, SLUICE_CBOR_DEPTH_MAX + 1, 10000,
                                     3000000};

        for (int d = 0; d < 4; d++) {
            struct builder builder = {0};

            build_nested(&builder, kind, depths[d]);
            assert_int_equal(skip_all(&builder), d == 0 ? SLUICE_OK : SLUICE_LIMIT);
            build_free(&builder);
        }
    }
}

static const struct sluice_cbor_key keys[] = {SLUICE_CBOR_KEY("alpha"), SLUICE_CBOR_KEY("beta"),
                                              SLUICE_CBOR_KEY("gamma")};

static void the_index_finds_keys_in_any_order_and_the_first_of_two(void **state)
{
    struct builder builder = {0};
    struct sluice_cbor_cursor cursor;
    size_t offsets[3];
    size_t beta, alpha;

    (void)state;
    build_indefinite(&builder, MAJOR_MAP);
    build_int(&builder, 3); /* a key that is not text */
    build_text(&builder, "alpha");
    build_text(&builder, "beta");
    beta = builder.bytes;
    build_raw(&builder, "\x82\x01\x02", 3);
    build_text(&builder, "unknown");
    build_raw(&builder,
              "\xbf\x65"
              "alpha"
              "\x01\xff",
              9); /* the same key deeper does not count */
    build_text(&builder, "alpha");
    alpha = builder.bytes;
    build_int(&builder, 1);
    build_text(&builder, "alpha");
    build_int(&builder, 2);
    build_break(&builder);
    cursor = sluice_cbor_at(build_span(&builder), 0);
    assert_int_equal(sluice_cbor_index(&cursor, keys, 3, offsets), SLUICE_OK);
    assert_int_equal(cursor.at, builder.bytes);
    assert_int_equal(offsets[0], alpha);
    assert_int_equal(offsets[1], beta);
    assert_true(offsets[2] == SLUICE_CBOR_ABSENT);
    build_free(&builder);
}

static void the_index_keeps_what_it_found_before_an_error(void **state)
{
    struct builder builder = {0};
    struct sluice_cbor_cursor cursor;
    size_t offsets[3];

    (void)state;
    build_head(&builder, MAJOR_MAP, 3);
    build_text(&builder, "alpha");
    build_int(&builder, 1);
    build_text(&builder, "beta");
    build_head(&builder, MAJOR_BYTES, 1000);
    build_raw(&builder, "1234", 4);
    cursor = sluice_cbor_at(build_span(&builder), 0);
    assert_int_equal(sluice_cbor_index(&cursor, keys, 3, offsets), SLUICE_TRUNCATED);
    assert_int_equal(offsets[0], 7);
    assert_true(offsets[1] == SLUICE_CBOR_ABSENT);
    build_free(&builder);
}

static void a_key_in_chunks_is_refused_by_name(void **state)
{
    static const uint8_t bytes[] = "\xa1\x7f\x62"
                                   "al"
                                   "\x63"
                                   "pha"
                                   "\xff\x01";
    struct sluice_cbor_cursor cursor = {.data = bytes, .bytes = sizeof(bytes) - 1};
    size_t offsets[3];

    (void)state;
    assert_int_equal(sluice_cbor_index(&cursor, keys, 3, offsets), SLUICE_UNSUPPORTED);
    assert_non_null(strstr(cursor.why, "chunks"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_of_every_width_are_read),
        cmocka_unit_test(floats_of_every_width_are_read),
        cmocka_unit_test(every_tag_and_simple_value_is_read),
        cmocka_unit_test(bytes_that_are_no_cbor_are_malformed),
        cmocka_unit_test(indefinite_items_are_stepped_over),
        cmocka_unit_test(a_token_keeps_nothing_of_the_one_before),
        cmocka_unit_test(breaks_and_chunks_out_of_place_are_malformed),
        cmocka_unit_test(a_prefix_of_an_item_is_truncated_whatever_its_length),
        cmocka_unit_test(lengths_and_counts_beyond_the_message_are_truncated),
        cmocka_unit_test(nesting_is_bounded_without_recursion),
        cmocka_unit_test(the_index_finds_keys_in_any_order_and_the_first_of_two),
        cmocka_unit_test(the_index_keeps_what_it_found_before_an_error),
        cmocka_unit_test(a_key_in_chunks_is_refused_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
