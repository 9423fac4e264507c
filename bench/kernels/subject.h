/* SPDX-License-Identifier: Apache-2.0
 *
 * What codec and statistics kernels work on: 16M images of one type, and their stock bslz4 streams.
 * Private to the room. */
#ifndef SLUICE_BENCH_KERNELS_SUBJECT_H
#define SLUICE_BENCH_KERNELS_SUBJECT_H

#include "bench/data/frames.h"
#include "bench/kernels/kernels.h"

#define SLUICE_SUBJECT_FRAMES 3 /* in turn: no cache holds source and result of the last time */

struct sluice_subject {
    const char *name; /* "u16" */
    size_t element_bytes;
    struct sluice_frames frames;
    size_t capacity; /* room that any bslz4 stream of a frame needs */
    struct sluice_span stock[SLUICE_SUBJECT_FRAMES];
};

enum sluice_status sluice_subject_open(struct sluice_subject *subject, enum sluice_dtype dtype,
                                       const struct sluice_kernel_settings *settings,
                                       struct sluice_error *error);
void sluice_subject_close(struct sluice_subject *subject);

/* Seconds, of wall or of this thread's processor time. */
struct sluice_stopwatch {
    double wall, cpu;
};
struct sluice_stopwatch sluice_stopwatch_now(void);
struct sluice_stopwatch sluice_stopwatch_since(struct sluice_stopwatch begin);

#endif
