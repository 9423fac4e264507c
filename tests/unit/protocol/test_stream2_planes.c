/* SPDX-License-Identifier: Apache-2.0
 *
 * The planes of an image: how channels, arrays, types, compression and framing can be wrong, and
 * with which words each is refused. */
#include "tests/unit/protocol/cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/protocol/decoded.h"

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
    assert_int_equal(decoded.image.plane_count, SLUICE_PLANES_MAX);
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
            assert_true(decode_image(&builder) != SLUICE_OK);
            assert_non_null(strstr(decoded.error.message, "channel 'threshold_1'"));
            assert_non_null(strstr(decoded.error.message, "8x8 pixels of uint16"));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(channels_are_bounded_named_and_distinct),
        cmocka_unit_test(arrays_must_be_spelt_as_tag_40_of_a_typed_array),
        cmocka_unit_test(big_endian_and_odd_elements_are_refused_with_the_reason),
        cmocka_unit_test(compression_must_be_known_and_of_the_elements_size),
        cmocka_unit_test(compressed_bytes_must_be_a_triple),
        cmocka_unit_test(framings_that_lie_are_refused),
        cmocka_unit_test(one_bad_plane_refuses_the_image),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
