/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernels with AVX-512: 64 pixels a round, comparisons straight into the bits of a word. What
 * does not fill a round goes the portable way, a word or a lane at a time. */
#include "readers/stats/kernels.h"

#ifdef SLUICE_CPU_X86
#include <immintrin.h>

#define TARGET SLUICE_TARGET_AVX512
#define INLINE static inline __attribute__((always_inline)) TARGET

static const uint32_t sign_bit = UINT32_C(1) << 31;

/* --- load ---------------------------------------------------------------------------------- */

INLINE void put8(uint32_t *to, __m512i v, bool is_signed)
{
    __m128i parts[4] = {_mm512_castsi512_si128(v), _mm512_extracti32x4_epi32(v, 1),
                        _mm512_extracti32x4_epi32(v, 2), _mm512_extracti32x4_epi32(v, 3)};
    for (int i = 0; i < 4; i++)
        _mm512_store_si512(to + i * 16, is_signed ? _mm512_cvtepi8_epi32(parts[i])
                                                  : _mm512_cvtepu8_epi32(parts[i]));
}

INLINE void put16(uint32_t *to, __m512i v, bool is_signed)
{
    __m256i low = _mm512_castsi512_si256(v), high = _mm512_extracti64x4_epi64(v, 1);
    _mm512_store_si512(to, is_signed ? _mm512_cvtepi16_epi32(low) : _mm512_cvtepu16_epi32(low));
    _mm512_store_si512(to + 16,
                       is_signed ? _mm512_cvtepi16_epi32(high) : _mm512_cvtepu16_epi32(high));
}

INLINE void word8(const uint8_t *p, uint32_t w, bool is_signed, struct sluice_block *block)
{
    __m512i v = _mm512_loadu_si512(p);
    uint64_t good = _mm512_cmpneq_epi8_mask(v, _mm512_set1_epi8(is_signed ? INT8_MIN : -1));
    uint64_t allowed = block->valid[w], valid = allowed & good;
    block->no_data[w] = allowed & ~good;
    block->valid[w] = valid;
    put8(block->small + (size_t)w * 64, _mm512_maskz_mov_epi8(valid, v), is_signed);
}

INLINE void word16(const uint16_t *p, uint32_t w, bool is_signed, struct sluice_block *block)
{
    __m512i none = _mm512_set1_epi16(is_signed ? INT16_MIN : -1);
    __m512i a = _mm512_loadu_si512(p), b = _mm512_loadu_si512(p + 32);
    uint64_t good = (uint64_t)_mm512_cmpneq_epi16_mask(a, none) |
                    (uint64_t)_mm512_cmpneq_epi16_mask(b, none) << 32;
    uint64_t allowed = block->valid[w], valid = allowed & good;
    block->no_data[w] = allowed & ~good;
    block->valid[w] = valid;
    put16(block->small + (size_t)w * 64, _mm512_maskz_mov_epi16((__mmask32)valid, a), is_signed);
    put16(block->small + (size_t)w * 64 + 32, _mm512_maskz_mov_epi16((__mmask32)(valid >> 32), b),
          is_signed);
}

INLINE __m512i word32(const uint32_t *p, uint32_t w, bool is_signed, struct sluice_block *block)
{
    __m512i none = _mm512_set1_epi32(is_signed ? INT32_MIN : -1), any = _mm512_setzero_si512();
    __m512i v[4];
    uint64_t good = 0;
    for (int i = 0; i < 4; i++) {
        v[i] = _mm512_loadu_si512(p + i * 16);
        good |= (uint64_t)_mm512_cmpneq_epi32_mask(v[i], none) << (i * 16);
    }
    uint64_t allowed = block->valid[w], valid = allowed & good;
    block->no_data[w] = allowed & ~good;
    block->valid[w] = valid;
    for (int i = 0; i < 4; i++) {
        v[i] = _mm512_maskz_mov_epi32((__mmask16)(valid >> (i * 16)), v[i]);
        _mm512_store_si512(block->small + (size_t)w * 64 + i * 16, v[i]);
        any = _mm512_or_si512(any, is_signed ? _mm512_xor_si512(v[i], _mm512_srai_epi32(v[i], 31))
                                             : v[i]);
    }
    return any;
}

