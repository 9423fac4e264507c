/* SPDX-License-Identifier: Apache-2.0
 *
 * The way of slot numbers from the source to the writer: straight, or through N workers.
 *
 *   source --push------------------------------- direct (SPSC) ------------------> writer
 *          --push_work--> out (fan) --> worker 0 … N-1 --give--> in (fan) -------> pop_many
 *
 * The writer gets the numbers in exactly the order in which the source gave them, whichever way
 * each went and however long its worker took: the source numbers them, and the writer's end keeps
 * what comes early until its turn. So what the rings say of order holds with workers as well as
 * without: series open before their images and close behind them, and of two images with one id the
 * one that was received first comes first. Without workers there is one SPSC ring and no numbering.
 *
 * Ownership of a slot passes with its number, over the edges of the rings. Nothing here blocks,
 * allocates or calls the system (but to wake a sleeper). One source thread, one writer thread, one
 * thread a worker. Sized to hold every slot, so that no push can fail.
 *
 * The early ones hold their slots, and whatever a worker keeps for them: a worker that waits must
 * never wait for what an image behind its own holds (pool.h says how that is kept). */
#ifndef SLUICE_INGEST_RING_HANDOVER_H
#define SLUICE_INGEST_RING_HANDOVER_H

#include "ingest/ring/fan.h"
#include "ingest/ring/spsc.h"
#include "ingest/ring/wake.h"

struct sluice_handover {
    /* constant after init */
    uint32_t worker_count;
    uint32_t mask;
    uint32_t *numbers; /* [slots], with workers: the slot's place in the order; goes with it */
    uint32_t *window;  /* [mask + 1], the writer's: slot + 1 by number, 0: not here yet */
    struct sluice_spsc direct;
    struct sluice_fan out, in;
    struct sluice_wake direct_wake;
    struct sluice_wake nap;
    /* the source's line */
    _Alignas(SLUICE_CACHE_LINE) uint32_t number;
    /* the writer's line; numbers run free */
    _Alignas(SLUICE_CACHE_LINE) uint32_t next; /* to be handed out */
    uint32_t gathered;                         /* next … gathered - 1 are all here */
};

/* Slots 0 … slot_count - 1; 0 to SLUICE_FAN_WORKERS_MAX workers. LIMIT or NO_MEMORY. */
enum sluice_status sluice_handover_init(struct sluice_handover *handover, uint32_t worker_count,
                                        uint32_t slot_count);
/* Zeroed memory is acceptable. */
void sluice_handover_close(struct sluice_handover *handover);

/* Source only: hands the slot to the writer and wakes it, from a nap too; or to a worker, or, where
 * there are none, to the writer, which may finish its nap. */
void sluice_handover_push(struct sluice_handover *handover, uint32_t slot);
void sluice_handover_push_work(struct sluice_handover *handover, uint32_t slot);

/* Source only, after a push and before it runs out of slots: ends a nap of the writer's. */
static inline void sluice_handover_hurry(struct sluice_handover *handover)
{
    sluice_wake_signal(&handover->nap);
}

/* Worker `worker` only. It gives every slot that it takes, in the order in which it took them, and
 * sleeps on its wake. EMPTY when there is none. */
enum sluice_status sluice_handover_take(struct sluice_handover *handover, uint32_t worker,
                                        uint32_t *slot);
void sluice_handover_give(struct sluice_handover *handover, uint32_t worker, uint32_t slot);
uint32_t sluice_handover_work_count(const struct sluice_handover *handover, uint32_t worker);
static inline struct sluice_wake *sluice_handover_worker_wake(struct sluice_handover *handover,
                                                              uint32_t worker)
{
    return &handover->out.wakes[worker];
}

/* Writer only: up to `max` in the source's order; how many pop_many could give now; and what it
 * sleeps on, which is also signalled for those that have come early. */
uint32_t sluice_handover_pop_many(struct sluice_handover *handover, uint32_t *slots, uint32_t max);
uint32_t sluice_handover_count(struct sluice_handover *handover);
static inline struct sluice_wake *sluice_handover_wake(struct sluice_handover *handover)
{
    return handover->worker_count > 0 ? &handover->in.wakes[0] : &handover->direct_wake;
}
/* Writer only: sleeps for `ns` whatever is pushed meanwhile, so that the source need not wake it
 * for each; shorter when it is hurried, and not at all when something waits already. Whether it was
 * hurried. */
bool sluice_handover_nap(struct sluice_handover *handover, int64_t ns);

#endif
