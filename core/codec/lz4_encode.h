/* SPDX-License-Identifier: Apache-2.0
 *
 * LZ4 for bit planes, for core/codec only: an encoder that needs no hash table for counts. What can
 * be matched in a block of planes is mostly known beforehand, and two comparisons of the block with
 * itself find it:
 *
 *   - runs of one byte (mostly 0): a match at offset 1, or at an earlier run that is as long
 *   - stretches that are as in the plane before: a match at the offset of one plane
 *   - the planes above the highest bit that any pixel has, all as the last one: one match
 *
 * Where that misses much, a search by hash table is the second way; which one is taken is tried out
 * now and then in each image. The result is an LZ4 block like any other. Kernels for each level of
 * core/cpu.h compare; plain functions write the sequences. Blocks of at most
 * SLUICE_BSLZ4_BLOCK_BYTES. Re-entrant. */
#ifndef SLUICE_CORE_CODEC_LZ4_ENCODE_H
#define SLUICE_CORE_CODEC_LZ4_ENCODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lz4.h>

#include "core/codec/codec.h"
#include "core/cpu.h"

/* Bytes before and behind the planes that kernels may read (and nobody looks at). */
#define SLUICE_LZ4_MARGIN 64
/* Bytes behind the block that sluice_lz4_encode_planes may write over. */
#define SLUICE_LZ4_SLACK 64
/* Bits of a block, and words behind them for kernels that take several at a time. */
#define SLUICE_LZ4_WORDS     (SLUICE_BSLZ4_BLOCK_BYTES / 64)
#define SLUICE_LZ4_SPARES    8
#define SLUICE_LZ4_ABOVE_MIN 32 /* a power of two */
/* Of the search: more give no smaller blocks. */
#define SLUICE_LZ4_HASH_BITS 12

/* Bit i % 64 of word i / 64 is byte i of the active planes. The words behind the last one are 0. */
struct sluice_lz4_runs {
    uint64_t same[SLUICE_LZ4_WORDS + SLUICE_LZ4_SPARES];  /* it is as the byte before it */
    uint64_t above[SLUICE_LZ4_WORDS + SLUICE_LZ4_SPARES]; /* it is as that of the plane before */
    uint64_t start[SLUICE_LZ4_WORDS + SLUICE_LZ4_SPARES]; /* 3 `same` or 32 `above` begin here */
};

/* Which way the blocks of an image are written, and when both are tried again. */
struct sluice_lz4_course {
    size_t compared, searched; /* bytes of the last blocks that both ways were tried on */
    size_t length;             /* of the last of them, as it was taken */
    unsigned wait, left;       /* blocks between two tries, and until the next */
    bool is_searching;
};

/* What one block needs, and what is known of the image. Zeroed memory is not necessary. */
struct sluice_lz4_encoder {
    uint8_t before[SLUICE_LZ4_MARGIN];
    uint8_t data[SLUICE_BSLZ4_BLOCK_BYTES]; /* the planes */
    uint8_t behind[SLUICE_LZ4_MARGIN];
    struct sluice_lz4_runs runs;
    uint16_t table[1 << SLUICE_LZ4_HASH_BITS]; /* where four bytes were seen last */
    uint8_t other[LZ4_COMPRESSBOUND(SLUICE_BSLZ4_BLOCK_BYTES) + SLUICE_LZ4_SLACK];
    struct sluice_lz4_course course;
};

/* Before the first block of an image: its bytes then depend on nothing that was before it. */
void sluice_lz4_encode_begin(struct sluice_lz4_encoder *encoder);

/* One bslz4 block of `bytes` pixels (a multiple of 8 elements of 1, 2, 4 or 8 bytes) as an LZ4
 * block. Its length, at most LZ4_compressBound(bytes); `out` has room for that and the slack. */
size_t sluice_lz4_encode_planes(uint8_t *out, const uint8_t *pixels, size_t bytes,
                                size_t element_bytes, struct sluice_lz4_encoder *encoder);

