/* SPDX-License-Identifier: Apache-2.0
 *
 * The codec on honest data: the bit transpose against one that moves single bits, round trips of
 * all element sizes and odd lengths, the framing byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <xxhash.h>

#include "core/codec/checksum.h"
#include "core/codec/codec.h"
#include "core/cpu.h"

static const size_t element_sizes[] = {1, 2, 4, 8};
static const enum sluice_encoding encodings[] = {SLUICE_ENCODING_NONE, SLUICE_ENCODING_LZ4,
                                                 SLUICE_ENCODING_BSLZ4};

enum content { ZEROS, COUNTS, NOISE, CONTENT_COUNT };

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static void *allocate(size_t bytes)
{
    void *memory = malloc(bytes > 0 ? bytes : 1);

    assert_non_null(memory);
    return memory;
}

/* Pixels as detectors have them (small counts), or the extremes. */
static uint8_t *make_pixels(enum content content, size_t bytes, size_t element_bytes)
{
    uint8_t *pixels = allocate(bytes);
    uint64_t seed = 88172645463325252u + bytes;

    for (size_t i = 0; i < bytes; i++) {
        uint64_t random = next_random(&seed);

        pixels[i] = content == NOISE                              ? (uint8_t)random
                    : content == COUNTS && i % element_bytes == 0 ? (uint8_t)(random & 7)
                    : content == COUNTS && random % 512 == 0      ? 0xff
                                                                  : 0;
    }
    return pixels;
}

static void reference_shuffle(uint8_t *out, const uint8_t *in, size_t count, size_t element_bytes)
{
    memset(out, 0, count * element_bytes);
    for (size_t i = 0; i < count; i++) {
        for (size_t bit = 0; bit < 8 * element_bytes; bit++) {
            if (in[i * element_bytes + bit / 8] >> (bit % 8) & 1)
                out[bit * (count / 8) + i / 8] |= (uint8_t)(1u << (i % 8));
        }
    }
}

static void the_transpose_agrees_with_moving_single_bits(void **state)
{
    static const size_t sizes[] = {1, 2, 3, 4, 5, 8, 16};

    (void)state;
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        for (size_t count = 0; count <= 1024; count += count < 80 ? 8 : 472) {
            size_t bytes = count * sizes[s];
            uint8_t *in = make_pixels(NOISE, bytes, sizes[s]);
            uint8_t *out = allocate(bytes), *expected = allocate(bytes), *back = allocate(bytes);

            reference_shuffle(expected, in, count, sizes[s]);
            sluice_bitshuffle(out, in, count, sizes[s]);
            assert_memory_equal(out, expected, bytes);
            sluice_bitunshuffle(back, out, count, sizes[s]);
            assert_memory_equal(back, in, bytes);
            free(in);
            free(out);
            free(expected);
            free(back);
        }
    }
}

static void round_trip(enum sluice_encoding encoding, enum content content, size_t bytes,
                       size_t element_bytes, struct sluice_codec_scratch *scratch)
{
    uint8_t *pixels = make_pixels(content, bytes, element_bytes);
    size_t bound = sluice_codec_bound(encoding, element_bytes, bytes), encoded_bytes = 0;
    uint8_t *encoded = allocate(bound), *exact, *back = allocate(bytes);
    struct sluice_span payload;

    assert_int_equal(sluice_codec_encode(encoding, pixels, bytes, element_bytes, encoded, bound,
                                         &encoded_bytes, scratch),
                     SLUICE_OK);
    assert_true(encoded_bytes <= bound);
    exact = allocate(encoded_bytes); /* so that AddressSanitizer sees the payload's real end */
    memcpy(exact, encoded, encoded_bytes);
    payload = (struct sluice_span){exact, encoded_bytes};
    assert_int_equal(sluice_codec_check(encoding, payload, element_bytes, bytes), SLUICE_OK);
    memset(back, 0x5a, bytes);
    assert_int_equal(sluice_codec_decode(encoding, payload, element_bytes, back, bytes, scratch),
                     SLUICE_OK);
    assert_memory_equal(back, pixels, bytes);
    free(pixels);
    free(encoded);
    free(exact);
    free(back);
}

