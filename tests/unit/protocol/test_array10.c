/* SPDX-License-Identifier: Apache-2.0
 *
 * array-1.0 messages: what is accepted gives exactly what was sent; every lie about shape, type or
 * size is refused with its reason, and still says which image it was where the header does. jansson
 * lets its allocator be replaced, so that all that a decode asks for is seen. The seed of the
 * random part is printed and can be given in SLUICE_TEST_SEED. */
#include "tests/unit/protocol/cmocka_all.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "core/codec/codec.h"
#include "ingest/protocol/array10.h"

#define HEADER(rest) "{\"htype\":\"array-1.0\"," rest "}"
#define GOOD         HEADER("\"shape\":[2,3],\"type\":\"uint16\",\"frame\":7")

static const uint8_t pixels[12] = {1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 255, 255};

static struct {
    struct sluice_message_head head;
    struct sluice_image image;
    struct sluice_error error;
    char text[128];
} decoded;

static size_t allocated_bytes;

static void *counting_malloc(size_t bytes)
{
    allocated_bytes += bytes;
    return malloc(bytes);
}

static struct sluice_span span_of(const char *text)
{
    return (struct sluice_span){(const uint8_t *)text, strlen(text)};
}

static struct sluice_parts parts_of(const struct sluice_span *spans, uint32_t count)
{
    struct sluice_parts parts = {.count = count};

    memcpy(parts.part, spans, count * sizeof(*spans));
    return parts;
}

static enum sluice_status decode_parts(const struct sluice_span *spans, uint32_t count)
{
    const struct sluice_parts parts = parts_of(spans, count);
    const struct sluice_text_buffer buffer = {decoded.text, sizeof(decoded.text)};

    memset(&decoded, 0xA5, sizeof(decoded));
    sluice_error_clear(&decoded.error);
    return sluice_array10_decode(&parts, &decoded.head, &decoded.image, &buffer, &decoded.error);
}

static enum sluice_status decode(const char *header, size_t pixel_bytes)
{
    const struct sluice_span parts[] = {span_of(header), {pixels, pixel_bytes}};

    return decode_parts(parts, 2);
}

static void assert_text(struct sluice_span span, const char *wanted)
{
    assert_int_equal(span.bytes, strlen(wanted));
    assert_memory_equal(span.data, wanted, span.bytes);
}

static void assert_accepted(const char *header)
{
    if (decode(header, sizeof(pixels)) != SLUICE_OK)
        fail_msg("%s refused: %s", header, decoded.error.message);
}

/* `frame`: the image that it still says it is, -1 where the header does not say. */
static void assert_refused(const char *header, size_t pixel_bytes, enum sluice_status status,
                           const char *words, int frame)
{
    assert_int_equal(decode(header, pixel_bytes), status);
    assert_int_equal(decoded.error.status, status);
    if (strstr(decoded.error.message, words) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", words, decoded.error.message);
    assert_int_equal(decoded.head.kind, SLUICE_MESSAGE_IMAGE);
    assert_int_equal(decoded.head.has_image_id, frame >= 0);
    if (frame >= 0)
        assert_int_equal(decoded.head.image_id, frame);
}

static void a_message_gives_shape_type_frame_and_the_pixels_where_they_lie(void **state)
{
    const struct sluice_plane *plane = &decoded.image.planes[0];

    (void)state;
    assert_accepted(GOOD);
    assert_int_equal(decoded.head.kind, SLUICE_MESSAGE_IMAGE);
    assert_false(decoded.head.has_series_id || decoded.head.has_unique_id);
    assert_true(decoded.head.has_image_id);
    assert_int_equal(decoded.head.image_id, 7);
    assert_int_equal(decoded.image.image_id, 7);
    assert_int_equal(decoded.image.plane_count, 1);
    assert_int_equal(plane->height, 2);
    assert_int_equal(plane->width, 3);
    assert_int_equal(plane->dtype, SLUICE_U16);
    assert_int_equal(plane->encoding, SLUICE_ENCODING_NONE);
    assert_ptr_equal(plane->payload.data, pixels);
    assert_int_equal(plane->payload.bytes, sizeof(pixels));
    assert_true(plane->has_checksum);
    assert_true(plane->checksum == sluice_checksum(plane->payload));
    assert_text(plane->channel, "data");
    assert_int_equal(decoded.image.user_data.bytes, 0);
    assert_true(isnan(decoded.image.start_time) && isnan(decoded.image.stop_time) &&
                isnan(decoded.image.real_time));
}

static void all_ten_types_are_known_by_name(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SLUICE_DTYPE_COUNT; i++) {
        const enum sluice_dtype dtype = (enum sluice_dtype)i;
        char header[128];

        snprintf(header, sizeof(header), HEADER("\"shape\":[1,1],\"type\":\"%s\",\"frame\":0"),
                 sluice_dtype_name(dtype));
        if (decode(header, sluice_dtype_bytes(dtype)) != SLUICE_OK)
            fail_msg("%s refused: %s", header, decoded.error.message);
        assert_int_equal(decoded.image.planes[0].dtype, dtype);
        assert_int_not_equal(decode(header, sluice_dtype_bytes(dtype) + 1), SLUICE_OK);
    }
}

