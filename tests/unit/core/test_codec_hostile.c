/* SPDX-License-Identifier: Apache-2.0
 *
 * The codec on payloads that lie: each must be told by the right status, and under AddressSanitizer
 * none may read or write a byte that is not its own. Payloads are copied to memory of their exact
 * size for that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/codec/codec.h"

#define PIXEL_BYTES (3 * 8192 + 160 + 6) /* u16: three blocks, a partial one, 3 elements */

static uint8_t good_bslz4[65536], good_lz4[65536];
static size_t bslz4_bytes, lz4_bytes;
static uint8_t pixels[PIXEL_BYTES];

static int make_payloads(void **state)
{
    struct sluice_codec_scratch scratch = {0};
    enum sluice_status a, b;

    (void)state;
    for (size_t i = 0; i < PIXEL_BYTES; i++)
        pixels[i] = i % 2 ? 0 : (uint8_t)(i * i % 11);
    a = sluice_codec_encode(SLUICE_ENCODING_BSLZ4, pixels, PIXEL_BYTES, 2, good_bslz4,
                            sizeof good_bslz4, &bslz4_bytes, &scratch);
    b = sluice_codec_encode(SLUICE_ENCODING_LZ4, pixels, PIXEL_BYTES, 2, good_lz4, sizeof good_lz4,
                            &lz4_bytes, &scratch);
    sluice_codec_scratch_close(&scratch);
    return a == SLUICE_OK && b == SLUICE_OK ? 0 : -1;
}

struct answer {
    enum sluice_status check, decode;
};

/* Both ways through the framing, on a copy with nothing readable behind it. */
static struct answer ask(enum sluice_encoding encoding, const uint8_t *data, size_t bytes,
                         size_t element_bytes, size_t decoded_bytes)
{
    uint8_t *exact = malloc(bytes > 0 ? bytes : 1), *out = malloc(decoded_bytes + 1);
    struct sluice_codec_scratch scratch = {0};
    struct answer answer;

    assert_non_null(exact);
    assert_non_null(out);
    memcpy(exact, data, bytes);
    answer.check = sluice_codec_check(encoding, (struct sluice_span){exact, bytes}, element_bytes,
                                      decoded_bytes);
    answer.decode = sluice_codec_decode(encoding, (struct sluice_span){exact, bytes}, element_bytes,
                                        out, decoded_bytes, &scratch);
    assert_true(scratch.bytes <=
                decoded_bytes + SLUICE_CODEC_SLACK_BYTES); /* whatever the header claims */
    sluice_codec_scratch_close(&scratch);
    free(exact);
    free(out);
    return answer;
}

static void expect(struct answer answer, enum sluice_status status)
{
    assert_int_equal(answer.check, status);
    assert_int_equal(answer.decode, status);
}

static void put_u32(uint8_t *to, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(value >> (24 - 8 * i));
}

static void put_u64(uint8_t *to, uint64_t value)
{
    put_u32(to, (uint32_t)(value >> 32));
    put_u32(to + 4, (uint32_t)value);
}

static void every_cut_is_truncated(void **state)
{
    (void)state;
    for (size_t bytes = 0; bytes < bslz4_bytes; bytes++)
        expect(ask(SLUICE_ENCODING_BSLZ4, good_bslz4, bytes, 2, PIXEL_BYTES), SLUICE_TRUNCATED);
    for (size_t bytes = 0; bytes < lz4_bytes; bytes++)
        expect(ask(SLUICE_ENCODING_LZ4, good_lz4, bytes, 2, PIXEL_BYTES), SLUICE_TRUNCATED);
    expect(ask(SLUICE_ENCODING_BSLZ4, good_bslz4, bslz4_bytes, 2, PIXEL_BYTES), SLUICE_OK);
    expect(ask(SLUICE_ENCODING_LZ4, good_lz4, lz4_bytes, 2, PIXEL_BYTES), SLUICE_OK);
}

static void bytes_behind_the_end_are_malformed(void **state)
{
    (void)state;
    expect(ask(SLUICE_ENCODING_BSLZ4, good_bslz4, bslz4_bytes + 1, 2, PIXEL_BYTES),
           SLUICE_MALFORMED);
    expect(ask(SLUICE_ENCODING_LZ4, good_lz4, lz4_bytes + 1, 2, PIXEL_BYTES), SLUICE_MALFORMED);
}

