/* SPDX-License-Identifier: Apache-2.0
 *
 * The loops over 8, 16 and 32-bit pixels: one copy a type and level of instructions, which the
 * compiler makes vectors of.
 *
 * DESIGN. A row is cut into segments of at most 256 pixels. Within a segment every sum of 8 and
 * 16-bit pixels fits 32 bits, so that the compiler keeps all of them in vector lanes of one width;
 * the centre of mass uses the pixel's place in its segment. After each segment the partial sums go
 * into 128-bit totals, shifted to their column, so that nothing ever overflows and integer results
 * are exact. Invalid pixels are replaced by neutral values instead of being branched over. */
#include "readers/stats/integers.h"

#include <string.h>

#include "core/cpu.h"

/* Sums of place times value in a segment stay below 2^32 for 16-bit pixels: 255·256/2 · 65535. */
#define SEGMENT 256u

#define TARGET
#define LEVEL(x) x##_scalar
#include "readers/stats/integers_types.inc.h"

#ifdef SLUICE_CPU_X86
#define TARGET   SLUICE_TARGET_AVX2
#define LEVEL(x) x##_avx2
#include "readers/stats/integers_types.inc.h"

#define TARGET   SLUICE_TARGET_AVX512
#define LEVEL(x) x##_avx512
#include "readers/stats/integers_types.inc.h"
#endif

bool sluice_totals_small(const void *pixels, uint32_t width, uint32_t height,
                         enum sluice_dtype dtype, const uint32_t *mask, int64_t limit,
                         struct sluice_totals *totals)
{
    memset(totals, 0, sizeof(*totals));
#ifdef SLUICE_CPU_X86
    switch (sluice_cpu_level()) {
    case SLUICE_CPU_AVX512:
        return totals_avx512(pixels, width, height, dtype, mask, limit, totals);
    case SLUICE_CPU_AVX2:
        return totals_avx2(pixels, width, height, dtype, mask, limit, totals);
    case SLUICE_CPU_SCALAR:
        break;
    }
#endif
    return totals_scalar(pixels, width, height, dtype, mask, limit, totals);
}
