/* SPDX-License-Identifier: Apache-2.0
 *
 * A bounded ring of slot numbers between one producer thread and one consumer thread.
 *
 * Wait-free on both sides: push and try_pop finish in a fixed number of steps whatever the other
 * thread does; none blocks, allocates or calls the system. Indices run free and wrap around; they
 * are compared by subtraction. Ownership of slot n passes with the number: everything that the
 * producer wrote to slot n before the push is visible to the consumer after the pop.
 *
 *   producer                                        consumer
 *   slots[tail & mask] = n, plain                   load tail, acquire       [edge PUBLISH]
 *   store tail + 1, release  [edge PUBLISH] ----->  n = slots[head & mask], plain
 *   load head, acquire       [edge RECYCLE] <-----  store head + k, release  [edge RECYCLE]
 *
 * Each side keeps a private copy of the other's index and reads the shared one only when the copy
 * says full (or holds fewer than asked for), so that a busy ring does not move a cache line an
 * item. */
#ifndef SLUICE_INGEST_RING_SPSC_H
#define SLUICE_INGEST_RING_SPSC_H

#include <stddef.h>
#include <stdint.h>

#include "core/atomics.h"
#include "core/status.h"

struct sluice_spsc {
    /* constant after init */
    uint32_t *slots;
    uint32_t mask;
    /* the producer's line */
    _Alignas(SLUICE_CACHE_LINE) _Atomic uint32_t tail;
    uint32_t head_seen;
    /* the consumer's line */
    _Alignas(SLUICE_CACHE_LINE) _Atomic uint32_t head;
    uint32_t tail_seen;
};

/* Room for at least `capacity` numbers (rounded up to a power of two; 1 to 2^30). LIMIT or
 * NO_MEMORY. `start` is the first index, for tests of wraparound; 0 elsewhere. */
enum sluice_status sluice_spsc_init(struct sluice_spsc *ring, uint32_t capacity, uint32_t start);
void sluice_spsc_close(struct sluice_spsc *ring);

/* Producer only. OK or FULL. Inline, like pop: in a busy ring a call costs more than a hand-over.
 */
static inline enum sluice_status sluice_spsc_push(struct sluice_spsc *ring, uint32_t slot)
{
    uint32_t tail = sluice_load_relaxed(&ring->tail);
    if (tail - ring->head_seen > ring->mask) {
        /* [edge RECYCLE]: the consumer has read the places before head */
        ring->head_seen = sluice_load_acquire(&ring->head);
        if (tail - ring->head_seen > ring->mask)
            return SLUICE_FULL;
    }
    ring->slots[tail & ring->mask] = slot;
    /* [edge PUBLISH]: the place, and all that was written to the slot before, with the index */
    sluice_store_release(&ring->tail, tail + 1);
    return SLUICE_OK;
}

/* Consumer only. OK or EMPTY. */
static inline enum sluice_status sluice_spsc_pop(struct sluice_spsc *ring, uint32_t *slot)
{
    uint32_t head = sluice_load_relaxed(&ring->head);
    if (ring->tail_seen == head) {
        /* [edge PUBLISH]: the places before tail are filled, and so are their slots */
        ring->tail_seen = sluice_load_acquire(&ring->tail);
        if (ring->tail_seen == head)
            return SLUICE_EMPTY;
    }
    *slot = ring->slots[head & ring->mask];
    /* [edge RECYCLE]: the place has been read */
    sluice_store_release(&ring->head, head + 1);
    return SLUICE_OK;
}

/* Consumer only: takes up to `max` at once, oldest first; returns how many. */
uint32_t sluice_spsc_pop_many(struct sluice_spsc *ring, uint32_t *slots, uint32_t max);
/* Either side; exact for the caller's own end, a moment old for the other. */
uint32_t sluice_spsc_count(const struct sluice_spsc *ring);

#endif
