/* SPDX-License-Identifier: Apache-2.0
 *
 * Median and range of some values. Pure; any thread. */
#ifndef SLUICE_BENCH_SPREAD_H
#define SLUICE_BENCH_SPREAD_H

#include <stddef.h>
#include <stdint.h>

#define SLUICE_SPREAD_CELL_BYTES 48

struct sluice_spread {
    double median, min, max; /* NaN without any value */
    uint32_t count;
};

/* What is not finite is left out. Sorts `values`. */
struct sluice_spread sluice_spread_of(double *values, uint32_t count);

/* "5210 [5100-5300]", without the range after one value, "-" where there is none. Returns `text`.
 */
const char *sluice_spread_cell(char text[SLUICE_SPREAD_CELL_BYTES],
                               const struct sluice_spread *spread, int decimals);

#endif
