/* SPDX-License-Identifier: Apache-2.0
 *
 * Design: the indices run free over all 32 bits, so that tail - head is the number of items with no
 * case for the wrap; the capacity is a power of two, so that the mask finds the place of an index.
 *
 * Invariants, for every interleaving (tests/model/ring.pml checks them):
 *   - 0 <= tail - head <= capacity;
 *   - only the producer writes tail, head_seen and the places from tail on; only the consumer
 *     writes head and tail_seen, and reads the places head to tail - 1;
 *   - head_seen <= head and tail_seen <= tail in ring order: a copy that is old makes a side look
 *     again, never go too far.
 *
 * Push and pop are in the header. Own index: a relaxed load is enough, nobody else writes it. The
 * other side's index is loaded with acquire and stored with release, at the edges named there and
 * below. */
#include "ingest/ring/spsc.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define CAPACITY_MAX (UINT32_C(1) << 30)

static_assert(ATOMIC_INT_LOCK_FREE == 2, "the indices must be lock-free");
static_assert(offsetof(struct sluice_spsc, tail) >= SLUICE_CACHE_LINE,
              "the producer's line holds nothing that both sides read");
static_assert(offsetof(struct sluice_spsc, head) - offsetof(struct sluice_spsc, tail) >=
                  SLUICE_CACHE_LINE,
              "producer and consumer write lines of their own");
static_assert(offsetof(struct sluice_spsc, head_seen) < offsetof(struct sluice_spsc, head),
              "the copy of head belongs to the producer");
static_assert(offsetof(struct sluice_spsc, tail_seen) > offsetof(struct sluice_spsc, head),
              "the copy of tail belongs to the consumer");
static_assert(sizeof(struct sluice_spsc) % SLUICE_CACHE_LINE == 0,
              "rings beside each other share no line");

enum sluice_status sluice_spsc_init(struct sluice_spsc *ring, uint32_t capacity, uint32_t start)
{
    memset(ring, 0, sizeof *ring);
    if (capacity == 0 || capacity > CAPACITY_MAX)
        return SLUICE_LIMIT;
    uint32_t rounded = 1;
    while (rounded < capacity)
        rounded *= 2;
    /* whole lines of its own, so that no neighbour on the heap shares one with the slots */
    size_t bytes = (size_t)rounded * sizeof *ring->slots;
    bytes = (bytes + SLUICE_CACHE_LINE - 1) / SLUICE_CACHE_LINE * SLUICE_CACHE_LINE;
    ring->slots = aligned_alloc(SLUICE_CACHE_LINE, bytes);
    if (ring->slots == NULL)
        return SLUICE_NO_MEMORY;
    memset(ring->slots, 0, bytes); /* faults the pages in before the first frame */
    ring->mask = rounded - 1;
    ring->head_seen = ring->tail_seen = start;
    atomic_init(&ring->tail, start);
    atomic_init(&ring->head, start);
    return SLUICE_OK;
}

void sluice_spsc_close(struct sluice_spsc *ring)
{
    free(ring->slots);
    memset(ring, 0, sizeof *ring);
}

uint32_t sluice_spsc_pop_many(struct sluice_spsc *ring, uint32_t *slots, uint32_t max)
{
    uint32_t head = sluice_load_relaxed(&ring->head);
    if (ring->tail_seen - head < max) {
        /* [edge PUBLISH]: the places before tail are filled, and so are their slots */
        ring->tail_seen = sluice_load_acquire(&ring->tail);
    }
    uint32_t count = ring->tail_seen - head;
    if (count > max)
        count = max;
    if (count == 0)
        return 0;
    for (uint32_t i = 0; i < count; i++)
        slots[i] = ring->slots[(head + i) & ring->mask];
    /* [edge RECYCLE]: all these places have been read */
    sluice_store_release(&ring->head, head + count);
    return count;
}

uint32_t sluice_spsc_count(const struct sluice_spsc *ring)
{
    /* Relaxed: a number only, no slot changes hands by it. head first, so that the difference is
     * never negative; between the two loads others may have moved both, hence the bound. */
    uint32_t head = sluice_load_relaxed(&ring->head);
    uint32_t tail = sluice_load_relaxed(&ring->tail);
    uint32_t count = tail - head;
    return count > ring->mask + 1 ? ring->mask + 1 : count;
}
