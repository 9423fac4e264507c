/* SPDX-License-Identifier: Apache-2.0
 *
 * A source driven by hand: a real socket, a fake clock, and the test in the writer's place. It has
 * one data slot, so that every second image finds none free. */
#ifndef SLUICE_TESTS_UNIT_SOURCE_BENCH_H
#define SLUICE_TESTS_UNIT_SOURCE_BENCH_H

#include "ingest/source/source.h"

#define CYCLES_MAX 2000 /* of a millisecond: how long a message may be on its way */

struct bench {
    struct sluice_handover out;
    struct sluice_spsc free;
    struct sluice_wake free_wake;
    struct sluice_progress progress;
    struct sluice_clock_fake clock;
    struct sluice_counters *counters;
    struct sluice_source *source;
    void *context, *push;
};

void bench_open(struct bench *bench, enum sluice_overflow overflow);
void bench_open_with(struct bench *bench, enum sluice_overflow overflow, int64_t idle_timeout_ns);
/* Policy wait, a high-water mark of 1000 messages. */
void bench_open_for_queue(struct bench *bench, uint64_t receive_bytes);
/* 256 slots, and naps in dense bursts. */
void bench_open_napping(struct bench *bench, int64_t nap_ns, uint32_t receive_hwm);
void bench_close(struct bench *bench);

uint64_t count_of(const struct bench *bench, enum sluice_counter counter);
/* Cycles until the counter says `wanted`: a message takes a moment through the loopback. */
void work_until(struct bench *bench, enum sluice_counter counter, uint64_t wanted);
/* Cycles until so many frames wait for the writer. */
void work_until_frames(struct bench *bench, uint32_t wanted);

/* The next frame to the writer, of that kind. */
struct sluice_frame *next_frame(struct bench *bench, enum sluice_frame_kind kind, uint32_t *slot);
void give_back(struct bench *bench, uint32_t slot);

#endif
