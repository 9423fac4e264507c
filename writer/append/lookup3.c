/* SPDX-License-Identifier: Apache-2.0
 *
 * Words are little-endian whatever the machine, as in the file. The last block, full or not, is
 * mixed in another way than those before it. */
#include "writer/append/lookup3.h"

#include <endian.h>
#include <string.h>

#define BLOCK 12

static uint32_t rotate(uint32_t value, unsigned by)
{
    return value << by | value >> (32 - by);
}

static void add(struct sluice_lookup3_mark *state, const uint8_t *block)
{
    uint32_t words[3];
    memcpy(words, block, BLOCK);
    state->a += le32toh(words[0]);
    state->b += le32toh(words[1]);
    state->c += le32toh(words[2]);
}

static void mix(struct sluice_lookup3_mark *state)
{
    uint32_t a = state->a, b = state->b, c = state->c;
    a = (a - c) ^ rotate(c, 4), c += b;
    b = (b - a) ^ rotate(a, 6), a += c;
    c = (c - b) ^ rotate(b, 8), b += a;
    a = (a - c) ^ rotate(c, 16), c += b;
    b = (b - a) ^ rotate(a, 19), a += c;
    c = (c - b) ^ rotate(b, 4), b += a;
    state->a = a;
    state->b = b;
    state->c = c;
}

static uint32_t finish(const struct sluice_lookup3_mark *state)
{
    uint32_t a = state->a, b = state->b, c = state->c;
    c = (c ^ b) - rotate(b, 14);
    a = (a ^ c) - rotate(c, 11);
    b = (b ^ a) - rotate(a, 25);
    c = (c ^ b) - rotate(b, 16);
    a = (a ^ c) - rotate(c, 4);
    b = (b ^ a) - rotate(a, 14);
    return (c ^ b) - rotate(b, 24);
}

uint32_t sluice_lookup3_from(struct sluice_lookup3_mark *mark, const void *data, size_t bytes,
                             size_t keep)
{
    const uint8_t *from = data;
    uint8_t last[BLOCK] = {0};
    struct sluice_lookup3_mark state = *mark;
    if (state.at == 0)
        state.a = state.b = state.c = UINT32_C(0xdeadbeef) + (uint32_t)bytes;
    for (; bytes - state.at > BLOCK; state.at += BLOCK) {
        if (state.at <= keep)
            *mark = state;
        add(&state, from + state.at);
        mix(&state);
    }
    if (bytes == 0)
        return state.c;
    memcpy(last, from + state.at, bytes - state.at);
    add(&state, last);
    return finish(&state);
}

uint32_t sluice_lookup3(const void *data, size_t bytes)
{
    struct sluice_lookup3_mark mark = {0};
    return sluice_lookup3_from(&mark, data, bytes, 0);
}
