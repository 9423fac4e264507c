/* SPDX-License-Identifier: Apache-2.0
 *
 * The rounds of the pipeline as a table for people and as JSON with every round. */
#ifndef SLUICE_BENCH_PIPELINE_REPORT_H
#define SLUICE_BENCH_PIPELINE_REPORT_H

#include <stdio.h>

#include "bench/figures/figures.h"
#include "bench/pipeline/measures.h"
#include "core/json.h"

void sluice_bench_print_head(FILE *stream, const struct sluice_machine *machine);
void sluice_bench_print_case(FILE *stream, const struct sluice_bench_case *result);

/* Cases in memory, each beside that of the same set on the first directory. Nothing without any. */
void sluice_bench_print_memory(FILE *stream, const struct sluice_bench_results *results);

/* Every measure of every case and receiver, as "SET/MODE/FILE SYSTEM/RECEIVER/MEASURE". */
void sluice_bench_figures(const struct sluice_bench_results *results,
                          struct sluice_figures *figures);

/* Members of an object that the caller has begun. */
void sluice_bench_json_head(const struct sluice_bench_results *results, struct sluice_json *json);
void sluice_bench_json_cases(const struct sluice_bench_results *results, struct sluice_json *json);

#endif
