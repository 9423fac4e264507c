/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernels with AVX2. There are no masks to store by: a load writes all lanes and then puts 0
 * where a pixel is masked; sums of the series go the portable way where a lane needs it. */
#include "readers/stats/kernels.h"

#ifdef SLUICE_CPU_X86
#include <immintrin.h>
#include <string.h>

#define TARGET SLUICE_TARGET_AVX2
#define INLINE static inline __attribute__((always_inline)) TARGET

static const uint32_t sign_bit = UINT32_C(1) << 31;

/* --- load ---------------------------------------------------------------------------------- */

INLINE __m256i load(const void *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}

INLINE void put(uint32_t *to, __m256i v)
{
    _mm256_store_si256((__m256i *)to, v);
}

/* Without the masked ones: those that hold the no-data value are 0 already. */
INLINE void settle(uint64_t good, uint32_t w, struct sluice_block *block)
{
    uint64_t allowed = block->valid[w];
    block->no_data[w] = allowed & ~good;
    block->valid[w] = allowed & good;
    if (allowed == 0) {
        memset(block->small + (size_t)w * 64, 0, 64 * sizeof(uint32_t));
        return;
    }
    for (uint64_t left = good & ~allowed; left; left &= left - 1)
        block->small[w * 64 + (uint32_t)__builtin_ctzll(left)] = 0;
}

INLINE void word8(const uint8_t *p, uint32_t w, bool is_signed, struct sluice_block *block)
{
    uint32_t *to = block->small + (size_t)w * 64;
    uint64_t good = 0;
    for (int i = 0; i < 2; i++) {
        __m256i v = load(p + i * 32);
        __m256i bad = _mm256_cmpeq_epi8(v, _mm256_set1_epi8(is_signed ? INT8_MIN : -1));
        good |= (uint64_t)(uint32_t)~_mm256_movemask_epi8(bad) << (i * 32);
        v = _mm256_andnot_si256(bad, v);
        __m128i halves[2] = {_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1)};
        for (int k = 0; k < 4; k++) {
            __m128i eight = k % 2 ? _mm_srli_si128(halves[k / 2], 8) : halves[k / 2];
            put(to + i * 32 + k * 8,
                is_signed ? _mm256_cvtepi8_epi32(eight) : _mm256_cvtepu8_epi32(eight));
        }
    }
    settle(good, w, block);
}

INLINE __m256i part16(const uint16_t *p, uint32_t *to, bool is_signed)
{
    __m256i v = load(p);
    __m256i bad = _mm256_cmpeq_epi16(v, _mm256_set1_epi16(is_signed ? INT16_MIN : -1));
    v = _mm256_andnot_si256(bad, v);
    __m128i low = _mm256_castsi256_si128(v), high = _mm256_extracti128_si256(v, 1);
    put(to, is_signed ? _mm256_cvtepi16_epi32(low) : _mm256_cvtepu16_epi32(low));
    put(to + 8, is_signed ? _mm256_cvtepi16_epi32(high) : _mm256_cvtepu16_epi32(high));
    return bad;
}

INLINE void word16(const uint16_t *p, uint32_t w, bool is_signed, struct sluice_block *block)
{
    uint32_t *to = block->small + (size_t)w * 64;
    uint64_t good = 0;
    for (int i = 0; i < 2; i++) {
        __m256i a = part16(p + i * 32, to + i * 32, is_signed);
        __m256i b = part16(p + i * 32 + 16, to + i * 32 + 16, is_signed);
        __m256i bad = _mm256_permute4x64_epi64(_mm256_packs_epi16(a, b), 0xD8);
        good |= (uint64_t)(uint32_t)~_mm256_movemask_epi8(bad) << (i * 32);
    }
    settle(good, w, block);
}

