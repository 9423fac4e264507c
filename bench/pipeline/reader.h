/* SPDX-License-Identifier: Apache-2.0
 *
 * A live reader as users write one, on readers/follow: each image as it becomes visible, its pixels
 * decoded and held against the checksum, and the times of both. A process of its own. Blocks. */
#ifndef SLUICE_BENCH_PIPELINE_READER_H
#define SLUICE_BENCH_PIPELINE_READER_H

#include <stdint.h>

#include "core/error.h"

struct sluice_bench_reader_settings {
    const char *path; /* a file of the set, which may not be there yet */
    const char *file; /* gets an array of struct sluice_passage; must not exist */
};

struct sluice_bench_reader_report {
    uint64_t images;    /* written ones that were read, every plane */
    double cpu_seconds; /* from the first image on */
};

/* Until the series has ended. TIMEOUT: nothing new came for 60 s. Any fault of the follower, of a
 * damaged image too. */
enum sluice_status sluice_bench_read(const struct sluice_bench_reader_settings *settings,
                                     struct sluice_bench_reader_report *report,
                                     struct sluice_error *error);

#endif