/* The second way, lz4_search.c: encoder->data and the runs, filled for `active` bytes, as an LZ4
 * block of `bytes`. Its length; room as above. */
size_t sluice_lz4_search(uint8_t *out, struct sluice_lz4_encoder *encoder, size_t active,
                         size_t bytes, size_t plane_bytes);

/* The OR over all elements of x ^ (x >> sign), folded to one element: the bits that are not as the
 * element's highest one. `bytes` is a multiple of 64. */
uint64_t sluice_lz4_varying_scalar(const uint8_t *pixels, size_t bytes, size_t element_bytes);
/* Fills `runs` for the first `bytes` of encoder->data. */
void sluice_lz4_compare_scalar(struct sluice_lz4_encoder *encoder, size_t bytes,
                               size_t plane_bytes);
/* The way by comparisons: sequences from those runs, as the search takes and gives them. */
size_t sluice_lz4_compared_scalar(uint8_t *out, const struct sluice_lz4_encoder *encoder,
                                  size_t active, size_t bytes, size_t plane_bytes);
#if defined(SLUICE_CPU_X86)
uint64_t sluice_lz4_varying_avx2(const uint8_t *pixels, size_t bytes, size_t element_bytes);
void sluice_lz4_compare_avx2(struct sluice_lz4_encoder *encoder, size_t bytes, size_t plane_bytes);
uint64_t sluice_lz4_varying_avx512(const uint8_t *pixels, size_t bytes, size_t element_bytes);
void sluice_lz4_compare_avx512(struct sluice_lz4_encoder *encoder, size_t bytes,
                               size_t plane_bytes);
size_t sluice_lz4_compared_avx2(uint8_t *out, const struct sluice_lz4_encoder *encoder,
                                size_t active, size_t bytes, size_t plane_bytes);
size_t sluice_lz4_compared_avx512(uint8_t *out, const struct sluice_lz4_encoder *encoder,
                                  size_t active, size_t bytes, size_t plane_bytes);
#endif

/* What a comparison gives at the borders is not so: the first byte has none before it, the first
 * plane none, and behind `bytes` there is nothing. */
static inline void sluice_lz4_trim(struct sluice_lz4_runs *runs, size_t bytes, size_t plane_bytes)
{
    const size_t words = (bytes + 63) / 64, first = plane_bytes / 64;
    const uint64_t last = bytes % 64 > 0 ? (UINT64_C(1) << (bytes % 64)) - 1 : UINT64_MAX;

    runs->same[0] &= ~UINT64_C(1);
    runs->above[first] &= UINT64_MAX << (plane_bytes % 64);
    runs->same[words - 1] &= last;
    runs->above[words - 1] &= last;
    for (size_t i = words; i < words + SLUICE_LZ4_SPARES; i++)
        runs->same[i] = runs->above[i] = 0;
}

/* The word of `start`, from one of `same`, one of `above`, and the words after them. */
static inline uint64_t sluice_lz4_starts(uint64_t same, uint64_t next_same, uint64_t above,
                                         uint64_t next_above)
{
#define AFTER(word, next, bits) ((word) >> (bits) | (next) << (64 - (bits)))
    const uint64_t pair = same & AFTER(same, next_same, 1);
    const uint64_t run = pair & AFTER(same, next_same, 2);

    if (above == 0)
        return run;
    for (unsigned bits = 1; bits < SLUICE_LZ4_ABOVE_MIN; bits *= 2) {
        above &= AFTER(above, next_above, bits);
        next_above &= next_above >> bits;
    }
    return run | above;
#undef AFTER
}

static inline void sluice_lz4_find_starts(struct sluice_lz4_runs *runs, size_t words)
{
    for (size_t i = 0; i < words; i++)
        runs->start[i] =
            sluice_lz4_starts(runs->same[i], runs->same[i + 1], runs->above[i], runs->above[i + 1]);
}

#endif
