/* SPDX-License-Identifier: Apache-2.0
 *
 * How both ways of the encoder (lz4_encode.h) write the sequences of an LZ4 block, and measure
 * stretches of set bits. For core/codec only. What LZ4 demands: a match is at least 4 long, begins
 * at least 12 bytes before the block's end and leaves at least 5. */
#ifndef SLUICE_CORE_CODEC_LZ4_PUT_H
#define SLUICE_CORE_CODEC_LZ4_PUT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Into functions of any level, too. */
#define LZ4_INLINE static inline __attribute__((always_inline))

#define MATCH_MIN      4
#define LAST_LITERALS  5  /* of a block */
#define LAST_MATCH     12 /* from a block's end, where the last match may begin */
#define TOKEN_MAX      15 /* beyond, lengths go on in bytes of their own */
#define LENGTH_BYTE    255
#define LITERALS_CHUNK 64

/* A length of TOKEN_MAX or more goes on here with what is beyond it; a lesser one takes no byte,
 * and the one that is written then is written over. So only very long ones need a branch. */
LZ4_INLINE uint8_t *put_length(uint8_t *to, size_t length)
{
    size_t rest = length - TOKEN_MAX;

    if (length >= TOKEN_MAX + LENGTH_BYTE)
        for (; rest >= LENGTH_BYTE; rest -= LENGTH_BYTE)
            *to++ = LENGTH_BYTE;
    *to = (uint8_t)rest;
    return to + (length >= TOKEN_MAX);
}

LZ4_INLINE uint8_t token_part(size_t length)
{
    return (uint8_t)(length < TOKEN_MAX ? length : TOKEN_MAX);
}

/* Copies whole chunks: it reads and writes up to 63 bytes too many. */
LZ4_INLINE uint8_t *put_literals(uint8_t *to, const uint8_t *literals, size_t count)
{
    memcpy(to, literals, LITERALS_CHUNK);
    for (size_t i = LITERALS_CHUNK; i < count; i += LITERALS_CHUNK)
        memcpy(to + i, literals + i, LITERALS_CHUNK);
    return to + count;
}

LZ4_INLINE uint8_t *put_sequence(uint8_t *to, const uint8_t *literals, size_t count, size_t offset,
                                 size_t length)
{
    const size_t rest = length - MATCH_MIN;

    *to++ = (uint8_t)(token_part(count) << 4 | token_part(rest));
    to = put_literals(put_length(to, count), literals, count);
    to[0] = (uint8_t)offset;
    to[1] = (uint8_t)(offset >> 8);
    return put_length(to + 2, rest);
}

LZ4_INLINE uint8_t *put_last(uint8_t *to, const uint8_t *literals, size_t count)
{
    *to++ = (uint8_t)(token_part(count) << 4);
    return put_literals(put_length(to, count), literals, count);
}

/* The end of a block whose sequences end at `anchor`: where the active planes are not all of it, a
 * match for the others, unless the last one was that; and the last literals. */
LZ4_INLINE uint8_t *put_end(uint8_t *to, const uint8_t *data, size_t anchor, size_t active,
                            size_t bytes, size_t plane_bytes)
{
    if (active == bytes)
        return put_last(to, data + anchor, bytes - anchor);
    if (anchor <= active)
        to = put_sequence(to, data + anchor, active - anchor, plane_bytes,
                          bytes - LAST_LITERALS - active);
    return put_last(to, data + active - LAST_LITERALS, LAST_LITERALS);
}

/* 64 bits from `at` on. */
LZ4_INLINE uint64_t bits_at(const uint64_t *bits, size_t at)
{
    return bits[at / 64] >> at % 64 | bits[at / 64 + 1] << 1 << (63 - at % 64);
}

/* How many bits from `at` on are set. Two words behind the last one are 0. */
LZ4_INLINE size_t stretch(const uint64_t *bits, size_t at)
{
    const uint64_t unset = ~bits_at(bits, at);
    size_t word;

    if (unset != 0)
        return (size_t)__builtin_ctzll(unset);
    for (word = at / 64 + 1; bits[word] == UINT64_MAX; word++)
        ;
    return word * 64 - at + (size_t)__builtin_ctzll(~bits[word]);
}

#endif
