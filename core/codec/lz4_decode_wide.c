/* SPDX-License-Identifier: Apache-2.0
 *
 * The loops with 32 and 64-byte copies. A match with an offset below that is a pattern: shuffled
 * once into a vector that is stored again and again, whole patterns apart. */
#include "core/codec/lz4_decode.h"

#include "core/cpu.h"

#ifdef SLUICE_CPU_X86
#include <immintrin.h>
#include <string.h>

#include "core/codec/lz4_sequence.h"

/* Row `offset`: i % offset for i = 0 to 63; and how many bytes of a vector are whole patterns. */
static uint8_t patterns[65][64], steps_64[65], steps_16[16];

__attribute__((constructor)) static void make_patterns(void)
{
    for (unsigned offset = 1; offset <= 64; offset++) {
        for (unsigned i = 0; i < 64; i++)
            patterns[offset][i] = (uint8_t)(i % offset);
        steps_64[offset] = (uint8_t)(64 - 64 % offset);
        if (offset < 16)
            steps_16[offset] = (uint8_t)(16 - 16 % offset);
    }
}

/* --- AVX2 ---------------------------------------------------------------------------------- */

SLUICE_TARGET_AVX2 static inline void copy_32(uint8_t *to, const uint8_t *from)
{
    _mm256_storeu_si256((void *)to, _mm256_loadu_si256((const void *)from));
}

SLUICE_TARGET_AVX2 static inline void repeat_16(uint8_t *to, size_t offset, size_t bytes)
{
    const __m128i pattern = _mm_shuffle_epi8(_mm_loadu_si128((const void *)(to - offset)),
                                             _mm_loadu_si128((const void *)patterns[offset]));

    if ((offset & (offset - 1)) == 0) {
        const __m256i twice = _mm256_broadcastsi128_si256(pattern);

        for (size_t i = 0; i < bytes; i += 32)
            _mm256_storeu_si256((void *)(to + i), twice);
    } else {
        const size_t step = steps_16[offset];

        for (size_t i = 0; i < bytes; i += step)
            _mm_storeu_si128((void *)(to + i), pattern);
    }
}

SLUICE_TARGET_AVX2 static inline void match_32(uint8_t *to, size_t offset, size_t bytes)
{
    if (offset >= 32) {
        for (size_t i = 0; i < bytes; i += 32)
            copy_32(to + i, to + i - offset);
        return;
    }
    if (offset < 16) {
        repeat_16(to, offset, bytes);
        return;
    }
    for (size_t i = 0; i < bytes; i += 16)
        _mm_storeu_si128((void *)(to + i), _mm_loadu_si128((const void *)(to + i - offset)));
}

#define NAME(x)    x##_avx2
#define TARGET     SLUICE_TARGET_AVX2
#define WIDE       32
#define copy_wide  copy_32
#define copy_match match_32
#include "core/codec/lz4_decode.inc.h"
#undef copy_wide
#undef copy_match

/* --- AVX-512 ------------------------------------------------------------------------------- */

SLUICE_TARGET_AVX512 static inline void copy_64(uint8_t *to, const uint8_t *from)
{
    _mm512_storeu_si512(to, _mm512_loadu_si512(from));
}

/* Near and far ones in one way, as long as one vector suffices: a far one is a pattern as long as
 * the vector. */
SLUICE_TARGET_AVX512 static inline void match_64(uint8_t *to, size_t offset, size_t bytes)
{
    const size_t kind = offset < 64 ? offset : 64, step = steps_64[kind];
    const __m512i pattern = _mm512_permutexvar_epi8(_mm512_loadu_si512(patterns[kind]),
                                                    _mm512_loadu_si512(to - offset));

    _mm512_storeu_si512(to, pattern);
    if (__builtin_expect(bytes <= step, 1))
        return;
    if (offset >= 64) {
        for (size_t i = 64; i < bytes; i += 64)
            copy_64(to + i, to + i - offset);
    } else {
        for (size_t i = step; i < bytes; i += step)
            _mm512_storeu_si512(to + i, pattern);
    }
}
#define NAME(x)    x##_avx512
#define TARGET     SLUICE_TARGET_AVX512
#define WIDE       64
#define copy_wide  copy_64
#define copy_match match_64
#include "core/codec/lz4_decode.inc.h"

#endif