INLINE void word32(const uint32_t *p, uint32_t w, bool is_signed, struct sluice_block *block)
{
    uint64_t good = 0;
    for (int i = 0; i < 8; i++) {
        __m256i v = load(p + i * 8);
        __m256i bad = _mm256_cmpeq_epi32(v, _mm256_set1_epi32(is_signed ? INT32_MIN : -1));
        good |= (uint64_t)(uint8_t)~_mm256_movemask_ps(_mm256_castsi256_ps(bad)) << (i * 8);
        put(block->small + (size_t)w * 64 + i * 8, _mm256_andnot_si256(bad, v));
    }
    settle(good, w, block);
}

INLINE uint32_t magnitude(const struct sluice_block *block, bool is_signed)
{
    __m256i any = _mm256_setzero_si256();
    uint32_t parts[8], all = 0;
    for (uint32_t i = 0; i < block->count; i += 8) {
        __m256i v = load(block->small + i);
        any = _mm256_or_si256(any, is_signed ? _mm256_xor_si256(v, _mm256_srai_epi32(v, 31)) : v);
    }
    _mm256_storeu_si256((__m256i *)parts, any);
    for (int i = 0; i < 8; i++)
        all |= parts[i];
    return all;
}

#define LOAD(SUFFIX, TYPE, WORD, LANES, SIGNED, MAGNITUDE)                                         \
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
LOAD(u8, uint8_t, word8, uint8_t, false, UINT8_MAX)
LOAD(i8, int8_t, word8, uint8_t, true, UINT8_MAX)
LOAD(u16, uint16_t, word16, uint16_t, false, UINT16_MAX)
LOAD(i16, int16_t, word16, uint16_t, true, UINT16_MAX)
LOAD(u32, uint32_t, word32, uint32_t, false, magnitude(block, false))
LOAD(i32, int32_t, word32, uint32_t, true, magnitude(block, true))

/* --- the rest ------------------------------------------------------------------------------ */

TARGET static void prefix(const uint32_t *values, uint32_t count, uint32_t *sums)
{
    __m256i carry = _mm256_setzero_si256();
    sums[0] = 0;
    for (uint32_t i = 0; i < count; i += 8) {
        __m256i v = load(values + i);
        v = _mm256_add_epi32(v, _mm256_slli_si256(v, 4));
        v = _mm256_add_epi32(v, _mm256_slli_si256(v, 8)); /* of each half */
        __m256i low_sum = _mm256_permutevar8x32_epi32(v, _mm256_set1_epi32(3));
        v = _mm256_add_epi32(v, _mm256_blend_epi32(_mm256_setzero_si256(), low_sum, 0xF0));
        v = _mm256_add_epi32(v, carry);
        _mm256_storeu_si256((__m256i *)(sums + 1 + i), v);
        carry = _mm256_permutevar8x32_epi32(v, _mm256_set1_epi32(7));
    }
}

TARGET static void sum_max(const uint32_t *values, uint32_t count, bool is_signed, uint64_t *sum,
                           uint32_t *max)
{
    const __m256i flip = _mm256_set1_epi32(is_signed ? INT32_MIN : 0);
    const __m256i low = _mm256_set1_epi64x(UINT32_MAX);
    __m256i total = _mm256_setzero_si256(), largest = total;
    uint64_t sums[4], all = 0;
    uint32_t maxima[8], top = 0, i = 0;
    for (; i + 8 <= count; i += 8) {
        __m256i key = _mm256_xor_si256(load(values + i), flip);
        largest = _mm256_max_epu32(largest, key);
        total = _mm256_add_epi64(total, _mm256_srli_epi64(key, 32));
        total = _mm256_add_epi64(total, _mm256_and_si256(key, low));
    }
    _mm256_storeu_si256((__m256i *)sums, total);
    _mm256_storeu_si256((__m256i *)maxima, largest);
    for (int k = 0; k < 8; k++)
        top = maxima[k] > top ? maxima[k] : top;
    for (; i < count; i++) {
        uint32_t key = is_signed ? values[i] ^ sign_bit : values[i];
        all += key;
        top = key > top ? key : top;
    }
    *sum =
        all + sums[0] + sums[1] + sums[2] + sums[3] - (is_signed ? (uint64_t)sign_bit * count : 0);
    *max = top;
}

