/* SPDX-License-Identifier: Apache-2.0
 *
 * The bit transpose with AVX-512 VBMI and GFNI: 512 elements at a time, so that a plane is one
 * register.
 *
 * Design, for one byte of each element (64 of them in each of 8 registers):
 *
 *   1. collect   that byte of 64 elements into one register, each 8 of them in reversed order, as
 *                step 2 wants them
 *   2. GFNI      gf2p8affineqb with the identity for its vector and our bytes for its matrix
 *                transposes 8 x 8 bits: byte b of a quadword is now bit b of 8 elements
 *   3. planes()  gathers byte b of all 64 quadwords: one byte permutation of each two registers
 *                makes 16-byte lanes of one plane, and 4 x 4 lanes are transposed twice
 *
 * The way back is the same in reverse. Two bytes of an element go together, since one pass over
 * the elements collects both. Invariant: only whole groups are touched. */
#include "core/codec/transpose_avx512.h"

#if defined(SLUICE_CPU_X86)

#define GROUP_PLANE 64 /* bytes of a plane in a group */

/* 1: byte 0 or 1 of 64 elements of 2 bytes, from two registers; for wider elements the pairs of
 * bytes are collected first, one after the other (BYTES_OF_4, BYTES_OF_8), and are in two halves or
 * four lanes then. ^ 7 reverses within 8 elements. */
#define REVERSED(i)   (uint8_t)((i) ^ 7)
#define EVEN(i)       (uint8_t)(2 * ((i) ^ 7))
#define ODD(i)        (uint8_t)(2 * ((i) ^ 7) + 1)
#define BYTES_OF_4(i) (uint8_t)(4 * (((i) % 32) ^ 7) + (i) / 32)
#define BYTES_OF_8(i) (uint8_t)(8 * (((i) % 16) ^ 7) + (i) / 16 % 2)
static table reversed = TABLE(REVERSED), even = TABLE(EVEN), odd = TABLE(ODD);
static table bytes_of_4 = TABLE(BYTES_OF_4), bytes_of_8 = TABLE(BYTES_OF_8);

/* 3: byte i of the result: lane i / 16 is the plane, then 8 quadwords of the first register and 8
 * of the second. */
#define PLANES_0_3(i) (uint8_t)((i) / 8 % 2 * 64 + (i) % 8 * 8 + (i) / 16)
#define PLANES_4_7(i) (uint8_t)(PLANES_0_3(i) + 4)
static table planes_0_3 = TABLE(PLANES_0_3), planes_4_7 = TABLE(PLANES_4_7);

/* Steps 2 and 3: 8 registers of bytes to one byte's planes, which are `stride` apart. */
KERNEL void planes(uint8_t *to, size_t stride, const __m512i bytes[8])
{
    const __m512i low = load(planes_0_3), high = load(planes_4_7);
    __m512i lanes[2][4], plane[4];

#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        __m512i a = transpose_bits(bytes[2 * i]), b = transpose_bits(bytes[2 * i + 1]);

        lanes[0][i] = _mm512_permutex2var_epi8(a, low, b);
        lanes[1][i] = _mm512_permutex2var_epi8(a, high, b);
    }
#pragma GCC unroll 2
    for (int half = 0; half < 2; half++) {
        transpose_lanes(plane, lanes[half]);
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++)
            store(to + (size_t)(4 * half + i) * stride, plane[i]);
    }
}

/* The way back to 8 registers of 64 bytes each, in the order of elements or PAIRED. */
KERNEL void unplanes(__m512i bytes[8], const uint8_t *from, size_t stride, const uint8_t *order_a,
                     const uint8_t *order_b)
{
    __m512i plane[8];

#pragma GCC unroll 8
    for (int i = 0; i < 8; i++)
        plane[i] = load(from + (size_t)i * stride);
    unplanes_of(bytes, plane, order_a, order_b);
}

/* Step 1: bytes 0 and 1 behind `from` of 64 elements. */
KERNEL void collect_2(__m512i *low, __m512i *high, const uint8_t *from)
{
    __m512i a = load(from), b = load(from + 64);

    *low = _mm512_permutex2var_epi8(a, load(even), b);
    *high = _mm512_permutex2var_epi8(a, load(odd), b);
}

