/* SPDX-License-Identifier: Apache-2.0
 *
 * The same loops over Concurrency Kit's SPSC ring. Built when libck-dev is there. */
#include "bench/kernels/ring_ck.inc.h"
#include "bench/micro/ring_loops.inc.h"

void sluice_micro_ring_ck(void)
{
    register_loops("ring/ck/same_thread", "ring/ck/two_threads", "ring/ck/round_trip");
}
