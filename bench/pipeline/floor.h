/* SPDX-License-Identifier: Apache-2.0
 *
 * The floors: what receiving costs when nothing is done with a message, and when it is only written
 * down. Each runs in a process of its own, so that its CPU time can be taken like that of `sluice
 * ingest`. One thread beside libzmq's. */
#ifndef SLUICE_BENCH_PIPELINE_FLOOR_H
#define SLUICE_BENCH_PIPELINE_FLOOR_H

#include <stdint.h>

#include "core/error.h"

struct sluice_floor_settings {
    const char *endpoint; /* connected to, as `sluice ingest` does */
    const char *file; /* each message is written here, in pieces of at most 1 MiB; NULL: dropped */
    uint64_t images;  /* it ends after so many, their start and their end message */
};

/* Received or written from the first image complete to the last message, or the close of the file.
 */
struct sluice_floor_report {
    uint64_t messages, bytes;
    double seconds;
};

/* Blocks. TIMEOUT when nothing comes for 60 s, IO, NO_SPACE. */
enum sluice_status sluice_floor_run(const struct sluice_floor_settings *settings,
                                    struct sluice_floor_report *report, struct sluice_error *error);

#endif
