/* SPDX-License-Identifier: Apache-2.0
 *
 * Concurrency Kit's SPSC ring behind the same names: the peer that ours is measured against, in the
 * same run. It holds pointers, so the number travels as one; with its typed variant and elements of
 * 4 bytes it is slower here. Indices and places lie on lines of their own, as ours do. */
#include <ck_ring.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/atomics.h"

#define RING_CAPACITY 1024

struct ring {
    _Alignas(SLUICE_CACHE_LINE) ck_ring_t ck;
    _Alignas(SLUICE_CACHE_LINE) ck_ring_buffer_t *places;
};

static bool ring_open(struct ring *ring)
{
    const size_t bytes = RING_CAPACITY * sizeof *ring->places;
    ring->places = aligned_alloc(SLUICE_CACHE_LINE, bytes);
    if (ring->places == NULL) {
        return false;
    }
    memset(ring->places, 0, bytes);
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
