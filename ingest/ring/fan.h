/* SPDX-License-Identifier: Apache-2.0
 *
 * The form of the hand-over that codec workers need: one producer deals slot numbers to N workers
 * (out), and one consumer takes them from N workers (in). It is N SPSC rings with one wake a
 * consumer, so it has their guarantees (wait-free; the same two edges) and no contended word.
 *
 * Out: the producer gives each number to the worker whose ring is shortest (ties: the next in
 * turn). In: the consumer sweeps the rings in turn. Order between workers is not kept. Sized to
 * hold every slot in each ring, so that a push cannot fail. */
#ifndef SLUICE_INGEST_RING_FAN_H
#define SLUICE_INGEST_RING_FAN_H

#include "ingest/ring/spsc.h"
#include "ingest/ring/wake.h"

#define SLUICE_FAN_WORKERS_MAX 64

struct sluice_fan {
    uint32_t worker_count;
    struct sluice_spsc *rings; /* [worker_count] */
    struct sluice_wake *wakes; /* out: one a worker; in: wakes[0] is the consumer's */
    uint32_t turn;             /* the dealing or sweeping side's own */
};

/* `capacity` as for sluice_spsc_init, for each ring. */
enum sluice_status sluice_fan_init(struct sluice_fan *fan, uint32_t worker_count,
                                   uint32_t capacity);
void sluice_fan_close(struct sluice_fan *fan);

/* The single producer: deals and wakes the worker. FULL when the shortest ring is full. */
enum sluice_status sluice_fan_deal(struct sluice_fan *fan, uint32_t slot);
/* Worker `worker` only: takes what was dealt to it. */
enum sluice_status sluice_fan_take(struct sluice_fan *fan, uint32_t worker, uint32_t *slot);

/* Worker `worker` only: hands a number to the single consumer and wakes it. */
enum sluice_status sluice_fan_give(struct sluice_fan *fan, uint32_t worker, uint32_t slot);
/* The single consumer: up to `max` numbers from all workers. */
uint32_t sluice_fan_collect(struct sluice_fan *fan, uint32_t *slots, uint32_t max);

#endif
