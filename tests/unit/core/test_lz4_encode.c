/* SPDX-License-Identifier: Apache-2.0
 *
 * The encoder for bit planes, at every level of instructions, on made pixels of every kind and
 * shape: liblz4 and the plain transpose give the pixels back; the rules that LZ4 has for the end of
 * a block are kept; all levels write the same bytes; input and output end at guarded pages.
 * SLUICE_TEST_SEED repeats a run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <lz4.h>

#include "core/codec/codec.h"
#include "core/codec/lz4_encode.h"
#include "core/codec/transpose.h"
#include "guarded.h"

#define BLOCK     SLUICE_BSLZ4_BLOCK_BYTES
#define SHAPES    6000
#define IMAGE_MAX (5 * BLOCK + 100)

static uint64_t seed;
static struct guarded input, output;
static struct sluice_lz4_encoder encoder;

static uint64_t next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed * UINT64_C(0x2545f4914f6cdd1d);
}

static uint64_t below(uint64_t limit)
{
    return (next_random() >> 11) % limit;
}

/* Pixels of one kind: noise in some low bits, here and there, beside a constant, masked stretches,
 * hot pixels, ramps and rows that repeat. */
static void make_pixels(uint8_t *pixels, size_t bytes, size_t element_bytes)
{
    const unsigned width = 8 * (unsigned)element_bytes;
    const uint64_t low = below(4) == 0 ? UINT64_MAX : (UINT64_C(1) << below(width)) - 1;
    const uint64_t constant = below(3) == 0 ? next_random() : below(2) * UINT64_MAX;
    const uint64_t sparse = below(2) == 0 ? 1 : 1 + below(400), ramp = below(5) == 0 ? below(9) : 0;
    const uint64_t masked_every = below(3) == 0 ? 2 + below(2000) : 0, masked = below(300);
    const uint64_t hot_every = below(3) == 0 ? 1 + below(3000) : 0;
    const size_t repeat = below(4) == 0 ? 1 + (size_t)below(1100) : 0;
    uint64_t left = 0;

    for (size_t i = 0; i < bytes / element_bytes; i++) {
        uint64_t pixel = constant;

        if (repeat > 0 && i >= repeat && below(2000) > 0) {
            memcpy(pixels + i * element_bytes, pixels + (i - repeat) * element_bytes,
                   element_bytes);
            continue;
        }
        if (sparse == 1 || below(sparse) == 0)
            pixel ^= next_random() & low;
        pixel += i * ramp;
        if (hot_every > 0 && below(hot_every) == 0)
            pixel = next_random();
        if (left == 0 && masked_every > 0 && below(masked_every) == 0)
            left = masked;
        if (left > 0) {
            pixel = UINT64_MAX;
            left--;
        }
        memcpy(pixels + i * element_bytes, &pixel, element_bytes); /* little-endian or not: bits */
    }
}

/* Walks the block's sequences: every match lies inside, begins 12 bytes before the end at the
 * latest and leaves 5 literals. */
static void assert_lz4_rules(const uint8_t *block, size_t length, size_t bytes)
{
    const uint8_t *at = block, *end = block + length;
    size_t made = 0, last_match = 0, last_match_end = 0;

    for (;;) {
        const uint8_t token = *at++;
        size_t literals = token >> 4, match = (token & 15) + 4, offset;

        if (literals == 15) {
            do
                literals += *at;
            while (*at++ == 255);
        }
        at += literals;
        made += literals;
        assert_true(at <= end);
        if (at == end) {
            assert_int_equal(token & 15, 0);
            break;
        }
        offset = at[0] | (size_t)at[1] << 8;
        at += 2;
        if (match == 19) {
            do
                match += *at;
            while (*at++ == 255);
        }
        assert_true(offset >= 1 && offset <= made);
        last_match = made;
        made += match;
        last_match_end = made;
    }
    assert_int_equal(made, bytes);
    if (last_match_end > 0) {
        assert_true(last_match + 12 <= bytes);
        assert_true(last_match_end + 5 <= bytes);
    }
}

static void assert_block(const uint8_t *block, size_t length, const uint8_t *pixels, size_t bytes,
                         size_t element_bytes)
{
    uint8_t planes[BLOCK], back[BLOCK];

    assert_true(length <= (size_t)LZ4_compressBound((int)bytes));
    assert_lz4_rules(block, length, bytes);
    assert_int_equal(LZ4_decompress_safe((const char *)block, (char *)planes, (int)length, BLOCK),
                     bytes);
    sluice_untranspose_scalar(back, planes, 0, bytes / element_bytes, element_bytes);
    assert_memory_equal(back, pixels, bytes);
}

