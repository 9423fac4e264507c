/* SPDX-License-Identifier: Apache-2.0
 *
 * Design: one pass of 512 elements at a time, with AVX-512. One byte's eight planes become 64-byte
 * registers of that byte (transpose_avx512.h); a plane that is not there is the last significant
 * one, loaded once more. Elements of a byte are then widened by their sign, pairs of bytes are
 * interleaved first. The other levels have no quick way: there the repeated planes are written. */
#include "core/codec/untranspose_low.h"

#include "core/codec/transpose_avx512.h"

#if defined(SLUICE_CPU_X86)

/* Where the planes of a group are. */
struct group {
    const uint8_t *planes;
    size_t stride;
    unsigned last; /* the last significant plane */
};

KERNEL void byte_of(__m512i bytes[8], const struct group *group, unsigned byte,
                    const uint8_t *order_a, const uint8_t *order_b)
{
    __m512i plane[8];

#pragma GCC unroll 8
    for (unsigned i = 0; i < 8; i++) {
        unsigned number = 8 * byte + i < group->last ? 8 * byte + i : group->last;

        plane[i] = load(group->planes + number * group->stride);
    }
    unplanes_of(bytes, plane, order_a, order_b);
}

KERNEL void byte_to_1(uint8_t *to, const struct group *group)
{
    __m512i bytes[8];

    byte_of(bytes, group, 0, first, second);
#pragma GCC unroll 8
    for (int k = 0; k < 8; k++)
        store(to + 64 * k, bytes[k]);
}

KERNEL void byte_to_2(uint8_t *to, const struct group *group)
{
    __m512i bytes[8];

    byte_of(bytes, group, 0, first, second);
#pragma GCC unroll 8
    for (int k = 0; k < 8; k++) {
        store(to + 128 * k, _mm512_cvtepi8_epi16(_mm512_castsi512_si256(bytes[k])));
        store(to + 128 * k + 64, _mm512_cvtepi8_epi16(_mm512_extracti64x4_epi64(bytes[k], 1)));
    }
}

KERNEL void byte_to_4(uint8_t *to, const struct group *group)
{
    __m512i bytes[8];

    byte_of(bytes, group, 0, first, second);
#pragma GCC unroll 8
    for (int k = 0; k < 8; k++) {
        uint8_t *at = to + 256 * k;

        store(at, _mm512_cvtepi8_epi32(_mm512_castsi512_si128(bytes[k])));
        store(at + 64, _mm512_cvtepi8_epi32(_mm512_extracti32x4_epi32(bytes[k], 1)));
        store(at + 128, _mm512_cvtepi8_epi32(_mm512_extracti32x4_epi32(bytes[k], 2)));
        store(at + 192, _mm512_cvtepi8_epi32(_mm512_extracti32x4_epi32(bytes[k], 3)));
    }
}

KERNEL void pair_to(uint8_t *to, const struct group *group, size_t element_bytes)
{
    __m512i low[8], high[8];

    byte_of(low, group, 0, first_paired, second_paired);
    byte_of(high, group, 1, first_paired, second_paired);
#pragma GCC unroll 8
    for (int k = 0; k < 8; k++) {
        uint8_t *at = to + 64 * (size_t)k * element_bytes;
        __m512i a = _mm512_unpacklo_epi8(low[k], high[k]);
        __m512i b = _mm512_unpackhi_epi8(low[k], high[k]);

        if (element_bytes == 2) {
            store(at, a);
            store(at + 64, b);
        } else {
            store(at, _mm512_cvtepi16_epi32(_mm512_castsi512_si256(a)));
            store(at + 64, _mm512_cvtepi16_epi32(_mm512_extracti64x4_epi64(a, 1)));
            store(at + 128, _mm512_cvtepi16_epi32(_mm512_castsi512_si256(b)));
            store(at + 192, _mm512_cvtepi16_epi32(_mm512_extracti64x4_epi64(b, 1)));
        }
    }
}

SLUICE_TARGET_AVX512 static void untranspose_avx512(uint8_t *out, const uint8_t *planes,
                                                    size_t count, size_t element_bytes,
                                                    unsigned significant)
{
    struct group group = {planes, count / 8, significant - 1};

    for (size_t i = 0; i < count; i += GROUP, group.planes += GROUP / 8) {
        uint8_t *to = out + i * element_bytes;

        if (element_bytes == 1)
            byte_to_1(to, &group);
        else if (significant <= 8 && element_bytes == 2)
            byte_to_2(to, &group);
        else if (significant <= 8)
            byte_to_4(to, &group);
        else if (element_bytes == 2)
            pair_to(to, &group, 2);
        else
            pair_to(to, &group, 4);
    }
}

bool sluice_untranspose_low(void *out, const uint8_t *planes, size_t count, size_t element_bytes,
                            unsigned significant)
{
    if (sluice_cpu_level() != SLUICE_CPU_AVX512 || count % GROUP != 0 || significant > 16 ||
        element_bytes > 4)
        return false;
    untranspose_avx512(out, planes, count, element_bytes, significant);
    return true;
}

#else

bool sluice_untranspose_low(void *out, const uint8_t *planes, size_t count, size_t element_bytes,
                            unsigned significant)
{
    (void)out, (void)planes, (void)count, (void)element_bytes, (void)significant;
    return false;
}

#endif
