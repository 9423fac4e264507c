/* SPDX-License-Identifier: Apache-2.0
 *
 * The pipeline benchmark: for each place, data set and mode ("case"), rounds of every receiver,
 * interleaved, so that a machine whose speed drifts is the same for all of them. Ratios are taken
 * within each round. Blocks; one thread. */
#ifndef SLUICE_BENCH_PIPELINE_PIPELINE_H
#define SLUICE_BENCH_PIPELINE_PIPELINE_H

#include "bench/pipeline/machine.h"
#include "bench/pipeline/round.h"

#define SLUICE_BENCH_SETS_MAX        8
#define SLUICE_BENCH_DIRECTORIES_MAX 8
#define SLUICE_BENCH_REPEAT_MAX      1000

/* What is asked of Sluice (issue of the main path: r500k3 to disk). Where the disk itself takes
 * less than that rate, its own is what can be reached. */
#define SLUICE_TARGET_RATE_OF_DROP  0.6
#define SLUICE_TARGET_CPU_OF_PWRITE 1.3

struct sluice_bench_settings {
    const char *program, *other; /* other: NULL for none */
    const struct sluice_bench_set *sets[SLUICE_BENCH_SETS_MAX];
    uint32_t set_count;
    const char *replay; /* for r500k3, before what is found; NULL: look for it */
    bool made;          /* no captured messages, whatever is there */
    const char *directories[SLUICE_BENCH_DIRECTORIES_MAX];
    uint32_t directory_count;
    bool burst, paced;
    double rate_hz;  /* of paced */
    uint64_t images; /* 0: as the set says */
    uint32_t repeat;
    bool quick;
    const char *ingest_keys[SLUICE_INGEST_KEYS_MAX];
    uint32_t ingest_key_count;
    const volatile sig_atomic_t *stop;
};

struct sluice_bench_case {
    const struct sluice_bench_set *set;
    const char *directory;
    char replay[4096]; /* empty: made */
    char file_system[32];
    double rate_hz; /* 0: burst */
    uint64_t images;
    uint32_t round_count;        /* of each receiver */
    uint32_t receiver_count;     /* 4, or 5 with another build */
    struct sluice_round *rounds; /* [round][receiver] */
};

struct sluice_bench_results {
    struct sluice_machine machine;
    const struct sluice_bench_settings *settings;
    struct sluice_bench_case *cases;
    uint32_t case_count;
    bool all_valid;
};

/* Fills `results`, also with what was measured before an error; close frees them. `on_case` is
 * called after each case. AGAIN: stopped; else as sluice_round_run. */
typedef void sluice_bench_on_case(const struct sluice_bench_case *result);
enum sluice_status sluice_bench_run(const struct sluice_bench_settings *settings,
                                    sluice_bench_on_case *on_case,
                                    struct sluice_bench_results *results,
                                    struct sluice_error *error);
void sluice_bench_results_close(struct sluice_bench_results *results);

#endif
