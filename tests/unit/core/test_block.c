/* SPDX-License-Identifier: Apache-2.0
 *
 * Bare LZ4 blocks: what is refused of them, and the framing that makes one a chunk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <lz4.h>

#include "core/codec/codec.h"

#define PIXELS_MAX 3000

static uint64_t seed = 20261122;

static size_t below(size_t bound)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (size_t)(seed % bound);
}

/* `bytes` of pixels with few or many matches, and their block. */
static size_t make_block(uint8_t *pixels, size_t bytes, uint8_t *block, size_t capacity)
{
    const size_t values = (size_t)1 << below(9);
    for (size_t i = 0; i < bytes; i++)
        pixels[i] = (uint8_t)below(values);
    const int length =
        LZ4_compress_default((const char *)pixels, (char *)block, (int)bytes, (int)capacity);
    assert_true(length > 0);
    return (size_t)length;
}

static void a_block_decodes_to_as_many_bytes_as_it_must(void **state)
{
    static uint8_t pixels[PIXELS_MAX], block[2 * PIXELS_MAX], decoded[PIXELS_MAX];
    (void)state;
    for (int round = 0; round < 2000; round++) {
        const size_t bytes = 1 + below(PIXELS_MAX - 2);
        const struct sluice_span span = {block, make_block(pixels, bytes, block, sizeof block)};
        const struct sluice_span cut = {block, span.bytes - 1};
        const enum sluice_encoding encoding = SLUICE_ENCODING_LZ4_BLOCK;
        assert_int_equal(sluice_codec_check(encoding, span, 2, bytes), SLUICE_OK);
        assert_int_equal(sluice_codec_decode(encoding, span, 2, decoded, bytes, NULL), SLUICE_OK);
        assert_memory_equal(decoded, pixels, bytes);
        assert_int_not_equal(sluice_codec_decode(encoding, span, 2, decoded, bytes + 1, NULL),
                             SLUICE_OK);
        assert_int_not_equal(sluice_codec_decode(encoding, span, 2, decoded, bytes - 1, NULL),
                             SLUICE_OK);
        assert_int_not_equal(sluice_codec_decode(encoding, cut, 2, decoded, bytes, NULL),
                             SLUICE_OK);
    }
}

