/* SPDX-License-Identifier: Apache-2.0
 *
 * The pipeline benchmark: for each place, data set and mode ("case"), rounds of every receiver,
 * interleaved, so that a machine whose speed drifts is the same for all of them. Ratios are taken
 * within each round. Blocks; one thread. */
#ifndef SLUICE_BENCH_PIPELINE_PIPELINE_H
#define SLUICE_BENCH_PIPELINE_PIPELINE_H

#include "bench/pipeline/folder.h"
#include "bench/pipeline/machine.h"
#include "bench/pipeline/round.h"

#define SLUICE_BENCH_SETS_MAX        8
#define SLUICE_BENCH_DIRECTORIES_MAX 8
#define SLUICE_BENCH_RATES_MAX       8
#define SLUICE_BENCH_REPEAT_MAX      1000
#define SLUICE_BENCH_ROWS_MAX        (SLUICE_BENCH_REPEAT_MAX + SLUICE_BENCH_REPEAT_MAX / 2 + 1)
#define SLUICE_BENCH_CASES_MAX       512
#define SLUICE_BENCH_REASON_BYTES    256

struct sluice_bench_settings {
    const char *program, *other; /* other: NULL for none */
    const char *python;          /* interpreter of the peer; NULL: none, for this reason: */
    char python_reason[SLUICE_BENCH_REASON_BYTES];
    const struct sluice_bench_set *sets[SLUICE_BENCH_SETS_MAX];
    uint32_t set_count;
    const char *replay; /* for r500k3, before what is found; NULL: look for it */
    bool made;          /* no captured data, whatever is there */
    const char *directories[SLUICE_BENCH_DIRECTORIES_MAX];
    uint32_t directory_count;
    const char *memory; /* directory on a file system in memory, of --targets; may be unfit */
    bool burst, paced;
    /* Of paced: Hz; below 0: so much of what ingest reached in the burst (-0.8: 80 %). */
    double rates[SLUICE_BENCH_RATES_MAX];
    uint32_t rate_count;
    bool reader;     /* a live reader beside ingest in bursts too */
    uint64_t images; /* 0: as the set says */
    uint32_t repeat;
    bool quick;
    const char *ingest_keys[SLUICE_INGEST_KEYS_MAX];
    uint32_t ingest_key_count;
    const volatile sig_atomic_t *stop;
};

/* What one case measures. */
struct sluice_bench_plan {
    const struct sluice_bench_set *set;
    const char *directory;
    double rate_hz; /* 0: burst */
    double share;   /* of the maximum that rate_hz is; 0: it was given in Hz */
    uint64_t images;
    uint32_t repeat;
    bool receivers[SLUICE_RECEIVER_COUNT];
    bool watch; /* first and last tenth */
};

struct sluice_bench_case {
    struct sluice_bench_plan plan;
    bool is_captured;
    char file_system[32];
    uint32_t round_count;        /* of each receiver; with those that were made again */
    struct sluice_round *rounds; /* [round][SLUICE_RECEIVER_COUNT] */
    bool has_skipped;            /* planned, and could not be run at all: */
    char skipped[SLUICE_BENCH_REASON_BYTES];
};

/* Folders of messages that are made once a run, below one directory that is removed at the end. */
struct sluice_bench_scratch {
    struct sluice_bench_folder folder;
    struct sluice_set_folder folders[SLUICE_BENCH_SETS_MAX];
    const struct sluice_bench_set *sets[SLUICE_BENCH_SETS_MAX];
    uint32_t count;
};

struct sluice_bench_results {
    struct sluice_machine machine;
    const struct sluice_bench_settings *settings;
    struct sluice_bench_case *cases;
    uint32_t case_count;
    bool all_valid; /* of our own rounds */
    struct sluice_bench_scratch scratch;
};

/* Called after each case. */
typedef void sluice_bench_on_case(const struct sluice_bench_case *result);

/* Begins: looks at the machine, removes what killed runs have left, makes room. Close frees and
 * removes everything, also after an error. */
enum sluice_status sluice_bench_open(const struct sluice_bench_settings *settings,
                                     struct sluice_bench_results *results,
                                     struct sluice_error *error);
void sluice_bench_results_close(struct sluice_bench_results *results);

/* Every directory, set and mode of the settings. AGAIN: stopped; else as sluice_round_run. */
enum sluice_status sluice_bench_run(struct sluice_bench_results *results,
                                    sluice_bench_on_case *on_case, struct sluice_error *error);

/* One case more. *result is it, borrowed until close. */
enum sluice_status sluice_bench_run_case(struct sluice_bench_results *results,
                                         const struct sluice_bench_plan *plan,
                                         const struct sluice_bench_case **result,
                                         struct sluice_error *error);

/* False: the host moved processors meanwhile, and the row of rounds has no ratio that is judged. */
bool sluice_bench_row_counts(const struct sluice_bench_plan *plan, const struct sluice_round *row);

/* The receivers that make sense in a mode, with these settings. */
void sluice_bench_receivers(const struct sluice_bench_settings *settings, bool paced,
                            bool receivers[SLUICE_RECEIVER_COUNT]);
/* Images of a round: as asked for, as the set has them, or as many as `seconds` of a rate give. */
uint64_t sluice_bench_images(const struct sluice_bench_settings *settings,
                             const struct sluice_bench_set *set, double rate_hz, double seconds);

/* Can this interpreter be the peer? False: why not. */
bool sluice_bench_python_works(const char *python, char *reason, size_t bytes);

/* A line on stderr with the time since the first. */
void sluice_bench_progress(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
