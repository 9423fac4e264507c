/* SPDX-License-Identifier: Apache-2.0
 *
 * Design: non-temporal stores of whole lines, and a fence, because they are not ordered by the
 * release that hands the copy over. Every x86-64 processor has them. */
#include "core/copy.h"

#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#ifdef __SSE2__
void sluice_copy_past_cache(void *destination, const void *source, size_t bytes)
{
    uint8_t *to = destination;
    const uint8_t *from = source;
    size_t head = (size_t)(-(uintptr_t)to % 64);
    head = head < bytes ? head : bytes;
    memcpy(to, from, head);
    to += head;
    from += head;
    bytes -= head;
    for (; bytes >= 64; bytes -= 64, to += 64, from += 64) {
        __m128i a = _mm_loadu_si128((const __m128i_u *)from);
        __m128i b = _mm_loadu_si128((const __m128i_u *)(from + 16));
        __m128i c = _mm_loadu_si128((const __m128i_u *)(from + 32));
        __m128i d = _mm_loadu_si128((const __m128i_u *)(from + 48));
        _mm_stream_si128((__m128i *)to, a);
        _mm_stream_si128((__m128i *)(to + 16), b);
        _mm_stream_si128((__m128i *)(to + 32), c);
        _mm_stream_si128((__m128i *)(to + 48), d);
    }
    _mm_sfence();
    memcpy(to, from, bytes);
}
#else
void sluice_copy_past_cache(void *to, const void *from, size_t bytes)
{
    memcpy(to, from, bytes);
}
#endif
