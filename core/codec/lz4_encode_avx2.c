/* SPDX-License-Identifier: Apache-2.0
 *
 * The two passes of lz4_encode.h with AVX2: 32 bytes at a time, two of them a word of bits. */
#include "core/codec/lz4_compared.h"
#include "core/codec/lz4_encode.h"

#if defined(SLUICE_CPU_X86)

#include <immintrin.h>

#define KERNEL static inline __attribute__((always_inline)) SLUICE_TARGET_AVX2

KERNEL __m256i load(const uint8_t *from)
{
    return _mm256_loadu_si256((const __m256i *)from);
}

/* All ones where an element is negative. */
KERNEL __m256i signs(__m256i x, size_t element_bytes)
{
    const __m256i zero = _mm256_setzero_si256();

    switch (element_bytes) {
    case 1:
        return _mm256_cmpgt_epi8(zero, x);
    case 2:
        return _mm256_srai_epi16(x, 15);
    case 4:
        return _mm256_srai_epi32(x, 31);
    default:
        return _mm256_cmpgt_epi64(zero, x);
    }
}

KERNEL uint64_t varying(const uint8_t *pixels, size_t bytes, size_t element_bytes)
{
    __m256i a = _mm256_setzero_si256(), b = a;
    uint64_t bits;

    for (size_t i = 0; i < bytes; i += 64) {
        __m256i x = load(pixels + i), y = load(pixels + i + 32);

        a = _mm256_or_si256(a, _mm256_xor_si256(x, signs(x, element_bytes)));
        b = _mm256_or_si256(b, _mm256_xor_si256(y, signs(y, element_bytes)));
    }
    a = _mm256_or_si256(a, b);
    bits = (uint64_t)_mm256_extract_epi64(a, 0) | (uint64_t)_mm256_extract_epi64(a, 1) |
           (uint64_t)_mm256_extract_epi64(a, 2) | (uint64_t)_mm256_extract_epi64(a, 3);
    if (element_bytes < 8)
        bits |= bits >> 32;
    if (element_bytes < 4)
        bits |= bits >> 16;
    if (element_bytes < 2)
        bits |= bits >> 8;
    return element_bytes < 8 ? bits & ((UINT64_C(1) << (8 * element_bytes)) - 1) : bits;
}

SLUICE_TARGET_AVX2 uint64_t sluice_lz4_varying_avx2(const uint8_t *pixels, size_t bytes,
                                                    size_t element_bytes)
{
    switch (element_bytes) {
    case 1:
        return varying(pixels, bytes, 1);
    case 2:
        return varying(pixels, bytes, 2);
    case 4:
        return varying(pixels, bytes, 4);
    default:
        return varying(pixels, bytes, 8);
    }
}

KERNEL uint64_t equal_64(const uint8_t *a, const uint8_t *b)
{
    __m256i low = _mm256_cmpeq_epi8(load(a), load(b));
    __m256i high = _mm256_cmpeq_epi8(load(a + 32), load(b + 32));

    return (uint32_t)_mm256_movemask_epi8(low) | (uint64_t)(uint32_t)_mm256_movemask_epi8(high)
                                                     << 32;
}

SLUICE_TARGET_AVX2 void sluice_lz4_compare_avx2(struct sluice_lz4_encoder *encoder, size_t bytes,
                                                size_t plane_bytes)
{
    struct sluice_lz4_runs *runs = &encoder->runs;
    const size_t words = (bytes + 63) / 64, first = plane_bytes / 64;

    for (size_t i = 0; i < words; i++) {
        const uint8_t *at = encoder->data + 64 * i;

        runs->same[i] = equal_64(at, at - 1);
        runs->above[i] = i >= first ? equal_64(at, at - plane_bytes) : 0;
    }
    sluice_lz4_trim(runs, bytes, plane_bytes);
    sluice_lz4_find_starts(runs, words);
}

SLUICE_TARGET_AVX2 size_t sluice_lz4_compared_avx2(uint8_t *out,
                                                   const struct sluice_lz4_encoder *encoder,
                                                   size_t active, size_t bytes, size_t plane_bytes)
{
    return put_sequences(out, encoder, active, bytes, plane_bytes);
}

#endif
