/* SPDX-License-Identifier: Apache-2.0
 *
 * The loops of integers.inc.h for all types at one level of instructions, included by integers.c
 * once a level (so: no include guard).
 *
 *   TARGET      its instructions
 *   LEVEL(x)    the level's name of x
 */
#define PIXEL       uint8_t
#define LANE        int32_t
#define SUM         uint32_t
#define SQUARE      uint32_t
#define SQUARE_HALF 16
#define NO_DATA     UINT8_MAX
#define LOWEST      (-1)
#define HIGHEST     UINT8_MAX
#define NAME(x)     LEVEL(x##_u8)
#include "readers/stats/integers.inc.h"

#define PIXEL       uint16_t
#define LANE        int32_t
#define SUM         uint32_t
#define SQUARE      uint32_t
#define SQUARE_HALF 16
#define NO_DATA     UINT16_MAX
#define LOWEST      (-1)
#define HIGHEST     UINT16_MAX
#define NAME(x)     LEVEL(x##_u16)
#include "readers/stats/integers.inc.h"

#define PIXEL       uint32_t
#define LANE        int64_t
#define SUM         uint64_t
#define SQUARE      uint64_t
#define SQUARE_HALF 32
#define NO_DATA     UINT32_MAX
#define LOWEST      (-1)
#define HIGHEST     UINT32_MAX
#define NAME(x)     LEVEL(x##_u32)
#include "readers/stats/integers.inc.h"

#define PIXEL       int8_t
#define LANE        int32_t
#define SUM         int32_t
#define SQUARE      uint32_t
#define SQUARE_HALF 16
#define NO_DATA     INT8_MIN
#define LOWEST      INT8_MIN
#define HIGHEST     INT8_MAX
#define NAME(x)     LEVEL(x##_i8)
#include "readers/stats/integers.inc.h"

#define PIXEL       int16_t
#define LANE        int32_t
#define SUM         int32_t
#define SQUARE      uint32_t
#define SQUARE_HALF 16
#define NO_DATA     INT16_MIN
#define LOWEST      INT16_MIN
#define HIGHEST     INT16_MAX
#define NAME(x)     LEVEL(x##_i16)
#include "readers/stats/integers.inc.h"

#define PIXEL       int32_t
#define LANE        int64_t
#define SUM         int64_t
#define SQUARE      uint64_t
#define SQUARE_HALF 32
#define NO_DATA     INT32_MIN
#define LOWEST      INT32_MIN
#define HIGHEST     INT32_MAX
#define NAME(x)     LEVEL(x##_i32)
#include "readers/stats/integers.inc.h"

TARGET static bool LEVEL(totals)(const void *pixels, uint32_t width, uint32_t height,
                                 enum sluice_dtype dtype, const uint32_t *mask, int64_t limit,
                                 struct sluice_totals *totals)
{
    switch (dtype) {
    case SLUICE_U8:
        LEVEL(plane_u8)(pixels, width, height, mask, limit, totals);
        return true;
    case SLUICE_U16:
        LEVEL(plane_u16)(pixels, width, height, mask, limit, totals);
        return true;
    case SLUICE_U32:
        LEVEL(plane_u32)(pixels, width, height, mask, limit, totals);
        return true;
    case SLUICE_I8:
        LEVEL(plane_i8)(pixels, width, height, mask, limit, totals);
        return true;
    case SLUICE_I16:
        LEVEL(plane_i16)(pixels, width, height, mask, limit, totals);
        return true;
    case SLUICE_I32:
        LEVEL(plane_i32)(pixels, width, height, mask, limit, totals);
        return true;
    default:
        return false;
    }
}

#undef TARGET
#undef LEVEL
