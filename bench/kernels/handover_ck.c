/* SPDX-License-Identifier: Apache-2.0
 *
 * The loops over ck_ring's SPSC ring, which takes one at a time. Built where libck-dev is there;
 * nothing of Sluice needs it, and nothing is linked: the ring is in its header. */
#include "bench/kernels/ring_ck.inc.h"

#define TAKE_MAX 1

static inline uint32_t take(struct ring *ring, uint32_t *numbers)
{
    return ring_pop(ring, numbers) ? 1 : 0;
}

#define RING      sluice_handover_ck
#define RING_NAME "ck_ring"
#include "bench/kernels/handover_loops.inc.h"