static void keys_come_in_any_order_and_a_closing_nul_is_allowed(void **state)
{
    static const char header[] =
        " {\"frame\": 9223372036854775807, \"type\": \"int8\", \"shape\": [3, 4],"
        " \"htype\": \"array-1.0\"} ";
    const struct sluice_span parts[] = {{(const uint8_t *)header, sizeof(header)},
                                        {pixels, sizeof(pixels)}};

    (void)state;
    assert_int_equal(decode_parts(parts, 2), SLUICE_OK);
    assert_true(decoded.head.image_id == INT64_MAX);
}

static void further_keys_become_user_data(void **state)
{
    (void)state;
    assert_accepted(HEADER("\"pulse_id\":12,\"shape\":[2,3],\"type\":\"uint16\",\"frame\":7,"
                           "\"who\":\"M\xc3\xbcller\",\"more\":{\"shape\":[1]}"));
    assert_text(decoded.image.user_data,
                "{\"pulse_id\":12,\"who\":\"M\\u00FCller\",\"more\":{\"shape\":[1]}}");
}

static void further_keys_that_do_not_fit_leave_their_size(void **state)
{
    char header[1024], text[20];
    const struct sluice_text_buffer tiny = {text, sizeof(text)};

    (void)state;
    snprintf(header, sizeof(header),
             HEADER("\"shape\":[2,3],\"type\":\"uint16\",\"frame\":7,\"note\":\"%0500d\""), 0);
    assert_accepted(header);
    assert_text(decoded.image.user_data, "{\"bytes\":511,\"omitted\":true}");
    const struct sluice_span spans[] = {span_of(header), {pixels, sizeof(pixels)}};
    const struct sluice_parts parts = parts_of(spans, 2);
    assert_int_equal(sluice_array10_decode(&parts, &decoded.head, &decoded.image, &tiny, NULL),
                     SLUICE_OK);
    assert_int_equal(decoded.image.user_data.bytes, 0);
    assert_int_equal(sluice_array10_decode(&parts, &decoded.head, &decoded.image, NULL, NULL),
                     SLUICE_OK);
    assert_int_equal(decoded.image.user_data.bytes, 0);
}

