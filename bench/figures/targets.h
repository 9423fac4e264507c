/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of targets (targets.def) against the figures of a run. One thread. */
#ifndef SLUICE_BENCH_TARGETS_H
#define SLUICE_BENCH_TARGETS_H

#include "bench/figures/figures.h"

struct sluice_targets_count {
    uint32_t aim, must, missed, skipped; /* aim: met with it; must: met, but not the aim */
};

/* Marks the figures that are targets (is_target). */
void sluice_targets_mark(struct sluice_figures *figures);

/* A line a row: measured, must, aim, met or not, and what stands beside. Rows whose figure was not
 * measured are skipped visibly. */
struct sluice_targets_count sluice_targets_print(FILE *stream,
                                                 const struct sluice_figures *figures);

/* The member "targets" of an object that the caller has begun. */
void sluice_targets_json(const struct sluice_figures *figures, struct sluice_json *json);

#endif
