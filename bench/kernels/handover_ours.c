/* SPDX-License-Identifier: Apache-2.0
 *
 * The loops over our ring, one number at a time. */
#include "bench/kernels/ring_ours.inc.h"

#define TAKE_MAX 1

static inline uint32_t take(struct ring *ring, uint32_t *numbers)
{
    return ring_pop(ring, numbers) ? 1 : 0;
}

#define RING      sluice_handover_ours
#define RING_NAME "sluice"
#include "bench/kernels/handover_loops.inc.h"
