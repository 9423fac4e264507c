/* SPDX-License-Identifier: Apache-2.0
 *
 * Neumaier's sum: keeps what rounding drops. Private to the room; zeroed memory is an empty sum. */
#ifndef SLUICE_READERS_STATS_COMPENSATED_H
#define SLUICE_READERS_STATS_COMPENSATED_H

#include <math.h>

struct compensated {
    long double sum, rest;
};

static inline void compensated_add(struct compensated *c, long double v)
{
    long double t = c->sum + v;
    if (fabsl(c->sum) >= fabsl(v))
        c->rest += (c->sum - t) + v;
    else
        c->rest += (v - t) + c->sum;
    c->sum = t;
}

static inline long double compensated_value(const struct compensated *c)
{
    /* Once infinite the rest is NaN (inf - inf): the sum alone says what happened. */
    return isfinite(c->sum) ? c->sum + c->rest : c->sum;
}

#endif
