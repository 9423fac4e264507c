/* SPDX-License-Identifier: Apache-2.0
 *
 * The micro-benchmarks, one function a subject that registers them. What they need (images,
 * messages, files) is made at the first run that wants it, so listing them is quick. */
#ifndef SLUICE_BENCH_MICRO_MICRO_H
#define SLUICE_BENCH_MICRO_MICRO_H

#include "bench/shim/bench.h"
#include "core/histogram.h"

void sluice_micro_ring(void);
void sluice_micro_ring_ck(void); /* the same loops over Concurrency Kit's ring, for comparison */
void sluice_micro_wake(void);
void sluice_micro_codec(void);
void sluice_micro_kinds(void);
void sluice_micro_protocol(void);
void sluice_micro_core(void);
void sluice_micro_planes(void);
void sluice_micro_survey(void);
void sluice_micro_writer(void);

/* p50_ns, p99_ns, p99.9_ns and max_ns as counters. */
void sluice_micro_percentiles(struct sluice_bench *bench, const struct sluice_histogram *histogram);

#endif
