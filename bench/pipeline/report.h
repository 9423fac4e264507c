/* SPDX-License-Identifier: Apache-2.0
 *
 * What the rounds say: medians and ranges, as a table for people and as JSON with every round. */
#ifndef SLUICE_BENCH_PIPELINE_REPORT_H
#define SLUICE_BENCH_PIPELINE_REPORT_H

#include <stdio.h>

#include "bench/pipeline/pipeline.h"

enum sluice_measure {
    SLUICE_MEASURE_SECONDS,
    SLUICE_MEASURE_IMAGES_PER_S,
    SLUICE_MEASURE_GB_PER_S,
    SLUICE_MEASURE_CPU_S_PER_GB,
    SLUICE_MEASURE_CPU_US_PER_IMAGE,
    SLUICE_MEASURE_RATE_OF_DROP,  /* of PULL-and-drop in the same round */
    SLUICE_MEASURE_RATE_OF_DISK,  /* bytes a second, of what the disk took in the same round */
    SLUICE_MEASURE_CPU_OF_PWRITE, /* of PULL-and-pwrite in the same round */
    SLUICE_MEASURE_EXIT_SECONDS,
    SLUICE_MEASURE_PAGE_FAULTS_PER_IMAGE,
    SLUICE_MEASURE_LATENCY_P50_MS,
    SLUICE_MEASURE_LATENCY_P99_MS,
    SLUICE_MEASURE_LATENCY_MAX_MS,
    SLUICE_MEASURE_COUNT,
};

struct sluice_spread {
    double median, min, max; /* of the valid rounds; NaN without any */
};

const char *sluice_receiver_name(enum sluice_receiver receiver);

struct sluice_spread sluice_bench_spread(const struct sluice_bench_case *result,
                                         enum sluice_receiver receiver,
                                         enum sluice_measure measure);

/* The targets are for r500k3 to a disk; the rate counts in a burst. */
bool sluice_bench_has_targets(const struct sluice_bench_case *result);

void sluice_bench_print_head(FILE *stream, const struct sluice_machine *machine);
void sluice_bench_print_case(FILE *stream, const struct sluice_bench_case *result);
void sluice_bench_json(const struct sluice_bench_results *results, struct sluice_json *json);

#endif