static void what_was_encoded_decodes_to_itself(void **state)
{
    /* around groups of 8, blocks of 8 KiB and blocks of 1 MiB */
    static const size_t counts[] = {0,    1,     7,         8,      9,      15,   64,
                                    1023, 1024,  1025,      1031,   4096,   8191, 8192,
                                    8193, 65543, 514 * 103, 262144, 1048583};
    struct sluice_codec_scratch scratch = {0};

    (void)state;
    for (size_t e = 0; e < sizeof encodings / sizeof encodings[0]; e++) {
        for (size_t s = 0; s < 4; s++) {
            for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
                for (int content = 0; content < CONTENT_COUNT; content++)
                    round_trip(encodings[e], (enum content)content, counts[c] * element_sizes[s],
                               element_sizes[s], &scratch);
            }
        }
    }
    sluice_codec_scratch_close(&scratch);
    assert_null(scratch.data);
    assert_int_equal(scratch.bytes, 0);
}

static void counts_of_a_detector_shrink(void **state)
{
    const size_t bytes = 514 * 1030 * 2;
    uint8_t *pixels = make_pixels(COUNTS, bytes, 2);
    size_t bound = sluice_codec_bound(SLUICE_ENCODING_BSLZ4, 2, bytes), bslz4 = 0;
    uint8_t *out = allocate(bound);
    struct sluice_codec_scratch scratch = {0};

    (void)state;
    assert_int_equal(
        sluice_codec_encode(SLUICE_ENCODING_BSLZ4, pixels, bytes, 2, out, bound, &bslz4, &scratch),
        SLUICE_OK);
    assert_true(bslz4 < bytes / 3); /* 3 of 16 bits are noise */
    sluice_codec_scratch_close(&scratch);
    free(pixels);
    free(out);
}

static void the_header_is_that_of_the_hdf5_filters(void **state)
{
    static const uint8_t bslz4_header[] = {0, 0, 0, 0, 0, 0, 0x40, 6, 0, 0, 0x20, 0};
    static const uint8_t lz4_header[] = {0, 0, 0, 0, 0, 0, 0x40, 6, 0, 0x10, 0, 0};
    const size_t bytes = 0x4006; /* two blocks of 8 KiB, then 3 elements of 2 bytes */
    uint8_t *pixels = make_pixels(NOISE, bytes, 2);
    size_t bound = sluice_codec_bound(SLUICE_ENCODING_BSLZ4, 2, bytes), encoded = 0;
    uint8_t *out = allocate(bound);
    struct sluice_codec_scratch scratch = {0};

    (void)state;
    assert_int_equal(sluice_codec_encode(SLUICE_ENCODING_BSLZ4, pixels, bytes, 2, out, bound,
                                         &encoded, &scratch),
                     SLUICE_OK);
    assert_memory_equal(out, bslz4_header, 12);
    assert_memory_equal(out + encoded - 6, pixels + 0x4000, 6); /* the rest, as it is */

    assert_int_equal(
        sluice_codec_encode(SLUICE_ENCODING_LZ4, pixels, bytes, 2, out, bound, &encoded, &scratch),
        SLUICE_OK);
    assert_memory_equal(out, lz4_header, 12);
    assert_int_equal(encoded, 16 + bytes); /* noise does not shrink: one raw block */
    assert_memory_equal(out + 12, "\0\0\x40\x06", 4);
    assert_memory_equal(out + 16, pixels, bytes);
    sluice_codec_scratch_close(&scratch);
    free(pixels);
    free(out);
}

