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

/* Producer only. OK or FULL. */
enum sluice_status sluice_spsc_push(struct sluice_spsc *ring, uint32_t slot);
/* Consumer only. OK or EMPTY. */
enum sluice_status sluice_spsc_pop(struct sluice_spsc *ring, uint32_t *slot);
/* Consumer only: takes up to `max` at once, oldest first; returns how many. */
uint32_t sluice_spsc_pop_many(struct sluice_spsc *ring, uint32_t *slots, uint32_t max);
/* Either side; exact for the caller's own end, a moment old for the other. */
uint32_t sluice_spsc_count(const struct sluice_spsc *ring);

#endif