KERNEL void collect_4(__m512i *low, __m512i *high, const uint8_t *from, size_t byte)
{
    const __m512i order = _mm512_add_epi8(load(bytes_of_4), _mm512_set1_epi8((char)byte));
    __m512i a = _mm512_permutex2var_epi8(load(from), order, load(from + 64));
    __m512i b = _mm512_permutex2var_epi8(load(from + 128), order, load(from + 192));

    *low = _mm512_shuffle_i32x4(a, b, LANES_LOW);
    *high = _mm512_shuffle_i32x4(a, b, LANES_HIGH);
}

KERNEL void collect_8(__m512i *low, __m512i *high, const uint8_t *from, size_t byte)
{
    const __m512i order = _mm512_add_epi8(load(bytes_of_8), _mm512_set1_epi8((char)byte));
    __m512i a = _mm512_permutex2var_epi8(load(from), order, load(from + 64));
    __m512i b = _mm512_permutex2var_epi8(load(from + 128), order, load(from + 192));
    __m512i c = _mm512_permutex2var_epi8(load(from + 256), order, load(from + 320));
    __m512i d = _mm512_permutex2var_epi8(load(from + 384), order, load(from + 448));
    __m512i ab = _mm512_shuffle_i32x4(a, b, LANES_LOW), cd = _mm512_shuffle_i32x4(c, d, LANES_LOW);

    *low = _mm512_shuffle_i32x4(ab, cd, LANES_EVEN);
    *high = _mm512_shuffle_i32x4(ab, cd, LANES_ODD);
}

/* One group's planes of two bytes, or of the first alone. */
KERNEL void transpose_pair(uint8_t *to, size_t stride, const uint8_t *from, size_t element_bytes,
                           size_t byte, int both)
{
    __m512i low[8], high[8];

#pragma GCC unroll 8
    for (size_t k = 0; k < 8; k++) {
        const uint8_t *elements = from + 64 * k * element_bytes;

        if (element_bytes == 2)
            collect_2(&low[k], &high[k], elements);
        else if (element_bytes == 4)
            collect_4(&low[k], &high[k], elements, byte);
        else
            collect_8(&low[k], &high[k], elements, byte);
    }
    planes(to + 8 * byte * stride, stride, low);
    if (both)
        planes(to + 8 * (byte + 1) * stride, stride, high);
}

KERNEL void transpose_wide(uint8_t *out, const uint8_t *in, size_t count, size_t element_bytes,
                           size_t low_bytes)
{
    const size_t stride = count / 8;

    for (size_t i = 0; i + GROUP <= count; i += GROUP) {
        const uint8_t *from = in + i * element_bytes;
        size_t byte = 0;

        for (; byte + 2 <= low_bytes; byte += 2)
            transpose_pair(out + i / 8, stride, from, element_bytes, byte, 1);
        if (byte < low_bytes)
            transpose_pair(out + i / 8, stride, from, element_bytes, byte, 0);
    }
}

SLUICE_TARGET_AVX512 size_t sluice_transpose_avx512(uint8_t *out, const uint8_t *in, size_t count,
                                                    size_t element_bytes, size_t low_bytes)
{
    switch (element_bytes) {
    case 1:
        for (size_t i = 0; i + GROUP <= count; i += GROUP) {
            __m512i bytes[8];

#pragma GCC unroll 8
            for (size_t k = 0; k < 8; k++)
                bytes[k] = _mm512_shuffle_epi8(load(in + i + 64 * k), load(reversed));
            planes(out + i / 8, count / 8, bytes);
        }
        break;
    case 2:
        transpose_wide(out, in, count, 2, low_bytes);
        break;
    case 4:
        transpose_wide(out, in, count, 4, low_bytes);
        break;
    case 8:
        transpose_wide(out, in, count, 8, low_bytes);
        break;
    default:
        return 0;
    }
    return count - count % GROUP;
}

KERNEL void untranspose_1(uint8_t *to, const uint8_t *from, size_t stride)
{
    __m512i bytes[8];

    unplanes(bytes, from, stride, first, second);
#pragma GCC unroll 8
    for (int k = 0; k < 8; k++)
        store(to + 64 * k, bytes[k]);
}

