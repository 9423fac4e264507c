/* SPDX-License-Identifier: Apache-2.0
 *
 * Statistics of a plane from exact totals.
 *
 * DESIGN. Three ways, by pixel type:
 *   - integers of up to 32 bits: one pass (integers.c) gives exact 128-bit totals; the variance is
 *     (n·Σv² − (Σv)²) / n², exact until the one division;
 *   - 64-bit integers: n·Σv² would need 192 bits, so a second pass sums squared distances from the
 *     exact mean in compensated long double: no cancellation, right to the last bits of a double;
 *   - floats: two passes with compensated sums.
 * Min, max, sum and the counts of integers are exact for all types. */
#include "readers/stats/stats.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "readers/stats/compensated.h"
#include "readers/stats/integers.h"

static bool masked(const uint32_t *mask, size_t i)
{
    return mask && (mask[i] & 0xFFFF) != 0;
}

static void centre(struct sluice_stats *stats, long double sum, long double sum_x,
                   long double sum_y)
{
    stats->com_x = sum != 0 ? (double)(sum_x / sum) : NAN;
    stats->com_y = sum != 0 ? (double)(sum_y / sum) : NAN;
}

void sluice_stats_without_centre(struct sluice_stats *stats)
{
    stats->com_x = stats->com_y = NAN;
}

static void no_values(struct sluice_stats *stats, bool has_saturated)
{
    memset(stats, 0, sizeof(*stats));
    stats->mean = stats->std = stats->com_x = stats->com_y = NAN;
    stats->min_float = stats->max_float = stats->sum_float = NAN;
    stats->has_saturated = has_saturated;
}

void sluice_stats_of_totals(const struct sluice_totals *t, uint64_t pixels, bool has_saturated,
                            struct sluice_stats *stats)
{
    no_values(stats, has_saturated);
    stats->valid = t->valid;
    stats->invalid = pixels - t->valid;
    stats->zero = t->zero;
    stats->saturated = t->above;
    if (t->valid == 0)
        return;
    stats->min = t->min;
    stats->max = t->max;
    stats->sum = t->sum;
    long double n = (long double)t->valid;
    stats->mean = (double)((long double)t->sum / n);
    unsigned __int128 magnitude = (unsigned __int128)(t->sum < 0 ? -t->sum : t->sum);
    unsigned __int128 spread = t->squares * t->valid - magnitude * magnitude;
    stats->std = (double)(sqrtl((long double)spread) / n);
    centre(stats, (long double)t->sum, (long double)t->sum_x, (long double)t->sum_y);
}

static void plane_small(const void *pixels, uint32_t width, uint32_t height,
                        enum sluice_dtype dtype, const uint32_t *mask, const int64_t *saturation,
                        struct sluice_stats *stats)
{
    struct sluice_totals t;
    sluice_totals_small(pixels, width, height, dtype, mask, saturation ? *saturation : INT64_MAX,
                        &t);
    sluice_stats_of_totals(&t, (uint64_t)width * height, saturation != NULL, stats);
}

/* Σ x·v and Σ y·v of 64-bit pixels pass 128 bits only beyond 2^31 pixels, which are refused. */
struct wide {
    __int128 min, max, sum, sum_x, sum_y;
};

static inline bool wide_pixel(const void *pixels, size_t i, bool is_signed, __int128 *v)
{
    if (is_signed) {
        int64_t s = ((const int64_t *)pixels)[i];
        *v = s;
        return s != INT64_MIN;
    }
    uint64_t u = ((const uint64_t *)pixels)[i];
    *v = u;
    return u != UINT64_MAX;
}

static double wide_std(const void *pixels, size_t count, bool is_signed, const uint32_t *mask,
                       __int128 sum, uint64_t valid)
{
    /* The mean as an exact whole part (towards zero) and a fraction. */
    __int128 whole = sum / (__int128)valid;
    long double fraction = (long double)(sum % (__int128)valid) / (long double)valid;
    struct compensated squares = {0, 0};
    for (size_t i = 0; i < count; i++) {
        __int128 v;
        if (!wide_pixel(pixels, i, is_signed, &v) || masked(mask, i))
            continue;
        long double distance = (long double)(v - whole) - fraction;
        compensated_add(&squares, distance * distance);
    }
    return (double)sqrtl(compensated_value(&squares) / (long double)valid);
}

