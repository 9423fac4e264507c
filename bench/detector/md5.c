/* SPDX-License-Identifier: Apache-2.0
 *
 * Straight from RFC 1321: blocks of 64 bytes, four rounds of 16 steps. The table of sines is
 * computed once a call from its definition, floor(2^32 |sin(i + 1)|), which doubles hold exactly
 * enough. */
#include "bench/detector/md5.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define BLOCK_BYTES 64

struct digest {
    uint32_t state[4];
    uint32_t sines[64];
    uint8_t block[BLOCK_BYTES];
    size_t filled; /* bytes in `block` */
    uint64_t bytes;
};

static uint32_t rotate(uint32_t x, uint32_t by)
{
    return x << by | x >> (32 - by);
}

static void take_block(struct digest *digest)
{
    static const uint8_t shifts[4][4] = {
        {7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
    uint32_t words[16], a = digest->state[0], b = digest->state[1], c = digest->state[2],
                        d = digest->state[3];
    for (uint32_t i = 0; i < 16; i++) {
        const uint8_t *at = digest->block + 4 * i;
        words[i] =
            (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
    }
    for (uint32_t i = 0; i < 64; i++) {
        uint32_t round = i / 16, f, word;
        if (round == 0) {
            f = (b & c) | (~b & d);
            word = i;
        } else if (round == 1) {
            f = (d & b) | (~d & c);
            word = (5 * i + 1) % 16;
        } else if (round == 2) {
            f = b ^ c ^ d;
            word = (3 * i + 5) % 16;
        } else {
            f = c ^ (b | ~d);
            word = 7 * i % 16;
        }
        f += a + digest->sines[i] + words[word];
        a = d;
        d = c;
        c = b;
        b += rotate(f, shifts[round][i % 4]);
    }
    digest->state[0] += a;
    digest->state[1] += b;
    digest->state[2] += c;
    digest->state[3] += d;
    digest->filled = 0;
}

static void take(struct digest *digest, struct sluice_span span)
{
    digest->bytes += span.bytes;
    while (span.bytes) {
        size_t bytes = BLOCK_BYTES - digest->filled;
        bytes = bytes < span.bytes ? bytes : span.bytes;
        memcpy(digest->block + digest->filled, span.data, bytes);
        digest->filled += bytes;
        span.data += bytes;
        span.bytes -= bytes;
        if (digest->filled == BLOCK_BYTES)
            take_block(digest);
    }
}

void sluice_md5(const struct sluice_span *spans, size_t count, char text[SLUICE_MD5_TEXT_BYTES])
{
    static const uint8_t padding[BLOCK_BYTES] = {0x80};
    struct digest digest = {.state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476}};
    uint8_t length[8];
    for (uint32_t i = 0; i < 64; i++)
        digest.sines[i] = (uint32_t)(fabs(sin(i + 1)) * 0x1p32);
    for (size_t i = 0; i < count; i++)
        take(&digest, spans[i]);
    for (uint32_t i = 0; i < 8; i++)
        length[i] = (uint8_t)(digest.bytes * 8 >> (8 * i));
    size_t pad = digest.filled < 56 ? 56 - digest.filled : 120 - digest.filled;
    take(&digest, (struct sluice_span){padding, pad});
    take(&digest, (struct sluice_span){length, sizeof length});
    for (uint32_t i = 0; i < 16; i++)
        snprintf(text + 2 * i, 3, "%02x", digest.state[i / 4] >> (8 * (i % 4)) & 0xff);
}
