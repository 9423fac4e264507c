/* SPDX-License-Identifier: Apache-2.0
 *
 * Both rings in every round, taking turns in being first. */
#include "bench/kernels/handover.h"

#include <math.h>

#include "bench/kernels/kernels.h"

#define NUMBERS       20000000
#define NUMBERS_QUICK 200000
#define SINGLES       200000
#define SINGLES_QUICK 5000
#define ROUNDS_MAX    1000

enum { SLUICE, CK, RINGS };
static const char *const names[] = {"sluice", "ck_ring"};

static bool measure(int ring, bool quick, struct sluice_handover *result)
{
    const uint32_t numbers = quick ? NUMBERS_QUICK : NUMBERS;
    const uint32_t singles = quick ? SINGLES_QUICK : SINGLES;
#ifdef SLUICE_BENCH_CK
    if (ring == CK)
        return sluice_handover_ck(numbers, singles, result);
#endif
    return ring == SLUICE && sluice_handover_ours(numbers, singles, result);
}

static void add_figures(const struct sluice_handover *results, int ring, uint32_t rounds,
                        struct sluice_figures *figures)
{
    static const char *const quantiles[] = {"p50_ns", "p99_ns", "p99.9_ns"};
    double values[ROUNDS_MAX];
    for (uint32_t r = 0; r < rounds; r++)
        values[r] = results[r].million_per_s;
    struct sluice_spread spread = sluice_spread_of(values, rounds);
    sluice_figures_add(figures, SLUICE_FIGURE_RATE, &spread, "kernel/hand-over/%s/million_per_s",
                       names[ring]);
    for (int q = 0; q < SLUICE_HANDOVER_QUANTILES; q++) {
        for (uint32_t r = 0; r < rounds; r++)
            values[r] = results[r].ns[q];
        spread = sluice_spread_of(values, rounds);
        sluice_figures_add(figures, SLUICE_FIGURE_COST, &spread, "kernel/hand-over/%s/%s",
                           names[ring], quantiles[q]);
    }
}

enum sluice_status sluice_kernels_handover(const struct sluice_kernel_settings *settings,
                                           struct sluice_figures *figures,
                                           struct sluice_error *error)
{
    static struct sluice_handover results[RINGS][ROUNDS_MAX];
    double ratios[ROUNDS_MAX];
    bool has_ck = false;
#ifdef SLUICE_BENCH_CK
    has_ck = true;
#endif
    if (!has_ck)
        fputs("SKIPPED: ck_ring: not built in (libck-dev, and no ThreadSanitizer)\n",
              settings->stream);
    for (uint32_t r = 0; r < settings->repeat; r++) {
        for (uint32_t i = 0; i < RINGS; i++) {
            const int ring = (int)((i + r) % RINGS);
            if (*settings->stop)
                return SLUICE_AGAIN;
            if ((ring == SLUICE || has_ck) && !measure(ring, settings->quick, &results[ring][r]))
                return sluice_error_set(error, SLUICE_MISMATCH,
                                        "hand-over through %s: a number was lost, or no thread",
                                        names[ring]);
        }
        ratios[r] = has_ck ? results[SLUICE][r].million_per_s / results[CK][r].million_per_s : NAN;
    }
    add_figures(results[SLUICE], SLUICE, settings->repeat, figures);
    if (has_ck)
        add_figures(results[CK], CK, settings->repeat, figures);
    const struct sluice_spread spread = sluice_spread_of(ratios, settings->repeat);
    sluice_figures_add(figures, SLUICE_FIGURE_RATE_RATIO, &spread,
                       "kernel/hand-over/sluice/rate_of_ck");
    return SLUICE_OK;
}