static void another_size_than_announced_is_a_mismatch(void **state)
{
    static const uint64_t sizes[] = {
        0,          PIXEL_BYTES - 2, PIXEL_BYTES + 2, UINT64_C(1) << 32 | PIXEL_BYTES,
        UINT64_MAX, UINT64_MAX - 1,  UINT64_MAX - 15, UINT64_C(1) << 63};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t lie[sizeof good_bslz4];

        memcpy(lie, good_bslz4, bslz4_bytes);
        put_u64(lie, sizes[i]);
        expect(ask(SLUICE_ENCODING_BSLZ4, lie, bslz4_bytes, 2, PIXEL_BYTES), SLUICE_MISMATCH);
        memcpy(lie, good_lz4, lz4_bytes);
        put_u64(lie, sizes[i]);
        expect(ask(SLUICE_ENCODING_LZ4, lie, lz4_bytes, 2, PIXEL_BYTES), SLUICE_MISMATCH);
    }
    expect(ask(SLUICE_ENCODING_BSLZ4, good_bslz4, bslz4_bytes, 2, PIXEL_BYTES + 16),
           SLUICE_MISMATCH);
    expect(ask(SLUICE_ENCODING_LZ4, good_lz4, lz4_bytes, 2, 0), SLUICE_MISMATCH);
    expect(ask(SLUICE_ENCODING_NONE, pixels, PIXEL_BYTES, 2, PIXEL_BYTES - 2), SLUICE_MISMATCH);
    expect(ask(SLUICE_ENCODING_NONE, pixels, PIXEL_BYTES, 2, PIXEL_BYTES + 2), SLUICE_MISMATCH);
    expect(ask(SLUICE_ENCODING_NONE, pixels, PIXEL_BYTES, 2, PIXEL_BYTES), SLUICE_OK);
}

static void sizes_near_the_end_of_memory_do_not_wrap(void **state)
{
    static const uint64_t sizes[] = {UINT64_MAX - 15, UINT64_MAX - 1, UINT64_C(1) << 63};
    static const uint32_t blocks[] = {16, 8192, 0x7e000000, 0xfffffff0};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        for (size_t b = 0; b < 4; b++) {
            uint8_t lie[sizeof good_bslz4];
            struct sluice_span span = {lie, bslz4_bytes};

            memcpy(lie, good_bslz4, bslz4_bytes);
            put_u64(lie, sizes[i]);
            put_u32(lie + 8, blocks[b]);
            /* header and caller agree on a size that no payload of this length can have */
            assert_int_not_equal(sluice_codec_check(SLUICE_ENCODING_BSLZ4, span, 2, sizes[i]),
                                 SLUICE_OK);
            assert_int_not_equal(sluice_codec_check(SLUICE_ENCODING_LZ4, span, 2, sizes[i]),
                                 SLUICE_OK);
        }
    }
}

static void impossible_block_sizes_are_malformed(void **state)
{
    static const uint32_t bslz4_blocks[] = {0, 1, 8, 15, 17, 8192 + 8, 0xffffffff};

    (void)state;
    for (size_t i = 0; i < sizeof bslz4_blocks / sizeof bslz4_blocks[0]; i++) {
        uint8_t lie[sizeof good_bslz4];

        memcpy(lie, good_bslz4, bslz4_bytes);
        put_u32(lie + 8, bslz4_blocks[i]); /* none is a multiple of 8 elements of 2 bytes, or 0 */
        expect(ask(SLUICE_ENCODING_BSLZ4, lie, bslz4_bytes, 2, PIXEL_BYTES), SLUICE_MALFORMED);
    }
    uint8_t lie[sizeof good_lz4];

    memcpy(lie, good_lz4, lz4_bytes);
    put_u32(lie + 8, 0);
    expect(ask(SLUICE_ENCODING_LZ4, lie, lz4_bytes, 2, PIXEL_BYTES), SLUICE_MALFORMED);
}

static void a_wrong_but_possible_block_size_never_passes_the_decoder(void **state)
{
    static const uint32_t blocks[] = {16,    4096,       8192 - 16, 8192 + 16,
                                      16384, 0x10000000, 0xfffffff0};

    (void)state;
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
        uint8_t lie[sizeof good_bslz4];

        memcpy(lie, good_bslz4, bslz4_bytes);
        put_u32(lie + 8, blocks[i]);
        assert_int_not_equal(ask(SLUICE_ENCODING_BSLZ4, lie, bslz4_bytes, 2, PIXEL_BYTES).decode,
                             SLUICE_OK);
    }
}

