/* SPDX-License-Identifier: Apache-2.0
 *
 * The loops over ck_ring's SPSC ring. Built where libck-dev is there; nothing of Sluice needs it,
 * and nothing is linked: the ring is in its header. */
#include "bench/kernels/ring_ck.inc.h"

#define MEASURE sluice_handover_ck
#include "bench/kernels/handover_loops.inc.h"
