/* SPDX-License-Identifier: Apache-2.0
 *
 * The walk over bit planes: for element sizes, block sizes and kinds of counts, at each level of
 * instructions, blocks come in order and whole, planes that are not significant equal the last that
 * is, and pixels made of them are those that were encoded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <lz4.h>

#include "core/codec/planes.h"
#include "core/cpu.h"

#define BYTES_MAX (5 * 65536)

static uint8_t pixels[BYTES_MAX], payload[2 * BYTES_MAX], found[BYTES_MAX], planes[BYTES_MAX];

static void put_be(uint8_t *to, uint64_t value, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--, value >>= 8)
        to[i] = (uint8_t)value;
}

/* As the stock filter does, with any block size. */
static size_t encode(size_t pixel_bytes, size_t element_bytes, size_t block_bytes)
{
    size_t tail = pixel_bytes % (8 * element_bytes), at = 0, out = 12;

    put_be(payload, pixel_bytes, 8);
    put_be(payload + 8, block_bytes, 4);
    while (at < pixel_bytes - tail) {
        size_t left = pixel_bytes - tail - at, bytes = left < block_bytes ? left : block_bytes;

        sluice_bitshuffle(planes, pixels + at, bytes / element_bytes, element_bytes);
        int length = LZ4_compress_default((const char *)planes, (char *)payload + out + 4,
                                          (int)bytes, (int)(sizeof payload - out - 4));
        assert_true(length > 0);
        put_be(payload + out, (uint64_t)length, 4);
        out += 4 + (size_t)length;
        at += bytes;
    }
    memcpy(payload + out, pixels + at, tail);
    return out + tail;
}

/* kind 0: zeros; 1: small counts; 2: small counts, a few large; 3: masked ones; 4: noise. */
static void make_pixels(size_t count, size_t element_bytes, int kind)
{
    uint64_t state = 88172645463325252u + (uint64_t)kind;

    for (size_t i = 0; i < count; i++) {
        uint64_t value = 0;

        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        if (kind > 0)
            value = state & state >> 20 & 7;
        if (kind == 2 && state % 97 == 0)
            value = state >> 20;
        if (kind == 3 && i % 200 < 30)
            value = UINT64_MAX;
        if (kind == 4)
            value = state;
        for (size_t b = 0; b < element_bytes; b++)
            pixels[i * element_bytes + b] = (uint8_t)(value >> (8 * b));
    }
}

static unsigned bit_of(const uint8_t *plane, size_t i)
{
    return plane[i / 8] >> (i % 8) & 1;
}

static void check_planes(const struct sluice_planes_block *block)
{
    const uint8_t *from = pixels + block->first * block->element_bytes;
    unsigned last = block->significant - 1;

    assert_in_range(block->significant, 1, 8 * block->element_bytes);
    assert_int_equal(block->plane_bytes, block->count / 8);
    for (size_t i = 0; i < block->count; i += 1 + block->count / 97) {
        for (unsigned b = 0; b < 8 * block->element_bytes; b++) {
            const uint8_t *plane = block->planes + (b < last ? b : last) * block->plane_bytes;

            assert_int_equal(bit_of(plane, i),
                             from[i * block->element_bytes + b / 8] >> (b % 8) & 1);
        }
    }
}

/* Walks over the payload; the number of blocks with planes left away. */
static size_t walk_over(size_t bytes, size_t element_bytes, size_t pixel_bytes,
                        struct sluice_codec_scratch *scratch)
{
    struct sluice_planes walk;
    struct sluice_planes_block block;
    enum sluice_status status;
    size_t next = 0, left_away = 0;

    memset(found, 0xee, pixel_bytes);
    status = sluice_planes_open(&walk, (struct sluice_span){payload, bytes}, element_bytes,
                                pixel_bytes, scratch);
    while (status == SLUICE_OK && (status = sluice_planes_next(&walk, &block)) == SLUICE_OK) {
        assert_int_equal(block.first, next);
        assert_int_equal(block.element_bytes, element_bytes);
        next += block.count;
        if (block.planes != NULL)
            check_planes(&block);
        left_away += block.significant > 0 && block.significant < 8 * element_bytes;
        sluice_planes_pixels(&block, found + block.first * element_bytes);
    }
    assert_int_equal(status, SLUICE_END);
    assert_int_equal(next * element_bytes, pixel_bytes);
    assert_memory_equal(found, pixels, pixel_bytes);
    assert_int_equal(sluice_codec_decode(SLUICE_ENCODING_BSLZ4,
                                         (struct sluice_span){payload, bytes}, element_bytes, found,
                                         pixel_bytes, scratch),
                     SLUICE_OK);
    assert_memory_equal(found, pixels, pixel_bytes);
    return left_away;
}

static void planes_and_pixels_are_those_that_were_encoded(void **state)
{
    static const size_t counts[] = {0, 5, 8, 4096, 3 * 4096 + 512 + 24 + 3, 20000};
    static const size_t blocks[] = {8, 64, 512, 520, 1024, 4096, 16384}; /* elements */
    struct sluice_codec_scratch scratch = {0};
    size_t left_away = 0;

    (void)state;
    for (int level = SLUICE_CPU_SCALAR; level < SLUICE_CPU_LEVEL_COUNT; level++) {
        if (sluice_cpu_limit((enum sluice_cpu_level)level) != (enum sluice_cpu_level)level)
            continue; /* this machine has it not */
        for (size_t size = 1; size <= 8; size *= 2) {
            for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
                size_t b = (c + size + (size_t)level) % 7;
                for (int kind = 0; kind < 5; kind++, b = (b + 3) % 7) {
                    make_pixels(counts[c], size, kind);
                    size_t bytes = encode(counts[c] * size, size, blocks[b] * size);
                    left_away += walk_over(bytes, size, counts[c] * size, &scratch);
                }
            }
        }
    }
    assert_true(left_away > 20);
    sluice_cpu_limit(SLUICE_CPU_AVX512);
    sluice_codec_scratch_close(&scratch);
}

static void a_spoilt_block_ends_the_walk(void **state)
{
    struct sluice_codec_scratch scratch = {0};
    struct sluice_planes walk;
    struct sluice_planes_block block;

    (void)state;
    make_pixels(8192, 2, 1);
    size_t bytes = encode(16384, 2, 8192);
    size_t second = 16 + ((size_t)payload[14] << 8 | payload[15]);
    memset(payload + second + 4, 0xff, 40);
    assert_int_equal(
        sluice_planes_open(&walk, (struct sluice_span){payload, bytes}, 2, 16384, &scratch),
        SLUICE_OK);
    assert_int_equal(sluice_planes_next(&walk, &block), SLUICE_OK);
    assert_int_equal(sluice_planes_next(&walk, &block), SLUICE_MALFORMED);
    assert_int_equal(
        sluice_planes_open(&walk, (struct sluice_span){payload, bytes}, 2, 16386, &scratch),
        SLUICE_MISMATCH);
    sluice_codec_scratch_close(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(planes_and_pixels_are_those_that_were_encoded),
        cmocka_unit_test(a_spoilt_block_ends_the_walk),
    };

    return cmocka_run_group_tests_name("core: bit planes", tests, NULL, NULL);
}