static void lying_lengths_are_caught(void **state)
{
    static const struct {
        uint32_t length;
        enum sluice_status status;
    } lies[] = {
        {0, SLUICE_MALFORMED},     {UINT32_MAX, SLUICE_TRUNCATED}, {0x80000000, SLUICE_TRUNCATED},
        {65535, SLUICE_TRUNCATED}, {0x7fffffff, SLUICE_TRUNCATED},
    };

    (void)state;
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        uint8_t lie[sizeof good_bslz4];

        memcpy(lie, good_bslz4, bslz4_bytes);
        put_u32(lie + 12, lies[i].length);
        expect(ask(SLUICE_ENCODING_BSLZ4, lie, bslz4_bytes, 2, PIXEL_BYTES), lies[i].status);
        memcpy(lie, good_lz4, lz4_bytes);
        put_u32(lie + 12, lies[i].length);
        expect(ask(SLUICE_ENCODING_LZ4, lie, lz4_bytes, 2, PIXEL_BYTES), lies[i].status);
    }
    for (uint32_t length = 1; length < bslz4_bytes; length++) { /* a block cut or grown */
        uint8_t lie[sizeof good_bslz4];
        uint8_t honest[4];

        memcpy(lie, good_bslz4, bslz4_bytes);
        memcpy(honest, lie + 12, 4);
        put_u32(lie + 12, length);
        if (memcmp(honest, lie + 12, 4) != 0)
            assert_int_not_equal(
                ask(SLUICE_ENCODING_BSLZ4, lie, bslz4_bytes, 2, PIXEL_BYTES).decode, SLUICE_OK);
    }
}

static void a_block_that_is_not_lz4_is_malformed(void **state)
{
    uint8_t lie[sizeof good_bslz4];

    (void)state;
    memcpy(lie, good_bslz4, bslz4_bytes);
    memset(lie + 16, 0xff, 64);
    assert_int_equal(ask(SLUICE_ENCODING_BSLZ4, lie, bslz4_bytes, 2, PIXEL_BYTES).decode,
                     SLUICE_MALFORMED);
    memcpy(lie, good_lz4, lz4_bytes);
    memset(lie + 16, 0xff, 64);
    assert_int_equal(ask(SLUICE_ENCODING_LZ4, lie, lz4_bytes, 2, PIXEL_BYTES).decode,
                     SLUICE_MALFORMED);
}

static void a_block_that_gives_too_little_is_malformed(void **state)
{
    /* says 16 bytes, and is an LZ4 block of 8 literals */
    static const uint8_t few[] = {0, 0, 0, 0,    0, 0, 0, 16, 0, 0, 0, 16, 0,
                                  0, 0, 9, 0x80, 1, 2, 3, 4,  5, 6, 7, 8};

    (void)state;
    assert_int_equal(ask(SLUICE_ENCODING_BSLZ4, few, sizeof few, 2, 16).decode, SLUICE_MALFORMED);
    assert_int_equal(ask(SLUICE_ENCODING_LZ4, few, sizeof few, 2, 16).decode, SLUICE_MALFORMED);
}

static void an_element_size_that_is_not_announced_is_a_mismatch(void **state)
{
    (void)state;
    expect(ask(SLUICE_ENCODING_BSLZ4, good_bslz4, bslz4_bytes, 0, PIXEL_BYTES), SLUICE_MISMATCH);
    expect(ask(SLUICE_ENCODING_BSLZ4, good_bslz4, bslz4_bytes, 3, PIXEL_BYTES), SLUICE_MISMATCH);
    expect(ask(SLUICE_ENCODING_BSLZ4, good_bslz4, bslz4_bytes, SIZE_MAX, PIXEL_BYTES),
           SLUICE_MISMATCH);
    expect(ask(SLUICE_ENCODING_BSLZ4, good_bslz4, bslz4_bytes, 4, PIXEL_BYTES), SLUICE_MISMATCH);
}

static void an_empty_image_is_only_a_header(void **state)
{
    static const uint8_t header[13] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x20, 0, 0};

    (void)state;
    expect(ask(SLUICE_ENCODING_BSLZ4, header, 12, 2, 0), SLUICE_OK);
    expect(ask(SLUICE_ENCODING_LZ4, header, 12, 2, 0), SLUICE_OK);
    expect(ask(SLUICE_ENCODING_BSLZ4, header, 13, 2, 0), SLUICE_MALFORMED);
    expect(ask(SLUICE_ENCODING_BSLZ4, header, 11, 2, 0), SLUICE_TRUNCATED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cut_is_truncated),
        cmocka_unit_test(bytes_behind_the_end_are_malformed),
        cmocka_unit_test(another_size_than_announced_is_a_mismatch),
        cmocka_unit_test(sizes_near_the_end_of_memory_do_not_wrap),
        cmocka_unit_test(impossible_block_sizes_are_malformed),
        cmocka_unit_test(a_wrong_but_possible_block_size_never_passes_the_decoder),
        cmocka_unit_test(lying_lengths_are_caught),
        cmocka_unit_test(a_block_that_is_not_lz4_is_malformed),
        cmocka_unit_test(a_block_that_gives_too_little_is_malformed),
        cmocka_unit_test(an_element_size_that_is_not_announced_is_a_mismatch),
        cmocka_unit_test(an_empty_image_is_only_a_header),
    };

    return cmocka_run_group_tests_name("core: codec, hostile payloads", tests, make_payloads, NULL);
}
