/* SPDX-License-Identifier: Apache-2.0
 *
 * What `sluice bench` measures beside the pipeline that was asked for: kernels, and all that the
 * table of targets needs. Blocks for minutes. */
#ifndef SLUICE_CLI_BENCH_TARGETS_H
#define SLUICE_CLI_BENCH_TARGETS_H

#include <stdio.h>

#include "bench/figures/figures.h"
#include "bench/pipeline/pipeline.h"
#include "cli/bench_options.h"

/* All kernels, or the one of --kernels=K; figures are added and printed. */
bool sluice_bench_has_kernel(const char *name);
enum sluice_status sluice_bench_kernels(const struct sluice_bench_options *options,
                                        const struct sluice_bench_results *results,
                                        struct sluice_figures *figures, FILE *table,
                                        struct sluice_error *error);

/* The cases of the targets, in each directory, of which the first is judged; three of them in
 * memory. */
enum sluice_status sluice_bench_target_cases(struct sluice_bench_results *results,
                                             sluice_bench_on_case *on_case,
                                             struct sluice_error *error);

#endif
