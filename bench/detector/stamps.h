/* SPDX-License-Identifier: Apache-2.0
 *
 * When each image was handed to the socket: a file of this layout, shared with whoever maps it, so
 * that another process (the benchmark) sees how far the sender is and, later, how long an image
 * took. Filled in order of sending; one writer. */
#ifndef SLUICE_BENCH_DETECTOR_STAMPS_H
#define SLUICE_BENCH_DETECTOR_STAMPS_H

#include <stdint.h>

#include "core/error.h"

struct sluice_stamps {
    uint64_t count;        /* places */
    _Atomic uint64_t sent; /* images so far; a place is valid when its image was counted here */
    int64_t sent_ns[];     /* CLOCK_MONOTONIC by image id, right before the send; 0: not sent */
};

/* Creates the file (EXISTS when there is one) with `count` places, or maps one that exists. Close
 * unmaps; NULL is accepted. */
enum sluice_status sluice_stamps_create(const char *path, uint64_t count,
                                        struct sluice_stamps **stamps, struct sluice_error *error);
enum sluice_status sluice_stamps_open(const char *path, struct sluice_stamps **stamps,
                                      struct sluice_error *error);
void sluice_stamps_close(struct sluice_stamps *stamps);

/* Ids beyond the places are counted, not stamped. */
void sluice_stamps_put(struct sluice_stamps *stamps, uint64_t id, int64_t at_ns);

#endif
