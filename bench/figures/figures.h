/* SPDX-License-Identifier: Apache-2.0
 *
 * All that a run has measured, as one flat list of named figures with median and range: what is
 * printed, kept as JSON, held against the targets and compared with another run. The list owns its
 * names until close; zeroed memory is an empty one. One thread. */
#ifndef SLUICE_BENCH_FIGURES_H
#define SLUICE_BENCH_FIGURES_H

#include <stdbool.h>
#include <stdio.h>

#include "bench/figures/spread.h"
#include "core/json.h"

#define SLUICE_FIGURE_NAME_BYTES 160

struct sluice_figure {
    char name[SLUICE_FIGURE_NAME_BYTES]; /* path-like: "kernel/compress/u16/sluice/of_memcpy" */
    bool more_is_better;
    bool is_ratio; /* of two things in one round: holds where absolute figures drift */
    bool is_target;
    struct sluice_spread spread;
};

struct sluice_figures {
    struct sluice_figure *list;
    uint32_t count, capacity;
    bool failed; /* out of memory: stays so */
};

void sluice_figures_close(struct sluice_figures *figures);

enum sluice_figure_kind {
    SLUICE_FIGURE_COST,       /* less is better */
    SLUICE_FIGURE_RATE,       /* more is better */
    SLUICE_FIGURE_COST_RATIO, /* the same of ratios */
    SLUICE_FIGURE_RATE_RATIO,
};

/* The spread of NaN is no figure and is left out. A name that is there already is not added. */
void sluice_figures_add(struct sluice_figures *figures, enum sluice_figure_kind kind,
                        const struct sluice_spread *spread, const char *name, ...)
    __attribute__((format(printf, 4, 5)));

/* The first whose name matches the pattern (fnmatch, a * also over '/'); NULL: none. */
const struct sluice_figure *sluice_figures_find(const struct sluice_figures *figures,
                                                const char *pattern);

/* A line each for those from index `first` on. */
void sluice_figures_print(FILE *stream, const struct sluice_figures *figures, uint32_t first);

/* The member "figures" of an object that the caller has begun. */
void sluice_figures_json(const struct sluice_figures *figures, struct sluice_json *json);

/* As many decimals as a figure of this size needs. */
int sluice_figure_decimals(double value);

#endif