KERNEL void untranspose_2(uint8_t *to, const uint8_t *from, size_t stride)
{
    __m512i low[8], high[8];

    unplanes(low, from, stride, first_paired, second_paired);
    unplanes(high, from + 8 * stride, stride, first_paired, second_paired);
#pragma GCC unroll 8
    for (int k = 0; k < 8; k++) {
        store(to + 128 * k, _mm512_unpacklo_epi8(low[k], high[k]));
        store(to + 128 * k + 64, _mm512_unpackhi_epi8(low[k], high[k]));
    }
}

/* Four registers of one byte each, PAIRED, to 64 words of 4 bytes in `to`: lane j of to[2 i] has
 * the elements 0..3 of the 8 that are number j + 4 i, and to[2 i + 1] those after them. */
KERNEL void interleave_4(__m512i to[4], __m512i a, __m512i b, __m512i c, __m512i d)
{
    __m512i low = _mm512_unpacklo_epi8(a, b), high = _mm512_unpacklo_epi8(c, d);

    to[0] = _mm512_unpacklo_epi16(low, high);
    to[1] = _mm512_unpackhi_epi16(low, high);
    low = _mm512_unpackhi_epi8(a, b);
    high = _mm512_unpackhi_epi8(c, d);
    to[2] = _mm512_unpacklo_epi16(low, high);
    to[3] = _mm512_unpackhi_epi16(low, high);
}

KERNEL void untranspose_4(uint8_t *to, const uint8_t *from, size_t stride)
{
    const __m512i lanes_0_1 = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11);
    const __m512i lanes_2_3 = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
    __m512i bytes[4][8], words[4];

#pragma GCC unroll 4
    for (size_t byte = 0; byte < 4; byte++)
        unplanes(bytes[byte], from + 8 * byte * stride, stride, first_paired, second_paired);
#pragma GCC unroll 8
    for (int k = 0; k < 8; k++) {
        interleave_4(words, bytes[0][k], bytes[1][k], bytes[2][k], bytes[3][k]);
#pragma GCC unroll 2
        for (int i = 0; i < 2; i++) {
            uint8_t *half = to + 256 * k + 128 * i;

            store(half, _mm512_permutex2var_epi64(words[2 * i], lanes_0_1, words[2 * i + 1]));
            store(half + 64, _mm512_permutex2var_epi64(words[2 * i], lanes_2_3, words[2 * i + 1]));
        }
    }
}

KERNEL void untranspose_8(uint8_t *to, const uint8_t *from, size_t stride)
{
    __m512i bytes[8][8], low[4], high[4], pairs[4], elements[4];

    for (size_t byte = 0; byte < 8; byte++)
        unplanes(bytes[byte], from + 8 * byte * stride, stride, first_paired, second_paired);
    for (int k = 0; k < 8; k++) {
        interleave_4(low, bytes[0][k], bytes[1][k], bytes[2][k], bytes[3][k]);
        interleave_4(high, bytes[4][k], bytes[5][k], bytes[6][k], bytes[7][k]);
#pragma GCC unroll 2
        for (int half = 0; half < 2; half++) {
            pairs[0] = _mm512_unpacklo_epi32(low[2 * half], high[2 * half]);
            pairs[1] = _mm512_unpackhi_epi32(low[2 * half], high[2 * half]);
            pairs[2] = _mm512_unpacklo_epi32(low[2 * half + 1], high[2 * half + 1]);
            pairs[3] = _mm512_unpackhi_epi32(low[2 * half + 1], high[2 * half + 1]);
            transpose_lanes(elements, pairs);
#pragma GCC unroll 4
            for (int i = 0; i < 4; i++)
                store(to + 512 * k + 256 * half + 64 * i, elements[i]);
        }
    }
}

SLUICE_TARGET_AVX512 size_t sluice_untranspose_avx512(uint8_t *out, const uint8_t *in, size_t count,
                                                      size_t element_bytes)
{
    const size_t stride = count / 8;

    if (element_bytes != 1 && element_bytes != 2 && element_bytes != 4 && element_bytes != 8)
        return 0;
    for (size_t i = 0; i + GROUP <= count; i += GROUP) {
        uint8_t *to = out + i * element_bytes;
        const uint8_t *from = in + i / 8;

        if (element_bytes == 1)
            untranspose_1(to, from, stride);
        else if (element_bytes == 2)
            untranspose_2(to, from, stride);
        else if (element_bytes == 4)
            untranspose_4(to, from, stride);
        else
            untranspose_8(to, from, stride);
    }
    return count - count % GROUP;
}

#endif
