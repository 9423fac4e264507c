/* SPDX-License-Identifier: Apache-2.0
 *
 * The loops over our ring. */
#include "bench/kernels/ring_ours.inc.h"

#define MEASURE sluice_handover_ours
#include "bench/kernels/handover_loops.inc.h"