static void any_block_size_of_whole_groups_decodes(void **state)
{
    /* 48 elements of 2 bytes in blocks of 16 elements: each a run that LZ4 stores as literals */
    uint8_t pixels[96], planes[32], payload[12 + 3 * (4 + 34)], back[96];
    struct sluice_codec_scratch scratch = {0};

    (void)state;
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)(i * 37);
    memcpy(payload, "\0\0\0\0\0\0\0\x60\0\0\0\x20", 12);
    for (size_t block = 0; block < 3; block++) {
        uint8_t *at = payload + 12 + block * 38;

        sluice_bitshuffle(planes, pixels + block * 32, 16, 2);
        memcpy(at, "\0\0\0\x22\xf0\x11", 6); /* 34 bytes; 15 + 17 literals */
        memcpy(at + 6, planes, 32);
    }
    assert_int_equal(sluice_codec_decode(SLUICE_ENCODING_BSLZ4,
                                         (struct sluice_span){payload, sizeof payload}, 2, back,
                                         sizeof back, &scratch),
                     SLUICE_OK);
    assert_memory_equal(back, pixels, sizeof pixels);
    sluice_codec_scratch_close(&scratch);
}

static void too_small_a_buffer_is_a_limit_and_never_overrun(void **state)
{
    (void)state;
    for (size_t e = 0; e < sizeof encodings / sizeof encodings[0]; e++) {
        const size_t bytes = 8192 + 512 + 6;
        uint8_t *pixels = make_pixels(COUNTS, bytes, 2);
        size_t bound = sluice_codec_bound(encodings[e], 2, bytes), whole = 0, encoded = 0;
        uint8_t *out = allocate(bound);
        struct sluice_codec_scratch scratch = {0};

        assert_int_equal(
            sluice_codec_encode(encodings[e], pixels, bytes, 2, out, bound, &whole, &scratch),
            SLUICE_OK);
        for (size_t capacity = 0; capacity < whole; capacity += capacity < 64 ? 1 : 97) {
            uint8_t *small = allocate(capacity);

            assert_int_equal(sluice_codec_encode(encodings[e], pixels, bytes, 2, small, capacity,
                                                 &encoded, &scratch),
                             SLUICE_LIMIT);
            assert_int_equal(encoded, 0);
            free(small);
        }
        sluice_codec_scratch_close(&scratch);
        free(pixels);
        free(out);
    }
}

static void the_bound_holds_for_impossible_sizes(void **state)
{
    (void)state;
    assert_int_equal(sluice_codec_bound(SLUICE_ENCODING_NONE, 2, 100), 100);
    assert_int_equal(sluice_codec_bound(SLUICE_ENCODING_LZ4, 1, SIZE_MAX), SIZE_MAX);
    assert_int_equal(sluice_codec_bound(SLUICE_ENCODING_BSLZ4, 1, SIZE_MAX - 7), SIZE_MAX);
}

static void an_element_size_nobody_has_is_refused(void **state)
{
    uint8_t bytes[24] = {0}, out[256];
    size_t encoded;
    struct sluice_codec_scratch scratch = {0};

    (void)state;
    assert_int_equal(sluice_codec_encode(SLUICE_ENCODING_BSLZ4, bytes, 24, 3, out, sizeof out,
                                         &encoded, &scratch),
                     SLUICE_MISMATCH);
    assert_int_equal(sluice_codec_encode(SLUICE_ENCODING_BSLZ4, bytes, 23, 2, out, sizeof out,
                                         &encoded, &scratch),
                     SLUICE_MISMATCH);
    assert_null(scratch.data);
}

static void the_checksum_is_xxh3(void **state)
{
    (void)state;
    assert_int_equal(sluice_checksum((struct sluice_span){NULL, 0}),
                     UINT64_C(0x2d06800538d394c2)); /* published test vector, seed 0 */
    assert_int_not_equal(sluice_checksum((struct sluice_span){(const uint8_t *)"a", 1}),
                         sluice_checksum((struct sluice_span){(const uint8_t *)"b", 1}));
}

