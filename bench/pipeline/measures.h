/* SPDX-License-Identifier: Apache-2.0
 *
 * What the rounds say: each measure of a round (and of floors and peers in the same round), and
 * its median and range over the rounds of a case. Pure; any thread. */
#ifndef SLUICE_BENCH_PIPELINE_MEASURES_H
#define SLUICE_BENCH_PIPELINE_MEASURES_H

#include "bench/figures/spread.h"
#include "bench/pipeline/pipeline.h"

enum sluice_measure {
    SLUICE_MEASURE_SECONDS,
    SLUICE_MEASURE_IMAGES_PER_S,
    SLUICE_MEASURE_GB_PER_S,
    SLUICE_MEASURE_CPU_S_PER_GB,
    SLUICE_MEASURE_CPU_US_PER_IMAGE,
    SLUICE_MEASURE_RATE_OF_DROP,   /* of PULL-and-drop in the same round */
    SLUICE_MEASURE_RATE_OF_PWRITE, /* of PULL-and-pwrite in the same round */
    SLUICE_MEASURE_RATE_OF_DISK,   /* bytes a second, of what the disk took in the same round */
    SLUICE_MEASURE_RATE_OF_LIMIT,  /* of the smaller of these two; of drop without a disk */
    SLUICE_MEASURE_RATE_OF_PYTHON, /* of the peer's in the same round */
    SLUICE_MEASURE_CPU_OF_PWRITE,  /* of PULL-and-pwrite in the same round */
    SLUICE_MEASURE_CPU_OF_PYTHON,
    SLUICE_MEASURE_EXIT_SECONDS,
    SLUICE_MEASURE_PAGE_FAULTS_PER_IMAGE,
    SLUICE_MEASURE_CONTEXT_SWITCHES_PER_IMAGE,
    SLUICE_MEASURE_WAY_NS,        /* between processors, the longer one of before and after */
    SLUICE_MEASURE_STEAL_PERCENT, /* of the time of all processors */
    SLUICE_MEASURE_START_CPU_MS,  /* before the first image was sent */
    SLUICE_MEASURE_READER_CPU_US_PER_IMAGE,
    SLUICE_MEASURE_LATENCY_P50_MS, /* complete message until visible, as the receiver says */
    SLUICE_MEASURE_LATENCY_P99_MS,
    SLUICE_MEASURE_LATENCY_MAX_MS,
    SLUICE_MEASURE_LAST_OF_FIRST_CPU, /* an image in the last tenth, of one in the first */
    SLUICE_MEASURE_LAST_OF_FIRST_WALL,
    SLUICE_MEASURE_LAST_OF_FIRST_RESIDENT,
    SLUICE_MEASURE_PATH, /* and the next: sent until stage s, quantile q: PATH + s * quantiles + q
                          */
    SLUICE_MEASURE_COUNT = SLUICE_MEASURE_PATH + SLUICE_STAGE_COUNT * SLUICE_QUANTILE_COUNT,
};

static inline enum sluice_measure sluice_measure_path(enum sluice_stage stage,
                                                      enum sluice_quantile quantile)
{
    return (enum sluice_measure)((int)SLUICE_MEASURE_PATH +
                                 (int)stage * (int)SLUICE_QUANTILE_COUNT + (int)quantile);
}

const char *sluice_receiver_name(enum sluice_receiver receiver);
/* "rate_of_drop", "sent_to_visible_p99_ms"; static text, `text` is filled where it has to be. */
const char *sluice_measure_name(enum sluice_measure measure, char text[64]);

/* Is more of it better? And is it a ratio within a round, which holds where figures drift? */
bool sluice_measure_more_is_better(enum sluice_measure measure);
bool sluice_measure_is_ratio(enum sluice_measure measure);

/* Of the valid rounds; NaN without any. */
struct sluice_spread sluice_bench_spread(const struct sluice_bench_case *result,
                                         enum sluice_receiver receiver,
                                         enum sluice_measure measure);

#endif
