/* SPDX-License-Identifier: Apache-2.0
 *
 * Google Benchmark for C: register functions, measure a loop, report counters. The library behind
 * it is the only C++ in the project and is built only with SLUICE_BENCH_MICRO.
 *
 * A benchmark is a function that sets up, loops `while (sluice_bench_next(bench))` around what is
 * measured, cleans up and reports. It is called several times, each time with more iterations. Only
 * the loop is timed. It must not leave the loop early, except after sluice_bench_fail.
 *
 * Threads: all calls from the thread that the benchmark runs on. A case is copied when it is
 * registered, with its name and arguments; its context is borrowed until sluice_bench_main returns.
 */
#ifndef SLUICE_BENCH_SHIM_BENCH_H
#define SLUICE_BENCH_SHIM_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sluice_bench; /* one run of one benchmark; valid while its function runs */

#define SLUICE_BENCH_ARGUMENTS_MAX 4

struct sluice_bench_case {
    const char *name; /* "room/what/how" */
    void (*run)(struct sluice_bench *bench);
    const void *context; /* for sluice_bench_context; may be NULL */
    /* Runs once for each of `run_count` rows of arguments; with none, once without. The names end
     * at the first NULL; a row has as many values as there are names. */
    const char *argument_names[SLUICE_BENCH_ARGUMENTS_MAX];
    const int64_t *arguments;
    size_t run_count;
    /* For benchmarks that wait or have threads of their own: rates are of wall time, and the CPU
     * column is of the whole process. Else both are of the calling thread's CPU time. */
    bool wall_time;
};

void sluice_bench_register(const struct sluice_bench_case *bench_case);

/* Parses the --benchmark_… options (--benchmark_out=FILE writes JSON), runs what was registered.
 * Returns the exit status: 0, 1 when a benchmark said that it failed, 2 on wrong usage. */
int sluice_bench_main(int argc, char **argv);

const void *sluice_bench_context(const struct sluice_bench *bench);
int64_t sluice_bench_argument(const struct sluice_bench *bench, size_t index);

/* One iteration more? */
bool sluice_bench_next(struct sluice_bench *bench);
/* `count` iterations more? For loops so short that asking each time would be what is measured. */
bool sluice_bench_next_batch(struct sluice_bench *bench, int64_t count);
int64_t sluice_bench_iterations(const struct sluice_bench *bench);

/* After the loop: totals of all iterations, shown a second. */
void sluice_bench_set_items(struct sluice_bench *bench, int64_t items);
void sluice_bench_set_bytes(struct sluice_bench *bench, int64_t bytes);
/* A number of one's own, shown as it is. */
void sluice_bench_counter(struct sluice_bench *bench, const char *name, double value);
void sluice_bench_label(struct sluice_bench *bench, const char *text);
/* The result is wrong or there is none: shown with the reason, and the program exits with 1. */
void sluice_bench_fail(struct sluice_bench *bench, const char *reason);

/* Makes the compiler believe that the memory is read and written here. */
static inline void sluice_bench_keep(const void *memory)
{
    __asm__ volatile("" : : "g"(memory) : "memory");
}

#ifdef __cplusplus
}
#endif

#endif
