/* SPDX-License-Identifier: Apache-2.0
 *
 * The way of each image in time: sent (stamped by the sender), received whole, written, visible to
 * a reader, read and decoded there. All on one host, so one clock: CLOCK_MONOTONIC, ns. */
#ifndef SLUICE_BENCH_PIPELINE_LATENCY_H
#define SLUICE_BENCH_PIPELINE_LATENCY_H

#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"

/* One image of a reader's file; 0: not known. The file is an array of these. */
struct sluice_passage {
    uint64_t image;
    int64_t received_ns, written_ns, visible_ns, read_ns;
};

enum sluice_stage {
    SLUICE_STAGE_RECEIVED,
    SLUICE_STAGE_WRITTEN,
    SLUICE_STAGE_VISIBLE,
    SLUICE_STAGE_READ,
    SLUICE_STAGE_COUNT,
};
enum sluice_quantile {
    SLUICE_P50,
    SLUICE_P90,
    SLUICE_P99,
    SLUICE_P99_9,
    SLUICE_P100, /* the longest */
    SLUICE_QUANTILE_COUNT,
};
const char *sluice_stage_name(enum sluice_stage stage);
const char *sluice_quantile_name(enum sluice_quantile quantile);

/* From sent until each stage. `has`: every image was timed there. */
struct sluice_latency {
    bool has[SLUICE_STAGE_COUNT];
    double ms[SLUICE_STAGE_COUNT][SLUICE_QUANTILE_COUNT];
    uint64_t images; /* distinct ones in the reader's file */
};

/* From the sender's stamps and a reader's file. IO, MALFORMED, NO_MEMORY. */
enum sluice_status sluice_latency_load(const char *stamps, const char *passages,
                                       struct sluice_latency *latency, struct sluice_error *error);

#endif