static void plane_wide(const void *pixels, uint32_t width, uint32_t height, bool is_signed,
                       const uint32_t *mask, const int64_t *saturation, struct sluice_stats *stats)
{
    struct wide t = {0};
    for (uint32_t y = 0; y < height; y++) {
        __int128 row_sum = 0;
        for (uint32_t x = 0; x < width; x++) {
            size_t i = (size_t)y * width + x;
            __int128 v;
            if (!wide_pixel(pixels, i, is_signed, &v) || masked(mask, i))
                continue;
            if (stats->valid == 0 || v < t.min)
                t.min = v;
            if (stats->valid == 0 || v > t.max)
                t.max = v;
            stats->valid++;
            stats->zero += v == 0;
            stats->saturated += saturation && v > *saturation;
            row_sum += v;
            t.sum_x += v * x;
        }
        t.sum += row_sum;
        t.sum_y += row_sum * y;
    }
    if (stats->valid == 0)
        return;
    stats->min = t.min;
    stats->max = t.max;
    stats->sum = t.sum;
    stats->mean = (double)((long double)t.sum / (long double)stats->valid);
    stats->std = wide_std(pixels, (size_t)width * height, is_signed, mask, t.sum, stats->valid);
    centre(stats, (long double)t.sum, (long double)t.sum_x, (long double)t.sum_y);
}

static inline double float_pixel(const void *pixels, size_t i, bool is_double)
{
    return is_double ? ((const double *)pixels)[i] : (double)((const float *)pixels)[i];
}

static void plane_float(const void *pixels, uint32_t width, uint32_t height, bool is_double,
                        const uint32_t *mask, const int64_t *saturation, struct sluice_stats *stats)
{
    struct compensated sum = {0, 0}, sum_x = {0, 0}, sum_y = {0, 0}, squares = {0, 0};
    double lowest = INFINITY, highest = -INFINITY;
    size_t count = (size_t)width * height;
    for (uint32_t y = 0; y < height; y++) {
        struct compensated row = {0, 0};
        for (uint32_t x = 0; x < width; x++) {
            size_t i = (size_t)y * width + x;
            double v = float_pixel(pixels, i, is_double);
            if (!isfinite(v) || masked(mask, i))
                continue;
            stats->valid++;
            stats->zero += v == 0;
            stats->saturated += saturation && (long double)v > (long double)*saturation;
            lowest = v < lowest ? v : lowest;
            highest = v > highest ? v : highest;
            compensated_add(&row, v);
            compensated_add(&sum_x, (long double)v * x);
        }
        compensated_add(&sum, row.sum);
        compensated_add(&sum, row.rest);
        compensated_add(&sum_y, compensated_value(&row) * y);
    }
    if (stats->valid == 0)
        return;
    long double n = (long double)stats->valid, total = compensated_value(&sum), mean = total / n;
    for (size_t i = 0; i < count; i++) {
        double v = float_pixel(pixels, i, is_double);
        if (!isfinite(v) || masked(mask, i))
            continue;
        compensated_add(&squares, ((long double)v - mean) * ((long double)v - mean));
    }
    stats->min_float = lowest;
    stats->max_float = highest;
    stats->sum_float = (double)total;
    stats->mean = (double)mean;
    stats->std = (double)sqrtl(compensated_value(&squares) / n);
    centre(stats, total, compensated_value(&sum_x), compensated_value(&sum_y));
}

enum sluice_status sluice_stats_plane(const void *pixels, uint32_t width, uint32_t height,
                                      enum sluice_dtype dtype, const uint32_t *mask,
                                      const int64_t *saturation, struct sluice_stats *stats)
{
    no_values(stats, saturation != NULL);
    if ((uint64_t)width * height > SLUICE_STATS_PIXELS_MAX)
        return SLUICE_LIMIT;
    switch (dtype) {
    case SLUICE_U8:
    case SLUICE_U16:
    case SLUICE_U32:
    case SLUICE_I8:
    case SLUICE_I16:
    case SLUICE_I32:
        plane_small(pixels, width, height, dtype, mask, saturation, stats);
        break;
    case SLUICE_U64:
    case SLUICE_I64:
        plane_wide(pixels, width, height, dtype == SLUICE_I64, mask, saturation, stats);
        break;
    case SLUICE_F32:
    case SLUICE_F64:
        stats->is_float = true;
        plane_float(pixels, width, height, dtype == SLUICE_F64, mask, saturation, stats);
        break;
    default:
        return SLUICE_UNSUPPORTED;
    }
    stats->invalid = (uint64_t)width * height - stats->valid;
    return SLUICE_OK;
}
