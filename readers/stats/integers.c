/* SPDX-License-Identifier: Apache-2.0
 *
 * The loops over 8, 16 and 32-bit pixels, one copy a type from integers.inc.h.
 *
 * DESIGN. A row is cut into segments of at most 256 pixels. Within a segment every sum of 8 and
 * 16-bit pixels fits 32 bits, so that the compiler keeps all of them in vector lanes of one width;
 * the centre of mass uses the pixel's place in its segment. After each segment the partial sums go
 * into 128-bit totals, shifted to their column, so that nothing ever overflows and integer results
 * are exact. Invalid pixels are replaced by neutral values instead of being branched over. */
#include "readers/stats/integers.h"

#include <string.h>

/* Sums of place times value in a segment stay below 2^32 for 16-bit pixels: 255·256/2 · 65535. */
#define SEGMENT 256u

/* One copy for the machine's base, one for AVX2 where the loader finds it. Not under sanitizers,
 * whose runtimes are not up yet when the loader asks. */
#if defined(__x86_64__) && defined(__gnu_linux__) && !defined(__SANITIZE_ADDRESS__) &&             \
    !defined(__SANITIZE_THREAD__) && defined(__OPTIMIZE__) && !defined(__clang__)
#define CLONES __attribute__((target_clones("avx2", "default")))
#else
#define CLONES
#endif

#define PIXEL       uint8_t
#define LANE        int32_t
#define SUM         uint32_t
#define SQUARE      uint32_t
#define SQUARE_HALF 16
#define NO_DATA     UINT8_MAX
#define LOWEST      (-1)
#define HIGHEST     UINT8_MAX
#define NAME(x)     x##_u8
#include "readers/stats/integers.inc.h"

#define PIXEL       uint16_t
#define LANE        int32_t
#define SUM         uint32_t
#define SQUARE      uint32_t
#define SQUARE_HALF 16
#define NO_DATA     UINT16_MAX
#define LOWEST      (-1)
#define HIGHEST     UINT16_MAX
#define NAME(x)     x##_u16
#include "readers/stats/integers.inc.h"

#define PIXEL       uint32_t
#define LANE        int64_t
#define SUM         uint64_t
#define SQUARE      uint64_t
#define SQUARE_HALF 32
#define NO_DATA     UINT32_MAX
#define LOWEST      (-1)
#define HIGHEST     UINT32_MAX
#define NAME(x)     x##_u32
#include "readers/stats/integers.inc.h"

#define PIXEL       int8_t
#define LANE        int32_t
#define SUM         int32_t
#define SQUARE      uint32_t
#define SQUARE_HALF 16
#define NO_DATA     INT8_MIN
#define LOWEST      INT8_MIN
#define HIGHEST     INT8_MAX
#define NAME(x)     x##_i8
#include "readers/stats/integers.inc.h"

#define PIXEL       int16_t
#define LANE        int32_t
#define SUM         int32_t
#define SQUARE      uint32_t
#define SQUARE_HALF 16
#define NO_DATA     INT16_MIN
#define LOWEST      INT16_MIN
#define HIGHEST     INT16_MAX
#define NAME(x)     x##_i16
#include "readers/stats/integers.inc.h"

#define PIXEL       int32_t
#define LANE        int64_t
#define SUM         int64_t
#define SQUARE      uint64_t
#define SQUARE_HALF 32
#define NO_DATA     INT32_MIN
#define LOWEST      INT32_MIN
#define HIGHEST     INT32_MAX
#define NAME(x)     x##_i32
#include "readers/stats/integers.inc.h"

bool sluice_totals_small(const void *pixels, uint32_t width, uint32_t height,
                         enum sluice_dtype dtype, const uint32_t *mask, int64_t limit,
                         struct sluice_totals *totals)
{
    memset(totals, 0, sizeof(*totals));
    switch (dtype) {
    case SLUICE_U8:
        plane_u8(pixels, width, height, mask, limit, totals);
        return true;
    case SLUICE_U16:
        plane_u16(pixels, width, height, mask, limit, totals);
        return true;
    case SLUICE_U32:
        plane_u32(pixels, width, height, mask, limit, totals);
        return true;
    case SLUICE_I8:
        plane_i8(pixels, width, height, mask, limit, totals);
        return true;
    case SLUICE_I16:
        plane_i16(pixels, width, height, mask, limit, totals);
        return true;
    case SLUICE_I32:
        plane_i32(pixels, width, height, mask, limit, totals);
        return true;
    default:
        return false;
    }
}