TARGET static uint64_t above(const uint32_t *values, const uint64_t *valid, uint32_t *word,
                             uint32_t words, uint32_t limit, bool is_signed)
{
    /* Compared as signed: unsigned values change sign first. */
    const __m256i flip = _mm256_set1_epi32(is_signed ? 0 : INT32_MIN);
    const __m256i least = _mm256_set1_epi32((int)(is_signed ? limit : limit ^ sign_bit));
    for (; *word < words; ++*word) {
        uint64_t bits = 0;
        for (int i = 0; i < 8; i++) {
            __m256i v = _mm256_xor_si256(load(values + (size_t)*word * 64 + i * 8), flip);
            __m256i more = _mm256_cmpgt_epi32(v, least);
            bits |= (uint64_t)(uint8_t)_mm256_movemask_ps(_mm256_castsi256_ps(more)) << (i * 8);
        }
        if (bits & valid[*word])
            return bits & valid[*word];
    }
    return 0;
}

/* 8 pixels; false when a lane needs the portable way: then nothing was written. */
INLINE bool running8(const uint32_t *values, const struct sluice_running_rows *rows, uint32_t i,
                     bool is_signed)
{
    const __m256i v = load(values + i), wrong = _mm256_set1_epi32(INT32_MIN);
    if (!is_signed && _mm256_testz_si256(v, v))
        return true; /* zeros change nothing */
    __m256i add = v, size = v;
    if (is_signed) {
        add = _mm256_add_epi32(v, _mm256_set1_epi32(SLUICE_RUNNING_BIAS));
        size = _mm256_abs_epi32(v);
    }
    __m256i old_max = load(rows->max + i), old_sum = load(rows->sum_low + i);
    __m256i old_squares = load(rows->square_low + i), square = _mm256_mullo_epi32(size, size);
    __m256i sum = _mm256_add_epi32(old_sum, add), squares = _mm256_add_epi32(old_squares, square);
    __m256i carry =
        _mm256_cmpgt_epi32(_mm256_xor_si256(old_sum, wrong), _mm256_xor_si256(sum, wrong));
    carry = _mm256_or_si256(carry, _mm256_cmpgt_epi32(_mm256_xor_si256(old_squares, wrong),
                                                      _mm256_xor_si256(squares, wrong)));
    /* 65536 and more, and for signed ones a negative sum with the bias: bits above the 16th. */
    carry = _mm256_or_si256(carry, _mm256_andnot_si256(_mm256_set1_epi32(65535), size));
    if (is_signed)
        carry = _mm256_or_si256(carry, _mm256_srai_epi32(add, 31));
    if (!_mm256_testz_si256(carry, carry))
        return false;
    _mm256_storeu_si256((__m256i *)(rows->sum_low + i), sum);
    _mm256_storeu_si256((__m256i *)(rows->square_low + i), squares);
    __m256i max = is_signed ? _mm256_max_epi32(old_max, v) : _mm256_max_epu32(old_max, v);
    __m256i same = _mm256_cmpeq_epi32(max, old_max);
    if (_mm256_movemask_epi8(same) != -1)
        _mm256_storeu_si256((__m256i *)(rows->max + i), max);
    return true;
}

TARGET static void running(const struct sluice_block *block, const struct sluice_running_rows *rows)
{
    uint32_t i = 0;
    for (; i + 8 <= block->count; i += 8) {
        bool all = (uint8_t)(block->valid[i / 64] >> (i % 64)) == UINT8_MAX;
        bool done = block->is_signed ? all && running8(block->small, rows, i, true)
                                     : running8(block->small, rows, i, false);
        for (uint32_t k = 0; !done && k < 8; k++)
            sluice_running_pixel(block, rows, i + k);
    }
    for (; i < block->count; i++)
        sluice_running_pixel(block, rows, i);
}

const struct sluice_kernels sluice_kernels_avx2 = {
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
