/* SPDX-License-Identifier: Apache-2.0
 *
 * The loops over our ring as `sluice ingest` uses it: pushed singly, taken many at once. */
#include "bench/kernels/ring_ours.inc.h"

#define TAKE_MAX 64

static inline uint32_t take(struct ring *ring, uint32_t *numbers)
{
    return sluice_spsc_pop_many(&ring->spsc, numbers, TAKE_MAX);
}

#define RING      sluice_handover_ours_many
#define RING_NAME "sluice, many"
#include "bench/kernels/handover_loops.inc.h"