static void a_block_of_any_pixels_is_lz4_and_the_same_at_every_level(void **state)
{
    static uint8_t first[BLOCK * 2], made[BLOCK * 2];

    (void)state;
    for (int shape = 0; shape < SHAPES; shape++) {
        const size_t element_bytes = (size_t)1 << below(4);
        const size_t group = 8 * element_bytes;
        const size_t bytes = below(3) == 0 ? BLOCK : group * (1 + (size_t)below(BLOCK / group));
        uint8_t *pixels = input.end - bytes;
        size_t length = 0;

        make_pixels(pixels, bytes, element_bytes);
        for (int level = 0; level < SLUICE_CPU_LEVEL_COUNT; level++) {
            size_t again;

            if (sluice_cpu_limit((enum sluice_cpu_level)level) != (enum sluice_cpu_level)level)
                continue;
            sluice_lz4_encode_begin(&encoder);
            again = sluice_lz4_encode_planes(level == 0 ? first : made, pixels, bytes,
                                             element_bytes, &encoder);
            if (level == 0) {
                length = again;
                assert_block(first, length, pixels, bytes, element_bytes);
            }
            assert_int_equal(again, length);
            assert_memory_equal(level == 0 ? first : made, first, length);
        }
    }
    sluice_cpu_limit(SLUICE_CPU_AVX512);
}

static size_t read_be(const uint8_t *from, size_t bytes)
{
    size_t value = 0;

    for (size_t i = 0; i < bytes; i++)
        value = value << 8 | from[i];
    return value;
}

/* The stream of an image, each of its blocks for itself, and the pixels behind them. */
static void assert_stream(const uint8_t *stream, size_t length, const uint8_t *pixels, size_t bytes,
                          size_t element_bytes)
{
    const uint8_t *at = stream + 12, *end = stream + length;
    const size_t tail = bytes % (8 * element_bytes);

    assert_int_equal(read_be(stream, 8), bytes);
    assert_int_equal(read_be(stream + 8, 4), BLOCK);
    while (bytes > tail) {
        const size_t part = bytes - tail < BLOCK ? bytes - tail : BLOCK, took = read_be(at, 4);

        assert_true(took <= (size_t)(end - at) - 4);
        assert_block(at + 4, took, pixels, part, element_bytes);
        at += 4 + took;
        pixels += part;
        bytes -= part;
    }
    assert_int_equal(end - at, tail);
    assert_memory_equal(at, pixels, tail);
}

static void limit_by_chance(void)
{
    sluice_cpu_limit((enum sluice_cpu_level)below(SLUICE_CPU_LEVEL_COUNT));
}

/* The same bytes at any level, whatever other images left in the scratch. */
static void an_image_of_any_size_is_lz4_and_stays_in_its_buffer(void **state)
{
    struct sluice_codec_scratch scratch = {0};
    static uint8_t back[IMAGE_MAX], first[2 * IMAGE_MAX];

    (void)state;
    for (int shape = 0; shape < SHAPES / 20; shape++) {
        const size_t element_bytes = (size_t)1 << below(4);
        const size_t bytes = (size_t)below(IMAGE_MAX / element_bytes) * element_bytes;
        const size_t bound = sluice_codec_bound(SLUICE_ENCODING_BSLZ4, element_bytes, bytes);
        uint8_t *pixels = input.end - bytes, *out = output.end - bound;
        size_t length = 0, again = 0;

        make_pixels(pixels, bytes, element_bytes);
        limit_by_chance();
        assert_int_equal(sluice_codec_encode(SLUICE_ENCODING_BSLZ4, pixels, bytes, element_bytes,
                                             out, bound, &length, &scratch),
                         SLUICE_OK);
        assert_int_equal(sluice_codec_decode(SLUICE_ENCODING_BSLZ4,
                                             (struct sluice_span){out, length}, element_bytes, back,
                                             bytes, &scratch),
                         SLUICE_OK);
        assert_memory_equal(back, pixels, bytes);
        assert_stream(out, length, pixels, bytes, element_bytes);
        memcpy(first, out, length);
        for (size_t i = 0; i < scratch.bytes; i++)
            scratch.data[i] = (uint8_t)below(i % 2 == 0 ? 256 : BLOCK / 256); /* places, too */
        limit_by_chance();
        /* exactly as much room as it takes, and one byte less */
        out = output.end - length;
        assert_int_equal(sluice_codec_encode(SLUICE_ENCODING_BSLZ4, pixels, bytes, element_bytes,
                                             out, length, &again, &scratch),
                         SLUICE_OK);
        assert_int_equal(again, length);
        assert_memory_equal(out, first, length);
        assert_int_equal(sluice_codec_encode(SLUICE_ENCODING_BSLZ4, pixels, bytes, element_bytes,
                                             out + 1, length - 1, &again, &scratch),
                         SLUICE_LIMIT);
    }
    sluice_cpu_limit(SLUICE_CPU_AVX512);
    sluice_codec_scratch_close(&scratch);
}

