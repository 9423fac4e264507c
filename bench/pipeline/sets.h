/* SPDX-License-Identifier: Apache-2.0
 *
 * The data sets of the benchmark, by name, as options of `sluice simulate`. Static data. */
#ifndef SLUICE_BENCH_PIPELINE_SETS_H
#define SLUICE_BENCH_PIPELINE_SETS_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/pipeline/process.h"

struct sluice_bench_set {
    const char *name;
    const char *captured; /* folder below data/stream2 of the shared data; NULL: always made */
    const char *detector; /* the model it is made of, where there is no captured data */
    const char *channels, *encoding;
    uint64_t images;       /* of a burst, unless told otherwise */
    uint64_t quick_images; /* of a smoke test */
    uint32_t bytes_about;  /* of an image message, for the space that a round needs */
    const char *description;
};

/* NULL past the last one, or when there is none of that name. */
const struct sluice_bench_set *sluice_bench_set_at(uint32_t index);
const struct sluice_bench_set *sluice_bench_set_find(const char *name);

/* Where the captured messages of a set are: in $SLUICE_SHARED, or in ../shared seen from here.
 * False: there are none, and its frames are made. */
bool sluice_bench_set_captured(const struct sluice_bench_set *set, char *path, size_t bytes);

/* Adds --replay or --detector and what belongs to it. `replay` is borrowed; NULL: made. */
void sluice_bench_set_arguments(const struct sluice_bench_set *set, const char *replay,
                                struct sluice_arguments *arguments);

#endif
