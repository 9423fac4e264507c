/* SPDX-License-Identifier: Apache-2.0
 *
 * The inner loops of survey.c that exist at several levels of instructions (core/cpu.h): kernels.c
 * is the portable one, kernels_avx2.c and kernels_avx512.c give the same results faster. Private to
 * the room. Re-entrant, no allocation. */
#ifndef SLUICE_READERS_STATS_KERNELS_H
#define SLUICE_READERS_STATS_KERNELS_H

#include "core/cpu.h"
#include "readers/stats/block.h"

/* Sums over the series of one pixel, cut so that most images touch the low words only: the sum of
 * value + bias is sum_high * 2^32 + sum_low, that of the squares square_high * 2^32 + square_low.
 */
struct sluice_running_rows {
    uint32_t *sum_low, *square_low, *max; /* max: two's complement */
    int32_t *sum_high;
    uint64_t *square_high;
};
#define SLUICE_RUNNING_BIAS 32768 /* of signed types */

struct sluice_kernels {
    /* Fills the block from `block->count` pixels of that type; `valid` and `count` are set. */
    void (*load[SLUICE_DTYPE_COUNT])(const void *pixels, struct sluice_block *block);
    /* sums[i] = values[0] + ... + values[i - 1] modulo 2^32, for i up to `count`; room for
     * SLUICE_BLOCK_PIXELS + 64. */
    void (*prefix)(const uint32_t *values, uint32_t count, uint32_t *sums);
    /* Sum (modulo 2^64), and the largest of value ^ flip. */
    void (*sum_max)(const uint32_t *values, uint32_t count, bool is_signed, uint64_t *sum,
                    uint32_t *max);
    /* The first word from `word` on that has a valid value above `limit`: its bits. 0: none up to
     * `words`. */
    uint64_t (*above)(const uint32_t *values, const uint64_t *valid, uint32_t *word, uint32_t words,
                      uint32_t limit, bool is_signed);
    /* Adds the block to the rows, which begin at its first pixel. */
    void (*running)(const struct sluice_block *block, const struct sluice_running_rows *rows);
};

/* Those of sluice_cpu_level(). */
const struct sluice_kernels *sluice_kernels(void);

extern const struct sluice_kernels sluice_kernels_scalar;
#ifdef SLUICE_CPU_X86
extern const struct sluice_kernels sluice_kernels_avx2, sluice_kernels_avx512;
#endif

/* --- for the kernels: words and lanes that do not fill a vector ------------------------------- */

/* One word of the load, of `n` <= 64 pixels. */
#define SLUICE_LOAD_WORD(NAME, TYPE, NO_DATA)                                                      \
    static inline void NAME(const TYPE *p, uint32_t n, uint32_t w, struct sluice_block *block)     \
    {                                                                                              \
        uint64_t good = 0, allowed = block->valid[w];                                              \
        for (uint32_t i = 0; i < n; i++)                                                           \
            good |= (uint64_t)(p[i] != (NO_DATA)) << i;                                            \
        block->no_data[w] = allowed & ~good;                                                       \
        block->valid[w] = allowed & good;                                                          \
        for (uint32_t i = 0; i < 64; i++) {                                                        \
            uint32_t v = allowed & good & UINT64_C(1) << i ? (uint32_t)(int32_t)p[i] : 0;          \
            block->small[w * 64 + i] = v;                                                          \
            block->magnitude |= block->is_signed ? v ^ (uint32_t)((int32_t)v >> 31) : v;           \
        }                                                                                          \
    }
SLUICE_LOAD_WORD(sluice_load_word_u8, uint8_t, UINT8_MAX)
SLUICE_LOAD_WORD(sluice_load_word_u16, uint16_t, UINT16_MAX)
SLUICE_LOAD_WORD(sluice_load_word_u32, uint32_t, UINT32_MAX)
SLUICE_LOAD_WORD(sluice_load_word_i8, int8_t, INT8_MIN)
SLUICE_LOAD_WORD(sluice_load_word_i16, int16_t, INT16_MIN)
SLUICE_LOAD_WORD(sluice_load_word_i32, int32_t, INT32_MIN)

/* The sums of one pixel, whatever its value. */
static inline void sluice_running_sums(const struct sluice_running_rows *rows, uint32_t i,
                                       uint32_t value, bool is_signed)
{
    int64_t v = is_signed ? (int64_t)(int32_t)value : (int64_t)value;
    uint64_t sum = (uint64_t)(uint32_t)rows->sum_high[i] << 32 | rows->sum_low[i];
    uint64_t square = (uint64_t)(v < 0 ? -v : v);
    sum += (uint64_t)(v + (is_signed ? SLUICE_RUNNING_BIAS : 0));
    square *= square;
    unsigned __int128 squares =
        ((unsigned __int128)rows->square_high[i] << 32 | rows->square_low[i]) + square;
    rows->sum_low[i] = (uint32_t)sum;
    if (rows->sum_high[i] != (int32_t)(sum >> 32)) /* untouched memory stays untouched */
        rows->sum_high[i] = (int32_t)(sum >> 32);
    rows->square_low[i] = (uint32_t)squares;
    if (rows->square_high[i] != (uint64_t)(squares >> 32))
        rows->square_high[i] = (uint64_t)(squares >> 32);
}

static inline void sluice_running_pixel(const struct sluice_block *block,
                                        const struct sluice_running_rows *rows, uint32_t i)
{
    uint32_t value = block->small[i], flip = block->is_signed ? UINT32_C(1) << 31 : 0;
    sluice_running_sums(rows, i, value, block->is_signed);
    if (sluice_bit(block->valid, i) && (value ^ flip) > (rows->max[i] ^ flip))
        rows->max[i] = value;
}

#endif