#if SLUICE_XXHASH_DISPATCHES
static unsigned chosen_by_the_library;

XXH64_hash_t __real_XXH3_64bits_dispatch(const void *data, size_t bytes);
XXH64_hash_t __wrap_XXH3_64bits_dispatch(const void *data, size_t bytes);
XXH64_hash_t __wrap_XXH3_64bits_dispatch(const void *data, size_t bytes)
{
    chosen_by_the_library++;
    return __real_XXH3_64bits_dispatch(data, bytes);
}

static void the_library_chooses_only_where_nothing_is_forbidden(void **state)
{
    (void)state;
    const bool has_avx512 = __builtin_cpu_supports("avx512f"),
               has_avx2 = __builtin_cpu_supports("avx2"),
               expected[] = {!has_avx2 && !has_avx512, !has_avx512, true};
    if (getenv("SLUICE_INSTRUCTIONS") != NULL)
        skip();
    for (int limit = 0; limit < SLUICE_CPU_LEVEL_COUNT; limit++) {
        sluice_cpu_limit((enum sluice_cpu_level)limit);
        chosen_by_the_library = 0;
        sluice_checksum((struct sluice_span){(const uint8_t *)"abc", 3});
        assert_int_equal(chosen_by_the_library, expected[limit]);
    }
}
#else
static void the_library_chooses_only_where_nothing_is_forbidden(void **state)
{
    (void)state;
    skip(); /* it has no kernels to choose from */
}
#endif

/* Lengths around those where XXH3 goes another way (16, 128, 240, 1024 and multiples of it). */
static void the_checksum_is_the_same_with_all_instructions(void **state)
{
    (void)state;
    static const size_t steps[] = {1, 1, 7, 61, 509, 4093};
    const size_t most = 40000;
    uint64_t seed = 88172645463325252u;
    uint8_t *bytes = allocate(most + 64);
    for (size_t i = 0; i < most + 64; i++)
        bytes[i] = (uint8_t)next_random(&seed);
    for (size_t length = 0, i = 0; length <= most; length += steps[length < 1100 ? 0 : i++ % 6]) {
        const struct sluice_span span = {bytes + length % 64, length};
        sluice_cpu_limit(SLUICE_CPU_SCALAR);
        const uint64_t plain = sluice_checksum(span);
        sluice_cpu_limit(SLUICE_CPU_AVX512);
        assert_int_equal(sluice_checksum(span), plain);
        const size_t first = next_random(&seed) % (length + 1);
        const struct sluice_span begin = {span.data, first},
                                 rest = {span.data + first, length - first};
        assert_int_equal(sluice_checksum_joined(begin, rest), plain);
        sluice_cpu_limit(SLUICE_CPU_SCALAR);
        assert_int_equal(sluice_checksum_joined(begin, rest), plain);
    }
    sluice_cpu_limit(SLUICE_CPU_AVX512);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_transpose_agrees_with_moving_single_bits),
        cmocka_unit_test(what_was_encoded_decodes_to_itself),
        cmocka_unit_test(counts_of_a_detector_shrink),
        cmocka_unit_test(the_header_is_that_of_the_hdf5_filters),
        cmocka_unit_test(any_block_size_of_whole_groups_decodes),
        cmocka_unit_test(too_small_a_buffer_is_a_limit_and_never_overrun),
        cmocka_unit_test(the_bound_holds_for_impossible_sizes),
        cmocka_unit_test(an_element_size_nobody_has_is_refused),
        cmocka_unit_test(the_checksum_is_xxh3),
        cmocka_unit_test(the_library_chooses_only_where_nothing_is_forbidden),
        cmocka_unit_test(the_checksum_is_the_same_with_all_instructions),
    };

    return cmocka_run_group_tests_name("core: codec", tests, NULL, NULL);
}
