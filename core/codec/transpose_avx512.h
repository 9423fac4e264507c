/* SPDX-License-Identifier: Apache-2.0
 *
 * What the AVX-512 kernels of the bit transpose share (transpose_avx512.c tells how they work): 512
 * elements of a plane are a register. For core/codec only. */
#ifndef SLUICE_CORE_CODEC_TRANSPOSE_AVX512_H
#define SLUICE_CORE_CODEC_TRANSPOSE_AVX512_H

#include "core/codec/transpose.h"

#if defined(SLUICE_CPU_X86)

#include <immintrin.h>

#define GROUP      512 /* elements */
#define LANES_LOW  0x44
#define LANES_HIGH 0xee
#define LANES_EVEN 0x88
#define LANES_ODD  0xdd
#define KERNEL     static inline __attribute__((always_inline)) SLUICE_TARGET_AVX512
#define EIGHT(f, i)                                                                                \
    f(i), f((i) + 1), f((i) + 2), f((i) + 3), f((i) + 4), f((i) + 5), f((i) + 6), f((i) + 7)
#define TABLE(f)                                                                                   \
    {                                                                                              \
        EIGHT(f, 0), EIGHT(f, 8), EIGHT(f, 16), EIGHT(f, 24), EIGHT(f, 32), EIGHT(f, 40),          \
            EIGHT(f, 48), EIGHT(f, 56)                                                             \
    }
typedef const uint8_t table[64] __attribute__((aligned(64)));

/* Back: byte b of quadword q from lane b % 4 of the register with planes 0..3 or that with 4..7,
 * reversed for GFNI; the first or second 8 quadwords of a lane. PAIRED has the quadwords in the
 * order 0 4 1 5 2 6 3 7, so that unpacking two registers within their lanes gives elements in
 * order. */
#define PLANE(i)       (7 - (i) % 8)
#define FROM(i, q)     (uint8_t)(PLANE(i) / 4 * 64 + PLANE(i) % 4 * 16 + (q))
#define PAIR(i)        ((i) / 8 / 2 + (i) / 8 % 2 * 4)
#define FIRST(i)       FROM(i, (i) / 8)
#define SECOND(i)      FROM(i, (i) / 8 + 8)
#define FIRST_PAIR(i)  FROM(i, PAIR(i))
#define SECOND_PAIR(i) FROM(i, PAIR(i) + 8)
static table first = TABLE(FIRST), second = TABLE(SECOND);
static table first_paired = TABLE(FIRST_PAIR), second_paired = TABLE(SECOND_PAIR);

KERNEL __m512i load(const uint8_t *from)
{
    return _mm512_loadu_si512(from);
}

KERNEL void store(uint8_t *to, __m512i value)
{
    _mm512_storeu_si512(to, value);
}

/* Lane j of to[i] is lane i of from[j]. */
KERNEL void transpose_lanes(__m512i to[4], const __m512i from[4])
{
    __m512i a = _mm512_shuffle_i32x4(from[0], from[1], LANES_LOW);
    __m512i b = _mm512_shuffle_i32x4(from[0], from[1], LANES_HIGH);
    __m512i c = _mm512_shuffle_i32x4(from[2], from[3], LANES_LOW);
    __m512i d = _mm512_shuffle_i32x4(from[2], from[3], LANES_HIGH);

    to[0] = _mm512_shuffle_i32x4(a, c, LANES_EVEN);
    to[1] = _mm512_shuffle_i32x4(a, c, LANES_ODD);
    to[2] = _mm512_shuffle_i32x4(b, d, LANES_EVEN);
    to[3] = _mm512_shuffle_i32x4(b, d, LANES_ODD);
}

KERNEL __m512i transpose_bits(__m512i bytes)
{
    return _mm512_gf2p8affine_epi64_epi8(_mm512_set1_epi64((long long)0x8040201008040201u), bytes,
                                         0);
}

/* 8 registers, one a plane of a byte, to 8 registers of 64 bytes each, in the order of elements or
 * PAIRED. */
KERNEL void unplanes_of(__m512i bytes[8], const __m512i plane[8], const uint8_t *order_a,
                        const uint8_t *order_b)
{
    const __m512i a = load(order_a), b = load(order_b);
    __m512i lanes[2][4];

    transpose_lanes(lanes[0], plane);
    transpose_lanes(lanes[1], plane + 4);
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        bytes[2 * i] = transpose_bits(_mm512_permutex2var_epi8(lanes[0][i], a, lanes[1][i]));
        bytes[2 * i + 1] = transpose_bits(_mm512_permutex2var_epi8(lanes[0][i], b, lanes[1][i]));
    }
}

#endif

#endif