static void a_header_that_is_no_json_object_is_refused(void **state)
{
    static const char *const headers[] = {
        "",
        "{",
        "{]",
        "[1,2]",
        "17",
        "null",
        "\"array-1.0\"",
        "{\"htype\":\"array-1.0\"",
        GOOD "x",
        "{\"a\":\"\xff\"}",
        "{\"a\":NaN}",
        "{'htype':'array-1.0'}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
        assert_refused(headers[i], sizeof(pixels), SLUICE_MALFORMED, "the first part is", -1);
    assert_refused(HEADER("\"frame\":7,\"frame\":8"), 12, SLUICE_MALFORMED, "duplicate", -1);
}

static void a_wrong_or_missing_key_is_named(void **state)
{
    static const struct {
        const char *header, *words;
        enum sluice_status status;
        int frame;
    } cases[] = {
        {"{}", "'frame' is missing", SLUICE_MALFORMED, -1},
        {HEADER("\"shape\":[2,3],\"type\":\"uint16\",\"frame\":-1"), "'frame' is -1",
         SLUICE_MALFORMED, -1},
        {HEADER("\"shape\":[2,3],\"type\":\"uint16\",\"frame\":7.0"), "'frame' is a real",
         SLUICE_MALFORMED, -1},
        {HEADER("\"shape\":[2,3],\"type\":\"uint16\",\"frame\":\"7\""), "'frame' is a text",
         SLUICE_MALFORMED, -1},
        {HEADER("\"frame\":9223372036854775808"), "'frame' is a real", SLUICE_MALFORMED, -1},
        {HEADER("\"shape\":[2,3.5],\"type\":\"uint16\",\"frame\":7,\"n\":18446744073709551615"),
         "'shape' is not", SLUICE_MALFORMED, 7},
        {HEADER("\"frame\":1e400"), "not JSON: real number overflow", SLUICE_MALFORMED, -1},
        {"{\"frame\":7}", "'htype' is missing", SLUICE_MALFORMED, 7},
        {"{\"frame\":7,\"htype\":1}", "'htype' is a number", SLUICE_MALFORMED, 7},
        {"{\"frame\":7,\"htype\":\"array-2.0\"}", "\"array-2.0\"", SLUICE_UNSUPPORTED, 7},
        {"{\"frame\":7,\"htype\":\"dimage-1.0\"}", "\"dimage-1.0\"", SLUICE_UNSUPPORTED, 7},
        {HEADER("\"shape\":[2,3],\"frame\":7"), "'type' is missing", SLUICE_MALFORMED, 7},
        {HEADER("\"shape\":[2,3],\"frame\":7,\"type\":16"), "'type' is a number", SLUICE_MALFORMED,
         7},
        {HEADER("\"shape\":[2,3],\"frame\":7,\"type\":\"uint\""), "\"uint\"", SLUICE_UNSUPPORTED,
         7},
        {HEADER("\"shape\":[2,3],\"frame\":7,\"type\":\">u2\""), "\">u2\"", SLUICE_UNSUPPORTED, 7},
        {HEADER("\"shape\":[2,3],\"frame\":7,\"type\":\"complex64\""), "\"complex64\"",
         SLUICE_UNSUPPORTED, 7},
        {HEADER("\"type\":\"uint16\",\"frame\":7"), "'shape' is not [rows, columns]",
         SLUICE_MALFORMED, 7},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_refused(cases[i].header, sizeof(pixels), cases[i].status, cases[i].words,
                       cases[i].frame);
}

static void a_shape_that_is_not_two_sizes_is_refused(void **state)
{
    static const char *const shapes[] = {
        "[]", "[6]",       "[1,2,3]",       "[0,3]", "[2,0]",          "[-2,-3]",        "[2.0,3]",
        "6",  "{\"a\":1}", "[\"2\",\"3\"]", "null",  "[4294967296,3]", "[2,4294967298]",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        char header[128];

        snprintf(header, sizeof(header), HEADER("\"shape\":%s,\"type\":\"uint16\",\"frame\":7"),
                 shapes[i]);
        assert_refused(header, sizeof(pixels), SLUICE_MALFORMED, "'shape' is not", 7);
    }
}

static void sizes_that_lie_are_refused(void **state)
{
    (void)state;
    assert_refused(GOOD, 11, SLUICE_MISMATCH, "11 bytes, 3 x 2 pixels of uint16 are 12", 7);
    assert_refused(GOOD, 0, SLUICE_MISMATCH, "0 bytes", 7);
    assert_refused(HEADER("\"shape\":[2,3],\"type\":\"uint32\",\"frame\":7"), 12, SLUICE_MISMATCH,
                   "are 24", 7);
    /* Products that wrap: 2^16 · 2^16 · 2 = 2^33, 4294967295² · 8. */
    assert_refused(HEADER("\"shape\":[65536,65536],\"type\":\"uint16\",\"frame\":7"), 0,
                   SLUICE_LIMIT, "4 GiB or more", 7);
    assert_refused(HEADER("\"shape\":[4294967295,4294967295],\"type\":\"float64\",\"frame\":7"), 12,
                   SLUICE_LIMIT, "4 GiB or more", 7);
    assert_refused(HEADER("\"shape\":[1,4294967295],\"type\":\"uint8\",\"frame\":7"), 12,
                   SLUICE_MISMATCH, "are 4294967295", 7);
}

static void too_few_and_too_many_parts_are_refused(void **state)
{
    const struct sluice_span parts[] = {span_of(GOOD), {pixels, 12}, {pixels, 12}};

    (void)state;
    assert_int_equal(decode_parts(parts, 0), SLUICE_MALFORMED);
    assert_int_equal(decode_parts(parts, 1), SLUICE_MALFORMED);
    assert_non_null(strstr(decoded.error.message, "1 parts"));
    assert_true(decoded.head.has_image_id && decoded.head.image_id == 7);
    assert_int_equal(decode_parts(parts, 3), SLUICE_MALFORMED);
    assert_non_null(strstr(decoded.error.message, "3 parts"));
    struct sluice_parts cut = parts_of(parts, 2);
    cut.cut = true;
    assert_int_equal(sluice_array10_decode(&cut, &decoded.head, &decoded.image, NULL, NULL),
                     SLUICE_MALFORMED);
}

static void memory_depends_on_neither_the_image_nor_a_huge_header(void **state)
{
    const size_t bytes = (size_t)32 << 20, header_bytes = SLUICE_ARRAY10_HEADER_BYTES_MAX + 1;
    uint8_t *large = calloc(1, bytes);
    char *header = malloc(header_bytes);
    const struct sluice_span image[] = {
        span_of(HEADER("\"shape\":[4096,4096],\"type\":\"uint16\",\"frame\":7")), {large, bytes}};
    const struct sluice_span huge[] = {{(uint8_t *)header, header_bytes}, {pixels, 12}};

    (void)state;
    assert_non_null(large);
    assert_non_null(header);
    json_set_alloc_funcs(counting_malloc, free);
    allocated_bytes = 0;
    assert_int_equal(decode_parts(image, 2), SLUICE_OK);
    assert_in_range(allocated_bytes, 1, 8192);
    memset(header, '[', header_bytes);
    allocated_bytes = 0;
    assert_int_equal(decode_parts(huge, 2), SLUICE_LIMIT);
    assert_int_equal(allocated_bytes, 0);
    const struct sluice_span deep[] = {{(uint8_t *)header, header_bytes - 1}, {pixels, 12}};
    assert_int_equal(decode_parts(deep, 2), SLUICE_MALFORMED);
    assert_in_range(allocated_bytes, 1, 1 << 20);
    json_set_alloc_funcs(malloc, free);
    free(header);
    free(large);
}

static void a_number_too_large_for_jansson_costs_nothing(void **state)
{
    const char *header = HEADER("\"shape\":[2,3],\"type\":\"uint16\",\"frame\":9007199254740993,"
                                "\"bunch\":18446744073709551615");

    (void)state;
    assert_accepted(header);
    assert_int_equal(decoded.head.image_id, 9007199254740993); /* no double holds it */
    assert_int_equal(decoded.image.planes[0].height, 2);
    assert_int_equal(decoded.image.planes[0].width, 3);
    assert_text(decoded.image.user_data, header);
    assert_accepted(HEADER("\"shape\":[2,3],\"type\":\"uint16\",\"frame\":7,\"a\":\"\\u0000\""));
    assert_text(decoded.image.user_data, "{\"a\":\"\\u0000\"}");
}

static void only_an_array_header_is_probed_as_one(void **state)
{
    char late[3000];

    (void)state;
    snprintf(late, sizeof(late), " \n{\"a\":\"%02000d\",%s", 0, GOOD + 1);
    assert_true(sluice_array10_probe(span_of(late)));
    assert_true(sluice_array10_probe(span_of(GOOD)));
    assert_true(sluice_array10_probe(span_of("{\"htype\":\"array-1.0\"}")));
    assert_false(sluice_array10_probe(span_of("")));
    assert_false(sluice_array10_probe(span_of("{}")));
    assert_false(sluice_array10_probe(span_of("{\"htype\":\"dheader-1.0\"}")));
    assert_false(sluice_array10_probe(
        span_of("{\"htype\":\"dimage-1.0\",\"note\":\"an \\\"array-1.0\\\"\"}")));
    assert_false(sluice_array10_probe(span_of("\xd9\xd9\xf7\xa3")));
    assert_false(sluice_array10_probe((struct sluice_span){0}));
}

static void a_series_has_the_shape_and_the_whole_header(void **state)
{
    const char *header =
        HEADER("\"shape\":[2,3],\"type\":\"uint16\",\"frame\":70,\"who\":\"M\xc3\xbcller\"");

    (void)state;
    assert_accepted(header);
    struct sluice_series *series = sluice_array10_series(span_of(header), &decoded.image);
    assert_non_null(series);
    assert_int_equal(series->width, 3);
    assert_int_equal(series->height, 2);
    assert_int_equal(series->dtype, SLUICE_U16);
    assert_int_equal(series->channel_count, 1);
    assert_string_equal(series->channels[0].name, "data");
    assert_false(series->start_missed);
    assert_int_equal(series->number_of_images, 0);
    assert_true(isnan(series->count_time));
    assert_string_equal(series->start_message,
                        HEADER("\"shape\":[2,3],\"type\":\"uint16\",\"frame\":70,"
                               "\"who\":\"M\\u00FCller\""));
    sluice_series_destroy(series);
}

static void a_header_changed_at_random_gives_an_answer_or_an_error(void **state)
{
    const char *given = getenv("SLUICE_TEST_SEED");
    const unsigned seed = given != NULL ? (unsigned)atoi(given) : (unsigned)time(NULL);
    static const char good[] = HEADER("\"shape\":[2,3],\"type\":\"uint16\",\"frame\":7,\"x\":[1]");
    char header[sizeof(good)];

    (void)state;
    print_message("seed %u\n", seed);
    srand(seed);
    for (int i = 0; i < 20000; i++) {
        size_t bytes = sizeof(good) - 1;

        memcpy(header, good, sizeof(good));
        for (int k = rand() % 4; k >= 0; k--)
            header[(size_t)rand() % bytes] = (char)rand();
        if (rand() % 4 == 0)
            bytes = (size_t)rand() % bytes;
        const struct sluice_span parts[] = {{(uint8_t *)header, bytes}, {pixels, 12}};
        const enum sluice_status status = decode_parts(parts, 2);
        assert_int_equal(decoded.error.status, status);
        if (status == SLUICE_OK) {
            const struct sluice_plane *plane = &decoded.image.planes[0];
            assert_int_equal(
                (size_t)plane->width * plane->height * sluice_dtype_bytes(plane->dtype), 12);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_gives_shape_type_frame_and_the_pixels_where_they_lie),
        cmocka_unit_test(all_ten_types_are_known_by_name),
        cmocka_unit_test(keys_come_in_any_order_and_a_closing_nul_is_allowed),
        cmocka_unit_test(further_keys_become_user_data),
        cmocka_unit_test(further_keys_that_do_not_fit_leave_their_size),
        cmocka_unit_test(a_header_that_is_no_json_object_is_refused),
        cmocka_unit_test(a_wrong_or_missing_key_is_named),
        cmocka_unit_test(a_shape_that_is_not_two_sizes_is_refused),
        cmocka_unit_test(sizes_that_lie_are_refused),
        cmocka_unit_test(too_few_and_too_many_parts_are_refused),
        cmocka_unit_test(memory_depends_on_neither_the_image_nor_a_huge_header),
        cmocka_unit_test(a_number_too_large_for_jansson_costs_nothing),
        cmocka_unit_test(only_an_array_header_is_probed_as_one),
        cmocka_unit_test(a_series_has_the_shape_and_the_whole_header),
        cmocka_unit_test(a_header_changed_at_random_gives_an_answer_or_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
