/* SPDX-License-Identifier: Apache-2.0
 *
 * The two passes of lz4_encode.h with AVX-512: a comparison of 64 bytes is a word of bits, and
 * where stretches begin is found for 8 words at a time. */
#include "core/codec/lz4_compared.h"
#include "core/codec/lz4_encode.h"

#if defined(SLUICE_CPU_X86)

#include <immintrin.h>

#define KERNEL static inline __attribute__((always_inline)) SLUICE_TARGET_AVX512

/* x, where an element is not negative; ~x, where it is. */
KERNEL __m512i without_sign(__m512i x, size_t element_bytes)
{
    switch (element_bytes) {
    case 1:
        return _mm512_min_epu8(x, _mm512_ternarylogic_epi64(x, x, x, 0x55));
    case 2:
        return _mm512_xor_si512(x, _mm512_srai_epi16(x, 15));
    case 4:
        return _mm512_xor_si512(x, _mm512_srai_epi32(x, 31));
    default:
        return _mm512_xor_si512(x, _mm512_srai_epi64(x, 63));
    }
}

KERNEL uint64_t varying(const uint8_t *pixels, size_t bytes, size_t element_bytes)
{
    __m512i a = _mm512_setzero_si512(), b = a;
    uint64_t bits;
    size_t i = 0;

    for (; i + 128 <= bytes; i += 128) {
        a = _mm512_or_si512(a, without_sign(_mm512_loadu_si512(pixels + i), element_bytes));
        b = _mm512_or_si512(b, without_sign(_mm512_loadu_si512(pixels + i + 64), element_bytes));
    }
    if (i < bytes)
        a = _mm512_or_si512(a, without_sign(_mm512_loadu_si512(pixels + i), element_bytes));
    bits = (uint64_t)_mm512_reduce_or_epi64(_mm512_or_si512(a, b));
    if (element_bytes < 8)
        bits |= bits >> 32;
    if (element_bytes < 4)
        bits |= bits >> 16;
    if (element_bytes < 2)
        bits |= bits >> 8;
    return element_bytes < 8 ? bits & ((UINT64_C(1) << (8 * element_bytes)) - 1) : bits;
}

SLUICE_TARGET_AVX512 uint64_t sluice_lz4_varying_avx512(const uint8_t *pixels, size_t bytes,
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

/* sluice_lz4_starts for 8 words. */
KERNEL __m512i starts(const uint64_t *same_at, const uint64_t *above_at)
{
    const __m512i same = _mm512_loadu_si512(same_at), next_same = _mm512_loadu_si512(same_at + 1);
    const __m512i pair = _mm512_and_si512(same, _mm512_shrdi_epi64(same, next_same, 1));
    const __m512i run = _mm512_and_si512(pair, _mm512_shrdi_epi64(same, next_same, 2));
    __m512i above = _mm512_loadu_si512(above_at), next = _mm512_loadu_si512(above_at + 1);

#define DOUBLED(bits)                                                                              \
    above = _mm512_and_si512(above, _mm512_shrdi_epi64(above, next, bits));                        \
    next = _mm512_and_si512(next, _mm512_srli_epi64(next, bits))
    DOUBLED(1);
    DOUBLED(2);
    DOUBLED(4);
    DOUBLED(8);
    DOUBLED(16);
#undef DOUBLED
    return _mm512_or_si512(run, above);
}

SLUICE_TARGET_AVX512 void sluice_lz4_compare_avx512(struct sluice_lz4_encoder *encoder,
                                                    size_t bytes, size_t plane_bytes)
{
    struct sluice_lz4_runs *runs = &encoder->runs;
    const size_t words = (bytes + 63) / 64, first = plane_bytes / 64;

    for (size_t i = 0; i < words; i++) {
        const uint8_t *at = encoder->data + 64 * i;
        __m512i data = _mm512_loadu_si512(at);

        runs->same[i] = _mm512_cmpeq_epi8_mask(data, _mm512_loadu_si512(at - 1));
        runs->above[i] =
            i >= first ? _mm512_cmpeq_epi8_mask(data, _mm512_loadu_si512(at - plane_bytes)) : 0;
    }
    sluice_lz4_trim(runs, bytes, plane_bytes);
    for (size_t i = 0; i < words; i += 8)
        _mm512_storeu_si512(runs->start + i, starts(runs->same + i, runs->above + i));
}

SLUICE_TARGET_AVX512 size_t sluice_lz4_compared_avx512(uint8_t *out,
                                                       const struct sluice_lz4_encoder *encoder,
                                                       size_t active, size_t bytes,
                                                       size_t plane_bytes)
{
    return put_sequences(out, encoder, active, bytes, plane_bytes);
}

#endif
