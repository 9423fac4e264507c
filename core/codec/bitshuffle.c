/* SPDX-License-Identifier: Apache-2.0
 *
 * The bit transpose in plain C: the reference for kernels that use vector instructions.
 *
 * Design: eight elements at a time. Byte k of eight elements makes one 64-bit word, an 8 x 8 matrix
 * of bits; transposed, its byte b holds bit b of the eight, which is one byte of plane 8 k + b:
 *
 *      elements i..i+7, byte k          word             planes 8k .. 8k+7, byte i / 8
 *      [e0.k] [e1.k] ... [e7.k]   ->  8 x 8 bits  ->  [bits 0] [bits 1] ... [bits 7]
 *
 * The words are made by shifts, so the result is the same on every byte order. The inner loops have
 * a constant element size, which the compiler unrolls; other sizes take the same loop, uncut. */
#include "core/codec/codec.h"

/* Swaps bit 8 i + j with bit 8 j + i: blocks of 1, 2 and 4 bits across the diagonal. */
static inline uint64_t transpose_8x8(uint64_t x)
{
    uint64_t t;

    t = (x ^ (x >> 7)) & UINT64_C(0x00aa00aa00aa00aa);
    x ^= t ^ (t << 7);
    t = (x ^ (x >> 14)) & UINT64_C(0x0000cccc0000cccc);
    x ^= t ^ (t << 14);
    t = (x ^ (x >> 28)) & UINT64_C(0x00000000f0f0f0f0);
    return x ^ t ^ (t << 28);
}

static inline uint64_t gather(const uint8_t *from, size_t stride)
{
    uint64_t word = 0;

    for (unsigned i = 0; i < 8; i++)
        word |= (uint64_t)from[i * stride] << (8 * i);
    return word;
}

static inline void scatter(uint8_t *to, size_t stride, uint64_t word)
{
    for (unsigned i = 0; i < 8; i++)
        to[i * stride] = (uint8_t)(word >> (8 * i));
}

static inline void shuffle(uint8_t *out, const uint8_t *in, size_t count, size_t element_bytes)
{
    const size_t plane_bytes = count / 8;

    for (size_t group = 0; group < plane_bytes; group++) {
        const uint8_t *elements = in + group * 8 * element_bytes;

        for (size_t byte = 0; byte < element_bytes; byte++)
            scatter(out + byte * 8 * plane_bytes + group, plane_bytes,
                    transpose_8x8(gather(elements + byte, element_bytes)));
    }
}

static inline void unshuffle(uint8_t *out, const uint8_t *in, size_t count, size_t element_bytes)
{
    const size_t plane_bytes = count / 8;

    for (size_t group = 0; group < plane_bytes; group++) {
        uint8_t *elements = out + group * 8 * element_bytes;

        for (size_t byte = 0; byte < element_bytes; byte++)
            scatter(elements + byte, element_bytes,
                    transpose_8x8(gather(in + byte * 8 * plane_bytes + group, plane_bytes)));
    }
}

void sluice_bitshuffle(uint8_t *out, const uint8_t *in, size_t count, size_t element_bytes)
{
    switch (element_bytes) {
    case 1:
        shuffle(out, in, count, 1);
        break;
    case 2:
        shuffle(out, in, count, 2);
        break;
    case 4:
        shuffle(out, in, count, 4);
        break;
    case 8:
        shuffle(out, in, count, 8);
        break;
    default:
        shuffle(out, in, count, element_bytes);
        break;
    }
}

void sluice_bitunshuffle(uint8_t *out, const uint8_t *in, size_t count, size_t element_bytes)
{
    switch (element_bytes) {
    case 1:
        unshuffle(out, in, count, 1);
        break;
    case 2:
        unshuffle(out, in, count, 2);
        break;
    case 4:
        unshuffle(out, in, count, 4);
        break;
    case 8:
        unshuffle(out, in, count, 8);
        break;
    default:
        unshuffle(out, in, count, element_bytes);
        break;
    }
}
