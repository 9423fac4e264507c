/* SPDX-License-Identifier: Apache-2.0
 *
 * One round in the making, shared by the files that make it: round.c (runs it), round_commands.c
 * (what is started), round_results.c (what came out). Private to the room. */
#ifndef SLUICE_BENCH_PIPELINE_ROUND_RUN_H
#define SLUICE_BENCH_PIPELINE_ROUND_RUN_H

#include "bench/pipeline/round.h"

#define SLUICE_DISK_UNSUPPORTED 2 /* exit status of `--receive disk` */

struct sluice_round_run {
    const struct sluice_round_settings *settings;
    struct sluice_round *round;
    struct sluice_process sender, receiver, reader;
    char endpoint[64], endpoint_key[96], images[24], mebibytes[24], rate[32], channels[16];
    char file[4096], directory_key[4096], state_key[4096], data[4096];
    char stamps[4096], passages[4096];
};

static inline bool sluice_receiver_is_ingest(enum sluice_receiver receiver)
{
    return receiver == SLUICE_RECEIVER_INGEST || receiver == SLUICE_RECEIVER_LIVE ||
           receiver == SLUICE_RECEIVER_OTHER;
}

/* The disk alone receives nothing. */
static inline bool sluice_round_has_sender(const struct sluice_round_run *run)
{
    return run->round->receiver != SLUICE_RECEIVER_DISK;
}

/* Somebody times each image. */
static inline bool sluice_round_has_passages(const struct sluice_round_run *run)
{
    return run->round->receiver == SLUICE_RECEIVER_LIVE ||
           (run->round->receiver == SLUICE_RECEIVER_PYTHON && run->settings->rate_hz > 0);
}

/* Chooses a port, starts receiver, reader and sender. */
enum sluice_status sluice_round_start(struct sluice_round_run *run, struct sluice_error *error);

/* All have ended: fills the round from what they printed and what the kernel counted. */
void sluice_round_take(struct sluice_round_run *run);

/* Makes the round invalid; the first reason wins. */
void sluice_round_invalid(struct sluice_round *round, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
