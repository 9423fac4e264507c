/* SPDX-License-Identifier: Apache-2.0
 *
 * A block of a plane, made ready for the statistics of survey.c: values widened to one of three
 * kinds, what does not count replaced by 0 and told in bits. It fits the L1 cache beside the pixels
 * that it comes from. Private to the room; memory of the caller, one thread. */
#ifndef SLUICE_READERS_STATS_BLOCK_H
#define SLUICE_READERS_STATS_BLOCK_H

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/frame.h"

#define SLUICE_BLOCK_PIXELS 2048u
#define SLUICE_BLOCK_WORDS  (SLUICE_BLOCK_PIXELS / 64)

enum sluice_block_kind {
    SLUICE_BLOCK_SMALL, /* integers of up to 32 bits: two's complement in 32 */
    SLUICE_BLOCK_WIDE,  /* 64-bit integers, two's complement */
    SLUICE_BLOCK_REAL,  /* floats, as double */
};

struct sluice_block {
    uint64_t first; /* index of its first pixel in the plane */
    uint32_t count; /* pixels */
    uint32_t valid_count, no_data_count;
    uint32_t magnitude; /* SMALL: no |value| exceeds it (an OR of them all) */
    enum sluice_block_kind kind;
    bool is_signed;
    /* A bit a pixel; 0 from `count` on. Before a load `valid` says which are not masked. */
    uint64_t valid[SLUICE_BLOCK_WORDS];
    uint64_t no_data[SLUICE_BLOCK_WORDS]; /* not masked, but without a value */
    /* 0 where not valid, and from `count` up to the next multiple of 64. */
    union {
        alignas(64) uint32_t small[SLUICE_BLOCK_PIXELS];
        uint64_t wide[SLUICE_BLOCK_PIXELS];
        double real[SLUICE_BLOCK_PIXELS];
    };
};

enum sluice_block_kind sluice_block_kind(enum sluice_dtype dtype);

/* The value as a whole number; not of REAL. */
static inline __int128 sluice_block_whole(const struct sluice_block *block, uint32_t i)
{
    if (block->kind == SLUICE_BLOCK_SMALL)
        return block->is_signed ? (__int128)(int32_t)block->small[i] : (__int128)block->small[i];
    return block->is_signed ? (__int128)(int64_t)block->wide[i] : (__int128)block->wide[i];
}

static inline bool sluice_bit(const uint64_t *bits, uint32_t i)
{
    return bits[i / 64] >> (i % 64) & 1;
}

/* Bits set in [begin, end). */
static inline uint32_t sluice_bits_between(const uint64_t *bits, uint32_t begin, uint32_t end)
{
    uint32_t count = 0;
    while (begin < end) {
        uint32_t n = 64 - begin % 64 < end - begin ? 64 - begin % 64 : end - begin;
        uint64_t word = bits[begin / 64] >> (begin % 64);
        count += (uint32_t)__builtin_popcountll(n < 64 ? word & ((UINT64_C(1) << n) - 1) : word);
        begin += n;
    }
    return count;
}

#endif
