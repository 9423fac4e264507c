/* SPDX-License-Identifier: Apache-2.0
 *
 * Each round is a row of short windows in which the rings take turns, each in its turn first, on
 * two fixed processors that producer and consumer exchange from window to window. How long a line
 * of cache takes from one processor to the other is what all this measures, and on a virtual
 * machine it changes by a factor of four within seconds: neighbouring windows see the same, and
 * only their ratio is judged, by its median. */
#include "bench/kernels/handover.h"

#include <math.h>
#include <stdlib.h>

#include "bench/kernels/kernels.h"
#include "bench/pipeline/probe.h"
#include "core/clock.h"

#define WINDOWS         8
#define WINDOWS_QUICK   2
#define WINDOW_NS       (20 * SLUICE_NS_PER_MS)
#define WARM_UP_NS      (5 * SLUICE_NS_PER_MS)
#define WINDOW_NS_QUICK (1 * SLUICE_NS_PER_MS)
#define SINGLES         10000 /* in each window */
#define SINGLES_QUICK   1000
#define ROUNDS_MAX      1000
#define QUANTILES       3

enum { SLUICE, MANY, CK, RINGS };
static const struct sluice_handover_ring *const rings[RINGS] = {
    &sluice_handover_ours,
    &sluice_handover_ours_many,
#ifdef SLUICE_BENCH_CK
    &sluice_handover_ck,
#endif
};
static const double quantiles[QUANTILES] = {0.5, 0.99, 0.999};
static const char *const quantile_names[QUANTILES] = {"p50_ns", "p99_ns", "p99.9_ns"};

/* A round's: medians of its windows, quantiles over all its singles. */
struct result {
    double million_per_s, rate_of_ck, ns[QUANTILES];
};

struct work {
    const struct sluice_kernel_settings *settings;
    struct sluice_handover_cores cores;
    uint32_t windows, singles;
    int64_t window_ns;
    int64_t *times[RINGS]; /* [windows * singles] */
    struct result *results[RINGS];
};

/* Anywhere where there is but one. */
static struct sluice_handover_cores choose_cores(void)
{
    int found[2];
    if (!sluice_probe_processors(found))
        return (struct sluice_handover_cores){-1, -1};
    return (struct sluice_handover_cores){found[0], found[1]};
}

static int compare_ns(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static bool measure_window(const struct work *work, uint32_t number, double rates[RINGS])
{
    struct sluice_handover_cores cores = work->cores;
    if (number % 2 == 1) {
        cores.producer = work->cores.consumer;
        cores.consumer = work->cores.producer;
    }
    for (uint32_t i = 0; i < RINGS; i++) {
        const uint32_t ring = (i + number) % RINGS;
        if (rings[ring] != NULL &&
            (!rings[ring]->rate(&cores, WARM_UP_NS, work->window_ns, &rates[ring]) ||
             !rings[ring]->singles(&cores, work->singles,
                                   work->times[ring] + (size_t)number * work->singles)))
            return false;
    }
    return true;
}

static enum sluice_status measure_round(struct work *work, uint32_t round,
                                        struct sluice_error *error)
{
    double rates[RINGS][WINDOWS], ratios[RINGS][WINDOWS], window[RINGS] = {NAN, NAN, NAN};
    for (uint32_t w = 0; w < work->windows; w++) {
        if (*work->settings->stop)
            return SLUICE_AGAIN;
        if (!measure_window(work, w, window))
            return sluice_error_set(error, SLUICE_MISMATCH,
                                    "hand-over through a ring: a number was lost, or no thread");
        for (int i = 0; i < RINGS; i++) {
            rates[i][w] = window[i];
            ratios[i][w] = window[i] / window[CK];
        }
    }
    for (int i = 0; i < RINGS && rings[i] != NULL; i++) {
        const uint32_t count = work->windows * work->singles;
        struct result *result = &work->results[i][round];
        result->million_per_s = sluice_spread_of(rates[i], work->windows).median;
        result->rate_of_ck = sluice_spread_of(ratios[i], work->windows).median;
        qsort(work->times[i], count, sizeof(*work->times[i]), compare_ns);
        for (int q = 0; q < QUANTILES; q++)
            result->ns[q] = (double)work->times[i][(uint32_t)(quantiles[q] * (count - 1))];
    }
    return SLUICE_OK;
}

static void add_figures(const struct work *work, int ring, struct sluice_figures *figures)
{
    double values[ROUNDS_MAX];
    const uint32_t rounds = work->settings->repeat;
    const struct result *results = work->results[ring];
    const char *name = rings[ring]->name;
    for (uint32_t r = 0; r < rounds; r++)
        values[r] = results[r].million_per_s;
    struct sluice_spread spread = sluice_spread_of(values, rounds);
    sluice_figures_add(figures, SLUICE_FIGURE_RATE, &spread, "kernel/hand-over/%s/million_per_s",
                       name);
    for (int q = 0; q < QUANTILES; q++) {
        for (uint32_t r = 0; r < rounds; r++)
            values[r] = results[r].ns[q];
        spread = sluice_spread_of(values, rounds);
        sluice_figures_add(figures, SLUICE_FIGURE_COST, &spread, "kernel/hand-over/%s/%s", name,
                           quantile_names[q]);
    }
    for (uint32_t r = 0; r < rounds; r++)
        values[r] = results[r].rate_of_ck;
    spread = sluice_spread_of(values, rounds);
    if (ring != CK)
        sluice_figures_add(figures, SLUICE_FIGURE_RATE_RATIO, &spread,
                           "kernel/hand-over/%s/rate_of_ck", name);
}

static enum sluice_status run(struct work *work, struct sluice_figures *figures,
                              struct sluice_error *error)
{
    enum sluice_status status = SLUICE_OK;
    for (int i = 0; i < RINGS; i++) {
        work->times[i] = calloc((size_t)work->windows * work->singles, sizeof(*work->times[i]));
        work->results[i] = calloc(work->settings->repeat, sizeof(*work->results[i]));
        if (work->times[i] == NULL || work->results[i] == NULL)
            return sluice_error_set(error, SLUICE_NO_MEMORY, "no memory for times");
    }
    for (uint32_t r = 0; status == SLUICE_OK && r < work->settings->repeat; r++)
        status = measure_round(work, r, error);
    for (int i = 0; status == SLUICE_OK && i < RINGS && rings[i] != NULL; i++)
        add_figures(work, i, figures);
    return status;
}

enum sluice_status sluice_kernels_handover(const struct sluice_kernel_settings *settings,
                                           struct sluice_figures *figures,
                                           struct sluice_error *error)
{
    struct work work = {
        .settings = settings,
        .cores = choose_cores(),
        .windows = settings->quick ? WINDOWS_QUICK : WINDOWS,
        .singles = settings->quick ? SINGLES_QUICK : SINGLES,
        .window_ns = settings->quick ? WINDOW_NS_QUICK : WINDOW_NS,
    };
    if (rings[CK] == NULL)
        fputs("SKIPPED: ck_ring: not built in (libck-dev, and no ThreadSanitizer)\n",
              settings->stream);
    if (work.cores.producer < 0)
        fputs("note: hand-over on one processor: rates say nothing about rings\n",
              settings->stream);
    const enum sluice_status status = run(&work, figures, error);
    for (int i = 0; i < RINGS; i++) {
        free(work.times[i]);
        free(work.results[i]);
    }
    return status;
}
