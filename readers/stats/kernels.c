/* SPDX-License-Identifier: Apache-2.0
 *
 * The portable kernels, and which ones are used. */
#include "readers/stats/kernels.h"

#include <math.h>

const struct sluice_kernels *sluice_kernels(void)
{
#ifdef SLUICE_CPU_X86
    switch (sluice_cpu_level()) {
    case SLUICE_CPU_AVX512:
        return &sluice_kernels_avx512;
    case SLUICE_CPU_AVX2:
        return &sluice_kernels_avx2;
    default:
        break;
    }
#endif
    return &sluice_kernels_scalar;
}

/* --- load ---------------------------------------------------------------------------------- */

#define LOAD(SUFFIX, TYPE)                                                                         \
    static void load_##SUFFIX(const void *pixels, struct sluice_block *block)                      \
    {                                                                                              \
        const TYPE *p = pixels;                                                                    \
        block->magnitude = 0;                                                                      \
        for (uint32_t w = 0; w * 64 < block->count; w++) {                                         \
            uint32_t left = block->count - w * 64;                                                 \
            sluice_load_word_##SUFFIX(p + w * 64, left < 64 ? left : 64, w, block);                \
        }                                                                                          \
    }
LOAD(u8, uint8_t)
LOAD(u16, uint16_t)
LOAD(u32, uint32_t)
LOAD(i8, int8_t)
LOAD(i16, int16_t)
LOAD(i32, int32_t)

/* Of the wide kinds there is one for all levels. */
#define LOAD_WIDE(SUFFIX, TYPE, MEMBER, GOOD)                                                      \
    static void load_##SUFFIX(const void *pixels, struct sluice_block *block)                      \
    {                                                                                              \
        const TYPE *p = pixels;                                                                    \
        for (uint32_t w = 0; w * 64 < block->count; w++) {                                         \
            uint32_t left = block->count - w * 64, n = left < 64 ? left : 64;                      \
            uint64_t good = 0, allowed = block->valid[w];                                          \
            for (uint32_t i = 0; i < n; i++) {                                                     \
                TYPE v = p[w * 64 + i];                                                            \
                bool is_good = (GOOD) && (allowed >> i & 1);                                       \
                good |= (uint64_t)(GOOD) << i;                                                     \
                block->MEMBER[w * 64 + i] = is_good ? v : 0;                                       \
            }                                                                                      \
            block->no_data[w] = allowed & ~good;                                                   \
            block->valid[w] = allowed & good;                                                      \
        }                                                                                          \
    }
LOAD_WIDE(u64, uint64_t, wide, v != UINT64_MAX)
LOAD_WIDE(i64, uint64_t, wide, v != (uint64_t)INT64_MIN)
LOAD_WIDE(f32, float, real, isfinite(v))
LOAD_WIDE(f64, double, real, isfinite(v))

/* --- the rest ------------------------------------------------------------------------------ */

static void prefix(const uint32_t *values, uint32_t count, uint32_t *sums)
{
    uint32_t sum = 0;
    sums[0] = 0;
    for (uint32_t i = 0; i < count; i++)
        sums[i + 1] = sum += values[i];
}

static void sum_max(const uint32_t *values, uint32_t count, bool is_signed, uint64_t *sum,
                    uint32_t *max)
{
    uint32_t flip = is_signed ? UINT32_C(1) << 31 : 0, largest = 0;
    uint64_t total = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t key = values[i] ^ flip;
        total += key;
        largest = key > largest ? key : largest;
    }
    *sum = total - (uint64_t)flip * count;
    *max = largest;
}

static uint64_t above(const uint32_t *values, const uint64_t *valid, uint32_t *word, uint32_t words,
                      uint32_t limit, bool is_signed)
{
    uint32_t flip = is_signed ? UINT32_C(1) << 31 : 0;
    limit ^= flip;
    for (; *word < words; ++*word) {
        const uint32_t *v = values + (size_t)*word * 64;
        uint32_t any = 0;
        for (uint32_t i = 0; i < 64; i++)
            any |= (v[i] ^ flip) > limit;
        if (!any)
            continue;
        uint64_t bits = 0;
        for (uint32_t i = 0; i < 64; i++)
            bits |= (uint64_t)((v[i] ^ flip) > limit) << i;
        if (bits & valid[*word])
            return bits & valid[*word];
    }
    return 0;
}

static void running(const struct sluice_block *block, const struct sluice_running_rows *rows)
{
    for (uint32_t i = 0; i < block->count; i++)
        sluice_running_pixel(block, rows, i);
}

const struct sluice_kernels sluice_kernels_scalar = {
    .load = {load_u8, load_u16, load_u32, load_u64, load_i8, load_i16, load_i32, load_i64, load_f32,
             load_f64},
    .prefix = prefix,
    .sum_max = sum_max,
    .above = above,
    .running = running,
};
