/* SPDX-License-Identifier: Apache-2.0
 *
 * Looks at a receiver while it works: its CPU time when the first image is sent, which is the price
 * of starting it; and, when asked, CPU time and resident memory at the beginning and the end of an
 * early tenth of the images and of the last one, as the sender counts them. A thread of its own
 * between start and stop. */
#ifndef SLUICE_BENCH_PIPELINE_WATCH_H
#define SLUICE_BENCH_PIPELINE_WATCH_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

#include "bench/pipeline/round.h"

struct sluice_watch {
    pthread_t thread;
    const char *stamps; /* borrowed: the sender's file, which may not be there yet */
    pid_t pid;          /* of the receiver, which is not reaped before the watch is stopped */
    bool tenths;        /* go on after the first image */
    _Atomic uint32_t stop;
    bool running;
    double start_cpu_seconds;
    struct sluice_watched result;
};

enum sluice_status sluice_watch_start(struct sluice_watch *watch, const char *stamps, pid_t pid,
                                      bool tenths, struct sluice_error *error);
/* Accepts one that was not started. What it found is final. */
void sluice_watch_stop(struct sluice_watch *watch);

#endif
