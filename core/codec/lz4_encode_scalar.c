/* SPDX-License-Identifier: Apache-2.0
 *
 * The two passes of lz4_encode.h in plain C, eight bytes at a time.
 *
 * Design: elements stand side by side in a word. Multiplied out of its place, an element's highest
 * bit gives a mask of all ones or zeros. Equal bytes are zero bytes of an exclusive or; those are
 * found without carries from one byte into the next, so exactly, and a multiplication brings the
 * eight answers together in one byte. */
#include <endian.h>
#include <string.h>

#include "core/codec/lz4_compared.h"
#include "core/codec/lz4_encode.h"

static inline uint64_t load(const uint8_t *from)
{
    uint64_t word;

    memcpy(&word, from, sizeof word);
    return le64toh(word);
}

/* A word with this bit in each element. */
static uint64_t repeat(uint64_t bits, size_t element_bytes)
{
    for (size_t bytes = element_bytes; bytes < 8; bytes *= 2)
        bits |= bits << (8 * bytes);
    return bits;
}

uint64_t sluice_lz4_varying_scalar(const uint8_t *pixels, size_t bytes, size_t element_bytes)
{
    const unsigned width = 8 * (unsigned)element_bytes;
    const uint64_t ones = repeat(1, element_bytes);
    uint64_t varying = 0;

    for (size_t i = 0; i < bytes; i += 8) {
        uint64_t word = load(pixels + i), sign = word >> (width - 1) & ones;

        varying |= word ^ ((sign << (width - 1) << 1) - sign);
    }
    for (unsigned shift = 32; shift >= width; shift /= 2)
        varying |= varying >> shift;
    return width < 64 ? varying & ((UINT64_C(1) << width) - 1) : varying;
}

/* Bit i: byte i of both is the same. */
static inline uint64_t equal_8(const uint8_t *a, const uint8_t *b)
{
    const uint64_t low = UINT64_C(0x7f7f7f7f7f7f7f7f);
    uint64_t x = load(a) ^ load(b), zero = ~(((x & low) + low) | x | low);

    return (zero >> 7) * UINT64_C(0x0102040810204080) >> 56;
}

static inline uint64_t equal_64(const uint8_t *a, const uint8_t *b)
{
    uint64_t bits = 0;

    for (unsigned i = 0; i < 8; i++)
        bits |= equal_8(a + 8 * i, b + 8 * i) << (8 * i);
    return bits;
}

void sluice_lz4_compare_scalar(struct sluice_lz4_encoder *encoder, size_t bytes, size_t plane_bytes)
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

size_t sluice_lz4_compared_scalar(uint8_t *out, const struct sluice_lz4_encoder *encoder,
                                  size_t active, size_t bytes, size_t plane_bytes)
{
    return put_sequences(out, encoder, active, bytes, plane_bytes);
}