/* The size that liblz4 gives. */
static size_t stock_length(const uint8_t *pixels, size_t bytes, size_t element_bytes)
{
    static uint8_t planes[BLOCK];
    static char out[LZ4_COMPRESSBOUND(BLOCK)];

    sluice_bitshuffle(planes, pixels, bytes / element_bytes, element_bytes);
    return (size_t)LZ4_compress_default((const char *)planes, out, (int)bytes, sizeof out);
}

static void flat_masked_and_ramped_blocks_are_as_small_as_liblz4s(void **state)
{
    static uint8_t pixels[BLOCK], out[BLOCK * 2];

    (void)state;
    for (size_t element_bytes = 1; element_bytes <= 8; element_bytes *= 2) {
        for (int kind = 0; kind < 4; kind++) { /* zeros, sevens, all masked, a ramp */
            for (size_t i = 0; i < BLOCK / element_bytes; i++) {
                uint64_t pixel = kind == 0 ? 0 : kind == 1 ? 7 : kind == 2 ? UINT64_MAX : i;

                for (size_t byte = 0; byte < element_bytes; byte++)
                    pixels[i * element_bytes + byte] = (uint8_t)(pixel >> (8 * byte));
            }
            assert_true(sluice_lz4_encode_planes(out, pixels, BLOCK, element_bytes, &encoder) <=
                        stock_length(pixels, BLOCK, element_bytes));
        }
    }
}

/* Columns that repeat after 250 pixels, which comparisons do not find: 4 times liblz4's size and
 * more without the search. */
static void a_large_image_without_noise_is_nearly_as_small_as_liblz4s(void **state)
{
    enum { BLOCKS = 1024, WIDTH = 2048, PERIOD = 250 };
    const size_t bytes = (size_t)BLOCKS * BLOCK;
    struct sluice_codec_scratch scratch = {0};
    const size_t bound = sluice_codec_bound(SLUICE_ENCODING_BSLZ4, 1, bytes);
    uint8_t *pixels = malloc(bytes), *out = malloc(bound);

    (void)state;
    assert_non_null(pixels);
    assert_non_null(out);
    for (size_t element_bytes = 1; element_bytes <= 2; element_bytes *= 2) {
        size_t length = 0, again = 0, stock = 0;

        for (size_t i = 0; i < bytes; i++)
            pixels[i] = (uint8_t)(i % element_bytes == 0 ? i / element_bytes % WIDTH % PERIOD : 0);
        for (size_t i = 0; i < bytes; i += BLOCK)
            stock += stock_length(pixels + i, BLOCK, element_bytes);
        assert_int_equal(sluice_codec_encode(SLUICE_ENCODING_BSLZ4, pixels, bytes, element_bytes,
                                             out, bound, &length, &scratch),
                         SLUICE_OK);
        assert_true(length <= stock + stock / 50);
        /* the same once more: nothing is left of the first time */
        assert_int_equal(sluice_codec_encode(SLUICE_ENCODING_BSLZ4, pixels, bytes, element_bytes,
                                             out, bound, &again, &scratch),
                         SLUICE_OK);
        assert_int_equal(again, length);
    }
    sluice_codec_scratch_close(&scratch);
    free(pixels);
    free(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_of_any_pixels_is_lz4_and_the_same_at_every_level),
        cmocka_unit_test(an_image_of_any_size_is_lz4_and_stays_in_its_buffer),
        cmocka_unit_test(flat_masked_and_ramped_blocks_are_as_small_as_liblz4s),
        cmocka_unit_test(a_large_image_without_noise_is_nearly_as_small_as_liblz4s),
    };
    const char *given = getenv("SLUICE_TEST_SEED");
    int failed;

    seed = given ? strtoull(given, NULL, 0) | 1 : (uint64_t)time(NULL) * 2 + 1;
    printf("SLUICE_TEST_SEED=%llu\n", (unsigned long long)seed);
    fflush(stdout);
    input = guarded_make(IMAGE_MAX);
    output = guarded_make(2 * IMAGE_MAX);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    guarded_free(&input);
    guarded_free(&output);
    return failed;
}
