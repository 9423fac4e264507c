/* SPDX-License-Identifier: Apache-2.0
 *
 * Measurements of a ring between two threads. Private to the room: the same text
 * (handover_loops.inc.h) is compiled for our ring, for ours taken many at once, and for ck_ring's.
 */
#ifndef SLUICE_BENCH_KERNELS_HANDOVER_H
#define SLUICE_BENCH_KERNELS_HANDOVER_H

#include <stdbool.h>
#include <stdint.h>

/* Processors of the two threads; -1: wherever the system puts them. */
struct sluice_handover_cores {
    int producer, consumer;
};

/* Each returns false when there is no memory, no thread, or a number was lost. */
struct sluice_handover_ring {
    const char *name;
    /* Both threads at full speed: what goes through in `window_ns`, after `warm_up_ns`. */
    bool (*rate)(const struct sluice_handover_cores *cores, int64_t warm_up_ns, int64_t window_ns,
                 double *million_per_s);
    /* From push to pop of single numbers, both spinning: `count` times into ns. */
    bool (*singles)(const struct sluice_handover_cores *cores, uint32_t count, int64_t *ns);
};

extern const struct sluice_handover_ring sluice_handover_ours;
extern const struct sluice_handover_ring sluice_handover_ours_many; /* taken as the writer does */
extern const struct sluice_handover_ring sluice_handover_ck;

#endif
