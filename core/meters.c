/* SPDX-License-Identifier: Apache-2.0
 *
 * Design: bound 2k is 2^(10 + k) ns and bound 2k + 1 is half an octave more, so a value's bucket is
 * its highest bit and the one behind it. The count is the sum of the buckets that were read, so it
 * always agrees with them. */
#include "core/meters.h"

#include <string.h>

#include "core/counters_layout.h"

static const struct {
    const char *name, *help;
} infos[] = {
#define X(name, text, help) {text, help},
#include "core/meters.def"
#undef X
};

const char *sluice_meter_name(enum sluice_meter meter)
{
    return infos[meter].name;
}

const char *sluice_meter_help(enum sluice_meter meter)
{
    return infos[meter].help;
}

uint64_t sluice_meter_bound_ns(unsigned bucket)
{
    const uint64_t octave = UINT64_C(1) << (SLUICE_METER_LOWEST_BITS + bucket / 2);
    return bucket % 2 == 0 ? octave : octave + octave / 2;
}

static unsigned bucket_of(uint64_t ns)
{
    if (ns <= UINT64_C(1) << SLUICE_METER_LOWEST_BITS)
        return 0;
    const unsigned octave = 63u - (unsigned)__builtin_clzll(ns - 1);
    const unsigned upper_half = (unsigned)((ns - 1) >> (octave - 1)) & 1u;
    const unsigned bucket = (octave - SLUICE_METER_LOWEST_BITS) * 2 + 1 + upper_half;
    return bucket < SLUICE_METER_BOUNDS ? bucket : SLUICE_METER_BOUNDS;
}

static void add(_Atomic uint64_t *cell, uint64_t n)
{
    sluice_store_relaxed(cell, sluice_load_relaxed(cell) + n);
}

void sluice_meter_record(struct sluice_counters *counters, enum sluice_meter meter, int64_t ns)
{
    if (counters == NULL)
        return;
    struct sluice_meter_cells *cells = &counters->meters[meter];
    const uint64_t value = ns > 0 ? (uint64_t)ns : 0;
    add(&cells->buckets[bucket_of(value)], 1);
    add(&cells->sum_ns, value);
}

void sluice_meter_read(const struct sluice_counters *counters, enum sluice_meter meter,
                       struct sluice_meter_values *values)
{
    memset(values, 0, sizeof(*values));
    if (counters == NULL)
        return;
    const struct sluice_meter_cells *cells = &counters->meters[meter];
    for (unsigned i = 0; i < SLUICE_METER_BOUNDS; i++) {
        values->count += sluice_load_relaxed(&cells->buckets[i]);
        values->at_most[i] = values->count;
    }
    values->count += sluice_load_relaxed(&cells->buckets[SLUICE_METER_BOUNDS]);
    values->sum_ns = sluice_load_relaxed(&cells->sum_ns);
}