#define LOAD_NARROW(SUFFIX, TYPE, WORD, LANES, SIGNED, MAGNITUDE)                                  \
    TARGET static void load_##SUFFIX(const void *pixels, struct sluice_block *block)               \
    {                                                                                              \
        uint32_t w = 0;                                                                            \
        for (; (w + 1) * 64 <= block->count; w++)                                                  \
            WORD((const LANES *)pixels + (size_t)w * 64, w, SIGNED, block);                        \
        if (block->count % 64)                                                                     \
            sluice_load_word_##SUFFIX((const TYPE *)pixels + (size_t)w * 64, block->count % 64, w, \
                                      block);                                                      \
        block->magnitude = MAGNITUDE;                                                              \
    }
LOAD_NARROW(u8, uint8_t, word8, uint8_t, false, UINT8_MAX)
LOAD_NARROW(i8, int8_t, word8, uint8_t, true, UINT8_MAX)
LOAD_NARROW(u16, uint16_t, word16, uint16_t, false, UINT16_MAX)
LOAD_NARROW(i16, int16_t, word16, uint16_t, true, UINT16_MAX)

#define LOAD_32(SUFFIX, TYPE, SIGNED)                                                              \
    TARGET static void load_##SUFFIX(const void *pixels, struct sluice_block *block)               \
    {                                                                                              \
        __m512i any = _mm512_setzero_si512();                                                      \
        uint32_t w = 0;                                                                            \
        for (; (w + 1) * 64 <= block->count; w++)                                                  \
            any = _mm512_or_si512(                                                                 \
                any, word32((const uint32_t *)pixels + (size_t)w * 64, w, SIGNED, block));         \
        block->magnitude = (uint32_t)_mm512_reduce_or_epi32(any);                                  \
        if (block->count % 64)                                                                     \
            sluice_load_word_##SUFFIX((const TYPE *)pixels + (size_t)w * 64, block->count % 64, w, \
                                      block);                                                      \
    }
LOAD_32(u32, uint32_t, false)
LOAD_32(i32, int32_t, true)

/* --- the rest ------------------------------------------------------------------------------ */

TARGET static void prefix(const uint32_t *values, uint32_t count, uint32_t *sums)
{
    const __m512i zero = _mm512_setzero_si512(), last = _mm512_set1_epi32(15);
    __m512i carry = zero;
    sums[0] = 0;
    for (uint32_t i = 0; i < count; i += 16) {
        __m512i v = _mm512_load_si512(values + i);
        v = _mm512_add_epi32(v, _mm512_alignr_epi32(v, zero, 15));
        v = _mm512_add_epi32(v, _mm512_alignr_epi32(v, zero, 14));
        v = _mm512_add_epi32(v, _mm512_alignr_epi32(v, zero, 12));
        v = _mm512_add_epi32(v, _mm512_alignr_epi32(v, zero, 8));
        v = _mm512_add_epi32(v, carry);
        _mm512_storeu_si512(sums + 1 + i, v);
        carry = _mm512_permutexvar_epi32(last, v);
    }
}

TARGET static void sum_max(const uint32_t *values, uint32_t count, bool is_signed, uint64_t *sum,
                           uint32_t *max)
{
    const __m512i flip = _mm512_set1_epi32(is_signed ? INT32_MIN : 0);
    __m512i total = _mm512_setzero_si512(), largest = total;
    for (uint32_t i = 0; i < count; i += 16) {
        __mmask16 in = (__mmask16)(count - i >= 16 ? 0xFFFF : (1u << (count - i)) - 1);
        __m512i key = _mm512_xor_si512(_mm512_maskz_loadu_epi32(in, values + i), flip);
        key = _mm512_maskz_mov_epi32(in, key);
        largest = _mm512_max_epu32(largest, key);
        total = _mm512_add_epi64(total, _mm512_srli_epi64(key, 32));
        total = _mm512_add_epi64(total, _mm512_maskz_mov_epi32(0x5555, key));
    }
    *sum = (uint64_t)_mm512_reduce_add_epi64(total) - (is_signed ? (uint64_t)sign_bit * count : 0);
    *max = _mm512_reduce_max_epu32(largest);
}

