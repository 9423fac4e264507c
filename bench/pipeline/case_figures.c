/* SPDX-License-Identifier: Apache-2.0
 *
 * Names carry the type of the file system and no path, so that results of two machines can be
 * compared; a second directory of the same type is told by its path. */
#include <math.h>
#include <string.h>

#include "bench/pipeline/report.h"

/* A case in another directory of the same type came first. */
static bool needs_path(const struct sluice_bench_results *results, uint32_t index)
{
    const struct sluice_bench_case *one = &results->cases[index];
    for (uint32_t i = 0; i < index; i++)
        if (strcmp(results->cases[i].file_system, one->file_system) == 0)
            return strcmp(results->cases[i].plan.directory, one->plan.directory) != 0;
    return false;
}

static void name_of(const struct sluice_bench_results *results, uint32_t index, char *name,
                    size_t bytes)
{
    const struct sluice_bench_case *one = &results->cases[index];
    const struct sluice_bench_plan *plan = &one->plan;
    char mode[24] = "burst";
    if (plan->share > 0)
        snprintf(mode, sizeof(mode), "%.0f%%", plan->share * 100);
    else if (plan->rate_hz > 0)
        snprintf(mode, sizeof(mode), "%gHz", plan->rate_hz);
    const bool path = needs_path(results, index);
    snprintf(name, bytes, "%s/%s/%s%s%.40s", plan->set->name, mode, one->file_system,
             path ? ":" : "", path ? plan->directory : "");
}

/* Ratios to themselves and to each other say nothing about floors. */
static bool is_worth(enum sluice_receiver receiver, enum sluice_measure measure)
{
    return receiver >= SLUICE_RECEIVER_INGEST || !sluice_measure_is_ratio(measure);
}

void sluice_bench_figures(const struct sluice_bench_results *results,
                          struct sluice_figures *figures)
{
    char name[96], text[64];
    for (uint32_t c = 0; c < results->case_count; c++) {
        const struct sluice_bench_case *one = &results->cases[c];
        name_of(results, c, name, sizeof(name));
        for (int i = 0; i < SLUICE_RECEIVER_COUNT * SLUICE_MEASURE_COUNT; i++) {
            const enum sluice_receiver receiver = (enum sluice_receiver)(i / SLUICE_MEASURE_COUNT);
            const enum sluice_measure measure = (enum sluice_measure)(i % SLUICE_MEASURE_COUNT);
            if (!one->plan.receivers[receiver] || !is_worth(receiver, measure))
                continue;
            const struct sluice_spread spread = sluice_bench_spread(one, receiver, measure);
            const bool more = sluice_measure_more_is_better(measure);
            const enum sluice_figure_kind kind =
                sluice_measure_is_ratio(measure)
                    ? (more ? SLUICE_FIGURE_RATE_RATIO : SLUICE_FIGURE_COST_RATIO)
                    : (more ? SLUICE_FIGURE_RATE : SLUICE_FIGURE_COST);
            sluice_figures_add(figures, kind, &spread, "%s/%s/%s", name,
                               sluice_receiver_name(receiver), sluice_measure_name(measure, text));
        }
    }
}
