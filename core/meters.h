/* SPDX-License-Identifier: Apache-2.0
 *
 * Histograms of durations that run along with the program, for programs that collect them: fixed
 * buckets, two an octave from 1 us to 17 s, which only grow. They live with the counters of the
 * process, in its own memory; the table is meters.def.
 *
 * One thread records into each, with plain relaxed stores, wait-free; any thread reads. A reader
 * sees every bucket whole, and counts only what it saw. Durations in ns. */
#ifndef SLUICE_CORE_METERS_H
#define SLUICE_CORE_METERS_H

#include "core/counters.h"

enum sluice_meter {
#define X(name, text, help) SLUICE_METER_##name,
#include "core/meters.def"
#undef X
    SLUICE_METER_COUNT,
};

#define SLUICE_METER_LOWEST_BITS 10 /* the first bound is 2^10 ns */
#define SLUICE_METER_BOUNDS      49 /* the last is 2^34 ns */

struct sluice_meter_cells {
    _Atomic uint64_t buckets[SLUICE_METER_BOUNDS + 1]; /* the last one: above every bound */
    _Atomic uint64_t sum_ns;
};

struct sluice_meter_values {
    uint64_t at_most[SLUICE_METER_BOUNDS]; /* values at or below each bound */
    uint64_t count, sum_ns;
};

const char *sluice_meter_name(enum sluice_meter meter);
const char *sluice_meter_help(enum sluice_meter meter);
/* 1024, 1536, 2048, 3072, … */
uint64_t sluice_meter_bound_ns(unsigned bucket);

/* The recording thread only; negative values count as 0. NULL counters are accepted. */
void sluice_meter_record(struct sluice_counters *counters, enum sluice_meter meter, int64_t ns);
/* Any thread. */
void sluice_meter_read(const struct sluice_counters *counters, enum sluice_meter meter,
                       struct sluice_meter_values *values);

#endif
