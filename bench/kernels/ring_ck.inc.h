/* SPDX-License-Identifier: Apache-2.0
 *
 * Concurrency Kit's SPSC ring behind the same names: the peer that ours is measured against, in the
 * same run. It holds pointers, so the number travels as one. */
#include <ck_ring.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#define RING_CAPACITY 1024

struct ring {
    ck_ring_t ck;
    ck_ring_buffer_t *places;
};

static bool ring_open(struct ring *ring)
{
    ring->places = calloc(RING_CAPACITY, sizeof *ring->places);
    if (ring->places == NULL) {
        return false;
    }
    ck_ring_init(&ring->ck, RING_CAPACITY);
    return true;
}

static void ring_close(struct ring *ring)
{
    free(ring->places);
}

static inline bool ring_push(struct ring *ring, uint32_t number)
{
    return ck_ring_enqueue_spsc(&ring->ck, ring->places, (void *)(uintptr_t)number);
}

static inline bool ring_pop(struct ring *ring, uint32_t *number)
{
    void *entry;
    if (!ck_ring_dequeue_spsc(&ring->ck, ring->places, &entry)) {
        return false;
    }
    *number = (uint32_t)(uintptr_t)entry;
    return true;
}
