/* SPDX-License-Identifier: Apache-2.0
 *
 * The bit transpose with AVX2: 256 elements at a time, so that a plane is one register.
 *
 * Design: number an element of the group by its bits e7..e0. The bits of 8 registers can be
 * transposed against each other with shifts (planes()) once register e2 e1 e0 holds the elements
 * with these low bits, at the byte e7..e3. So the bytes of elements have to be brought from their
 * order in memory to that one. e7 is the upper half of a register from the start, by loading 16
 * bytes from each half of the group; the rest is one byte shuffle within halves, and unpacking of
 * two registers, which swaps one bit of the byte's number with one of the register's:
 *
 *   shuffle     registers e6 e5 e4   bytes e7 | e2 e1 e0 e3
 *   3 unpacks   registers e2 e1 e0   bytes e7 | e6 e5 e4 e3
 *
 * Elements of 2 and 4 bytes are split by the same shuffle and one or two more unpacks. The way back
 * is the reverse. Elements of 8 bytes are left to the plain kernel. Invariant: only whole groups
 * are touched. */
#include "core/codec/transpose.h"

#if defined(SLUICE_CPU_X86)

#include <immintrin.h>

#define GROUP  256 /* elements */
#define KERNEL static inline __attribute__((always_inline)) SLUICE_TARGET_AVX2

/* 16 bytes of the lower half of a group, 16 of the upper. */
KERNEL __m256i load_halves(const uint8_t *low, const uint8_t *high)
{
    return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)low)),
                                   _mm_loadu_si128((const __m128i *)high), 1);
}

KERNEL void store_halves(uint8_t *low, uint8_t *high, __m256i value)
{
    _mm_storeu_si128((__m128i *)low, _mm256_castsi256_si128(value));
    _mm_storeu_si128((__m128i *)high, _mm256_extracti128_si256(value, 1));
}

/* Swaps the bits of `a` that are in mask << shift with those of `b` that are in mask. */
KERNEL void swap_bits(__m256i *a, __m256i *b, int shift, int mask)
{
    __m256i t = _mm256_and_si256(_mm256_xor_si256(_mm256_srli_epi16(*a, shift), *b),
                                 _mm256_set1_epi8((char)mask));

    *b = _mm256_xor_si256(*b, t);
    *a = _mm256_xor_si256(*a, _mm256_slli_epi16(t, shift));
}

/* Transposes bit i of register j with bit j of register i, in every byte. */
KERNEL void transpose_bits(__m256i bytes[8])
{
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        swap_bits(&bytes[i], &bytes[i + 4], 4, 0x0f);
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        swap_bits(&bytes[i + (i & 2)], &bytes[i + (i & 2) + 2], 2, 0x33);
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        swap_bits(&bytes[2 * i], &bytes[2 * i + 1], 1, 0x55);
}

/* From bytes e7 | e2 e1 e0 e3 of registers e6 e5 e4 to 8 planes. Each round takes in the highest
 * bit of the register's number and gives out the highest of the byte's. */
KERNEL void planes(uint8_t *to, size_t stride, __m256i bytes[8])
{
#pragma GCC unroll 3
    for (int round = 0; round < 3; round++) {
        __m256i next[8];

#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) {
            next[2 * i] = _mm256_unpacklo_epi16(bytes[i], bytes[i + 4]);
            next[2 * i + 1] = _mm256_unpackhi_epi16(bytes[i], bytes[i + 4]);
        }
#pragma GCC unroll 8
        for (int i = 0; i < 8; i++)
            bytes[i] = next[i];
    }
    transpose_bits(bytes);
#pragma GCC unroll 8
    for (size_t i = 0; i < 8; i++)
        _mm256_storeu_si256((__m256i *)(to + i * stride), bytes[i]);
}

/* From 8 planes to bytes e7 | e3 e2 e1 e0 of registers e6 e5 e4. */
KERNEL void unplanes(__m256i bytes[8], const uint8_t *from, size_t stride)
{
#pragma GCC unroll 8
    for (size_t i = 0; i < 8; i++)
        bytes[i] = _mm256_loadu_si256((const __m256i *)(from + i * stride));
    transpose_bits(bytes);
#pragma GCC unroll 3
    for (int round = 0; round < 3; round++) {
        __m256i next[8];

#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) {
            next[2 * i] = _mm256_unpacklo_epi8(bytes[i], bytes[i + 4]);
            next[2 * i + 1] = _mm256_unpackhi_epi8(bytes[i], bytes[i + 4]);
        }
#pragma GCC unroll 8
        for (int i = 0; i < 8; i++)
            bytes[i] = next[i];
    }
}

/* One byte, number `byte`, of 16 elements in each half: elements 16 k of both halves of a group.
 * Byte i of a half is element e2 e1 e0 e3 = i then. */
KERNEL __m256i collect_1(const uint8_t *low, const uint8_t *high)
{
    const __m256i order = _mm256_setr_epi8(0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15, 0,
                                           8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15);

    return _mm256_shuffle_epi8(load_halves(low, high), order);
}