TARGET static uint64_t above(const uint32_t *values, const uint64_t *valid, uint32_t *word,
                             uint32_t words, uint32_t limit, bool is_signed)
{
    const __m512i flip = _mm512_set1_epi32(is_signed ? INT32_MIN : 0);
    const __m512i least = _mm512_set1_epi32((int)(is_signed ? limit ^ sign_bit : limit));
    for (; *word < words; ++*word) {
        uint64_t bits = 0;
        for (int i = 0; i < 4; i++) {
            __m512i v = _mm512_load_si512(values + (size_t)*word * 64 + i * 16);
            bits |= (uint64_t)_mm512_cmpgt_epu32_mask(_mm512_xor_si512(v, flip), least) << (i * 16);
        }
        if (bits & valid[*word])
            return bits & valid[*word];
    }
    return 0;
}

/* 16 pixels; what would touch the high words goes pixel by pixel. */
INLINE void running16(const struct sluice_block *block, const struct sluice_running_rows *rows,
                      uint32_t i, bool is_signed)
{
    const __m512i v = _mm512_load_si512(block->small + i);
    if (!is_signed && _mm512_test_epi32_mask(v, v) == 0)
        return; /* zeros change nothing */
    __m512i add = v, size = v;
    __mmask16 slow = 0;
    if (is_signed) {
        add = _mm512_add_epi32(v, _mm512_set1_epi32(SLUICE_RUNNING_BIAS));
        slow = _mm512_cmplt_epi32_mask(v, _mm512_set1_epi32(-SLUICE_RUNNING_BIAS));
        slow |= _mm512_cmplt_epi32_mask(add, v); /* it wrapped */
        size = _mm512_abs_epi32(v);
    }
    __m512i square = _mm512_mullo_epi32(size, size);
    __m512i sum = _mm512_add_epi32(_mm512_loadu_si512(rows->sum_low + i), add);
    __m512i squares = _mm512_add_epi32(_mm512_loadu_si512(rows->square_low + i), square);
    __m512i max = _mm512_loadu_si512(rows->max + i);
    __mmask16 good = (__mmask16)(block->valid[i / 64] >> (i % 64));
    __mmask16 larger = is_signed ? _mm512_mask_cmpgt_epi32_mask(good, v, max)
                                 : _mm512_mask_cmpgt_epu32_mask(good, v, max);
    slow |= _mm512_cmplt_epu32_mask(sum, add) | _mm512_cmplt_epu32_mask(squares, square) |
            _mm512_cmpgt_epu32_mask(size, _mm512_set1_epi32(65535));
    _mm512_mask_storeu_epi32(rows->sum_low + i, (__mmask16)~slow, sum);
    _mm512_mask_storeu_epi32(rows->square_low + i, (__mmask16)~slow, squares);
    if (larger)
        _mm512_mask_storeu_epi32(rows->max + i, larger, v);
    for (uint32_t left = slow; left; left &= left - 1) {
        uint32_t lane = i + (uint32_t)__builtin_ctz(left);
        sluice_running_sums(rows, lane, block->small[lane], is_signed);
    }
}

TARGET static void running(const struct sluice_block *block, const struct sluice_running_rows *rows)
{
    uint32_t i = 0;
    if (block->is_signed)
        for (; i + 16 <= block->count; i += 16)
            running16(block, rows, i, true);
    else
        for (; i + 16 <= block->count; i += 16)
            running16(block, rows, i, false);
    for (; i < block->count; i++)
        sluice_running_pixel(block, rows, i);
}

const struct sluice_kernels sluice_kernels_avx512 = {
    .load = {[SLUICE_U8] = load_u8,
             [SLUICE_U16] = load_u16,
             [SLUICE_U32] = load_u32,
             [SLUICE_I8] = load_i8,
             [SLUICE_I16] = load_i16,
             [SLUICE_I32] = load_i32},
    .prefix = prefix,
    .sum_max = sum_max,
    .above = above,
    .running = running,
};
#endif
