/* SPDX-License-Identifier: Apache-2.0
 *
 * Histograms of whole planes of pixels of any type, and masks as bit planes. */
#include <math.h>
#include <string.h>

#include "readers/stats/payload.h"

static void count_real(struct sluice_histogram_counts *histogram, double value)
{
    if (value < 0)
        histogram->negative++;
    else
        histogram
            ->bins[value < histogram->bin_count - 1 ? (uint32_t)value : histogram->bin_count - 1]++;
}

#define COUNT_INTEGERS(type, no_data, is_below)                                                    \
    for (size_t i = 0; i < count; i++) {                                                           \
        type v = ((const type *)pixels)[i];                                                        \
        if (v == (no_data) || (mask && (mask[i] & 0xFFFF) != 0))                                   \
            continue;                                                                              \
        if (is_below)                                                                              \
            histogram->negative++;                                                                 \
        else                                                                                       \
            histogram->bins[(uint64_t)v < last ? (uint64_t)v : last]++;                            \
    }

#define COUNT_REALS(type)                                                                          \
    for (size_t i = 0; i < count; i++) {                                                           \
        double v = (double)((const type *)pixels)[i];                                              \
        if (isfinite(v) && (!mask || (mask[i] & 0xFFFF) == 0))                                     \
            count_real(histogram, v);                                                              \
    }

enum sluice_status sluice_histogram_plane(struct sluice_histogram_counts *histogram,
                                          const void *pixels, size_t count, enum sluice_dtype dtype,
                                          const uint32_t *mask)
{
    const uint64_t last = histogram->bin_count - 1;

    switch (dtype) {
    case SLUICE_U8:
        COUNT_INTEGERS(uint8_t, UINT8_MAX, false)
        break;
    case SLUICE_U16:
        COUNT_INTEGERS(uint16_t, UINT16_MAX, false)
        break;
    case SLUICE_U32:
        COUNT_INTEGERS(uint32_t, UINT32_MAX, false)
        break;
    case SLUICE_U64:
        COUNT_INTEGERS(uint64_t, UINT64_MAX, false)
        break;
    case SLUICE_I8:
        COUNT_INTEGERS(int8_t, INT8_MIN, v < 0)
        break;
    case SLUICE_I16:
        COUNT_INTEGERS(int16_t, INT16_MIN, v < 0)
        break;
    case SLUICE_I32:
        COUNT_INTEGERS(int32_t, INT32_MIN, v < 0)
        break;
    case SLUICE_I64:
        COUNT_INTEGERS(int64_t, INT64_MIN, v < 0)
        break;
    case SLUICE_F32:
        COUNT_REALS(float)
        break;
    case SLUICE_F64:
        COUNT_REALS(double)
        break;
    default:
        return SLUICE_UNSUPPORTED;
    }
    return SLUICE_OK;
}

size_t sluice_mask_plane_bytes(uint32_t width, uint32_t height)
{
    return (((size_t)width * height + 511) / 512 + 1) * 64;
}

void sluice_mask_plane_fill(uint8_t *bits, const uint32_t *mask, uint32_t width, uint32_t height)
{
    memset(bits, 0, sluice_mask_plane_bytes(width, height));
    for (size_t i = 0; i < (size_t)width * height; i++)
        bits[i / 8] |= (uint8_t)(((mask[i] & 0xFFFF) != 0 ? 1u : 0u) << (i % 8));
}