/* Both bytes: 8 elements are e2 e1 e0 here, and the other register's have another e3. */
KERNEL void collect_2(__m256i *byte_0, __m256i *byte_1, const uint8_t *low, const uint8_t *high)
{
    __m256i a = load_halves(low, high), b = load_halves(low + 16, high + 16);
    const __m256i order = _mm256_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15, 0,
                                           2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15);

    a = _mm256_shuffle_epi8(a, order);
    b = _mm256_shuffle_epi8(b, order);
    *byte_0 = _mm256_unpacklo_epi8(a, b);
    *byte_1 = _mm256_unpackhi_epi8(a, b);
}

/* Two bytes of four: each register has 4 elements e1 e0, its number is e3 e2. */
KERNEL void collect_4(__m256i *byte_0, __m256i *byte_1, const uint8_t *low, const uint8_t *high,
                      int upper)
{
    const __m256i order = _mm256_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15, 0,
                                           4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    __m256i part[4], a, b;

#pragma GCC unroll 4
    for (int i = 0; i < 4; i++)
        part[i] = _mm256_shuffle_epi8(load_halves(low + 16 * i, high + 16 * i), order);
    /* e3 into the lowest bit of a byte's number: byte 0, then byte 1, of 4 x 2 elements */
    a = upper ? _mm256_unpackhi_epi8(part[0], part[2]) : _mm256_unpacklo_epi8(part[0], part[2]);
    b = upper ? _mm256_unpackhi_epi8(part[1], part[3]) : _mm256_unpacklo_epi8(part[1], part[3]);
    /* e2 into the highest */
    *byte_0 = _mm256_unpacklo_epi64(a, b);
    *byte_1 = _mm256_unpackhi_epi64(a, b);
}

KERNEL void transpose_group(uint8_t *to, size_t stride, const uint8_t *from, size_t element_bytes,
                            size_t low_bytes)
{
    const uint8_t *middle = from + GROUP / 2 * element_bytes;
    __m256i low[8], high[8];

    for (size_t byte = 0; byte < low_bytes; byte += 2) {
#pragma GCC unroll 8
        for (size_t k = 0; k < 8; k++) {
            size_t at = 16 * k * element_bytes;

            if (element_bytes == 1)
                low[k] = collect_1(from + at, middle + at);
            else if (element_bytes == 2)
                collect_2(&low[k], &high[k], from + at, middle + at);
            else
                collect_4(&low[k], &high[k], from + at, middle + at, byte > 0);
        }
        planes(to + 8 * byte * stride, stride, low);
        if (byte + 1 < low_bytes)
            planes(to + 8 * (byte + 1) * stride, stride, high);
    }
}

SLUICE_TARGET_AVX2 size_t sluice_transpose_avx2(uint8_t *out, const uint8_t *in, size_t count,
                                                size_t element_bytes, size_t low_bytes)
{
    const size_t stride = count / 8;

    if (element_bytes != 1 && element_bytes != 2 && element_bytes != 4)
        return 0;
    for (size_t i = 0; i + GROUP <= count; i += GROUP) {
        if (element_bytes == 1)
            transpose_group(out + i / 8, stride, in + i, 1, 1);
        else if (element_bytes == 2)
            transpose_group(out + i / 8, stride, in + 2 * i, 2, low_bytes);
        else
            transpose_group(out + i / 8, stride, in + 4 * i, 4, low_bytes);
    }
    return count - count % GROUP;
}

KERNEL void untranspose_group(uint8_t *to, const uint8_t *from, size_t stride, size_t element_bytes)
{
    uint8_t *middle = to + GROUP / 2 * element_bytes;
    __m256i bytes[4][8];

#pragma GCC unroll 4
    for (size_t byte = 0; byte < element_bytes; byte++)
        unplanes(bytes[byte], from + 8 * byte * stride, stride);
#pragma GCC unroll 8
    for (size_t k = 0; k < 8; k++) {
        size_t at = 16 * k * element_bytes;

        if (element_bytes == 1) {
            store_halves(to + at, middle + at, bytes[0][k]);
            continue;
        }
#pragma GCC unroll 2
        for (int half = 0; half < 2; half++) { /* 8 elements each */
            __m256i low = half ? _mm256_unpackhi_epi8(bytes[0][k], bytes[1][k])
                               : _mm256_unpacklo_epi8(bytes[0][k], bytes[1][k]);
            __m256i high;

            if (element_bytes == 2) {
                store_halves(to + at, middle + at, low);
                at += 16;
                continue;
            }
            high = half ? _mm256_unpackhi_epi8(bytes[2][k], bytes[3][k])
                        : _mm256_unpacklo_epi8(bytes[2][k], bytes[3][k]);
            store_halves(to + at, middle + at, _mm256_unpacklo_epi16(low, high));
            store_halves(to + at + 16, middle + at + 16, _mm256_unpackhi_epi16(low, high));
            at += 32;
        }
    }
}

SLUICE_TARGET_AVX2 size_t sluice_untranspose_avx2(uint8_t *out, const uint8_t *in, size_t count,
                                                  size_t element_bytes)
{
    const size_t stride = count / 8;

    if (element_bytes != 1 && element_bytes != 2 && element_bytes != 4)
        return 0;
    for (size_t i = 0; i + GROUP <= count; i += GROUP) {
        if (element_bytes == 1)
            untranspose_group(out + i, in + i / 8, stride, 1);
        else if (element_bytes == 2)
            untranspose_group(out + 2 * i, in + i / 8, stride, 2);
        else
            untranspose_group(out + 4 * i, in + i / 8, stride, 4);
    }
    return count - count % GROUP;
}

#endif
