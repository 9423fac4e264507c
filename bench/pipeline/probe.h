/* SPDX-License-Identifier: Apache-2.0
 *
 * What the machine did besides what was measured. A host may move virtual processors about: a line
 * of cache then takes several times as long from one to the other, and everything that passes data
 * between processes (sender, loopback, receiver) is half as fast. That cannot be prevented from
 * inside, only seen. Any thread. */
#ifndef SLUICE_BENCH_PIPELINE_PROBE_H
#define SLUICE_BENCH_PIPELINE_PROBE_H

#include <stdbool.h>
#include <stdint.h>

/* The first two processors that this process may use. False: there is but one. */
bool sluice_probe_processors(int processors[2]);

/* How long a line of cache takes from one of the two to the other: a median, in ns; NaN with one
 * processor or without a thread. Takes milliseconds, more where both are busy. */
double sluice_probe_way_ns(void);

/* What the host gave to others while processors here had work, in percent of the time of all of
 * them since begin; NaN when the system does not say. It counts in hundredths of a second. */
struct sluice_probe_steal {
    double seconds;
    int64_t begin_ns;
};
struct sluice_probe_steal sluice_probe_steal_begin(void);
double sluice_probe_steal_percent(const struct sluice_probe_steal *since);

#endif
