/* SPDX-License-Identifier: Apache-2.0
 *
 * Exact: all values are kept and sorted. */
#include "bench/figures/spread.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

struct sluice_spread sluice_spread_of(double *values, uint32_t count)
{
    uint32_t good = 0;
    for (uint32_t i = 0; i < count; i++)
        if (isfinite(values[i]))
            values[good++] = values[i];
    if (good == 0)
        return (struct sluice_spread){NAN, NAN, NAN, 0};
    qsort(values, good, sizeof(values[0]), compare);
    return (struct sluice_spread){
        .median = (values[(good - 1) / 2] + values[good / 2]) / 2,
        .min = values[0],
        .max = values[good - 1],
        .count = good,
    };
}

const char *sluice_spread_cell(char text[SLUICE_SPREAD_CELL_BYTES],
                               const struct sluice_spread *spread, int decimals)
{
    if (isnan(spread->median))
        snprintf(text, SLUICE_SPREAD_CELL_BYTES, "-");
    else if (spread->count == 1)
        snprintf(text, SLUICE_SPREAD_CELL_BYTES, "%.*f", decimals, spread->median);
    else
        snprintf(text, SLUICE_SPREAD_CELL_BYTES, "%.*f [%.*f-%.*f]", decimals, spread->median,
                 decimals, spread->min, decimals, spread->max);
    return text;
}