static void a_length_that_lz4_cannot_give_is_refused(void **state)
{
    static uint8_t block[PIXELS_MAX];
    const struct {
        size_t block_bytes, decoded_bytes;
        enum sluice_status status;
    } cases[] = {
        {0, 1, SLUICE_TRUNCATED},
        {0, 1000, SLUICE_TRUNCATED},
        {3, 1020, SLUICE_TRUNCATED},
        {4, 1020, SLUICE_OK},
        {(size_t)LZ4_COMPRESSBOUND(1000), 1000, SLUICE_OK},
        {(size_t)LZ4_COMPRESSBOUND(1000) + 1, 1000, SLUICE_MISMATCH},
        {10, 0, SLUICE_LIMIT},
        {10, (size_t)LZ4_MAX_INPUT_SIZE + 1, SLUICE_LIMIT},
        {10, UINT32_MAX, SLUICE_LIMIT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct sluice_span span = {block, cases[i].block_bytes};
        assert_int_equal(
            sluice_codec_check(SLUICE_ENCODING_LZ4_BLOCK, span, 2, cases[i].decoded_bytes),
            cases[i].status);
    }
}

static void framed_a_block_is_a_payload_of_the_lz4_filter(void **state)
{
    static uint8_t pixels[PIXELS_MAX], block[2 * PIXELS_MAX], chunk[2 * PIXELS_MAX],
        decoded[PIXELS_MAX];
    (void)state;
    for (int round = 0; round < 500; round++) {
        const size_t bytes = 2 * (1 + below(PIXELS_MAX / 2));
        const struct sluice_span span = {block, make_block(pixels, bytes, block, sizeof block)};
        struct sluice_span framed = {chunk, 0};
        struct sluice_codec_scratch scratch = {0};
        uint64_t checksum;
        assert_int_equal(
            sluice_codec_frame_block(span, bytes, chunk, span.bytes + 15, &framed.bytes),
            SLUICE_LIMIT);
        assert_int_equal(
            sluice_codec_frame_block(span, bytes, chunk, span.bytes + 16, &framed.bytes),
            SLUICE_OK);
        assert_int_equal(framed.bytes, span.bytes + SLUICE_BLOCK_FRAMING_BYTES);
        assert_int_equal(sluice_codec_check(SLUICE_ENCODING_LZ4, framed, 2, bytes), SLUICE_OK);
        assert_int_equal(
            sluice_codec_decode(SLUICE_ENCODING_LZ4, framed, 2, decoded, bytes, &scratch),
            SLUICE_OK);
        assert_memory_equal(decoded, pixels, bytes);
        if (sluice_codec_block_checksum(span, bytes, &checksum))
            assert_true(checksum == sluice_checksum(framed));
        else
            assert_int_equal(span.bytes, bytes);
        sluice_codec_scratch_close(&scratch);
    }
}

/* The filter would take such a block for the pixels themselves. */
static void a_block_as_long_as_its_pixels_is_stored_as_pixels(void **state)
{
    static uint8_t pixels[256], block[512], chunk[512], decoded[256];
    size_t found = 0;
    (void)state;
    for (int round = 0; round < 200000 && found < 20; round++) {
        const size_t bytes = 20 + below(60);
        const size_t length = make_block(pixels, bytes, block, sizeof block);
        const struct sluice_span span = {block, length};
        struct sluice_span framed = {chunk, 0};
        struct sluice_codec_scratch scratch = {0};
        uint64_t checksum;
        if (length != bytes)
            continue;
        found++;
        assert_false(sluice_codec_block_checksum(span, bytes, &checksum));
        assert_int_equal(sluice_codec_frame_block(span, bytes, chunk, sizeof chunk, &framed.bytes),
                         SLUICE_OK);
        assert_memory_equal(chunk + SLUICE_BLOCK_FRAMING_BYTES, pixels, bytes);
        assert_int_equal(
            sluice_codec_decode(SLUICE_ENCODING_LZ4, framed, 1, decoded, bytes, &scratch),
            SLUICE_OK);
        assert_memory_equal(decoded, pixels, bytes);
        sluice_codec_scratch_close(&scratch);
    }
    assert_int_equal(found, 20);
}

static void there_is_no_encoder_for_bare_blocks(void **state)
{
    struct sluice_codec_scratch scratch = {0};
    uint8_t out[64];
    size_t bytes;
    (void)state;
    assert_int_equal(sluice_codec_encode(SLUICE_ENCODING_LZ4_BLOCK, "abcd", 4, 1, out, sizeof out,
                                         &bytes, &scratch),
                     SLUICE_UNSUPPORTED);
    assert_int_equal(sluice_encoding_stored(SLUICE_ENCODING_LZ4_BLOCK), SLUICE_ENCODING_LZ4);
    assert_int_equal(sluice_encoding_stored(SLUICE_ENCODING_BSLZ4), SLUICE_ENCODING_BSLZ4);
    assert_string_equal(sluice_encoding_name(SLUICE_ENCODING_LZ4_BLOCK), "lz4-block");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_decodes_to_as_many_bytes_as_it_must),
        cmocka_unit_test(a_length_that_lz4_cannot_give_is_refused),
        cmocka_unit_test(framed_a_block_is_a_payload_of_the_lz4_filter),
        cmocka_unit_test(a_block_as_long_as_its_pixels_is_stored_as_pixels),
        cmocka_unit_test(there_is_no_encoder_for_bare_blocks),
    };
    return cmocka_run_group_tests_name("core: bare LZ4 blocks", tests, NULL, NULL);
}
