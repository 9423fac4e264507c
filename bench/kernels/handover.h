/* SPDX-License-Identifier: Apache-2.0
 *
 * One measurement of a ring between two threads. Private to the room: the same text is compiled for
 * our ring and for ck_ring's (handover_loops.inc.h). */
#ifndef SLUICE_BENCH_KERNELS_HANDOVER_H
#define SLUICE_BENCH_KERNELS_HANDOVER_H

#include <stdbool.h>
#include <stdint.h>

#define SLUICE_HANDOVER_QUANTILES 3 /* p50, p99, p99.9 */

struct sluice_handover {
    double million_per_s;                 /* both threads at full speed */
    double ns[SLUICE_HANDOVER_QUANTILES]; /* from push to pop of single numbers, both spinning */
};

/* False: no memory, no thread, or a number was lost. */
bool sluice_handover_ours(uint32_t numbers, uint32_t singles, struct sluice_handover *result);
bool sluice_handover_ck(uint32_t numbers, uint32_t singles, struct sluice_handover *result);

#endif
