/* SPDX-License-Identifier: Apache-2.0
 *
 * Our SPSC ring behind the names that the measured loops use. */
#include <stdbool.h>

#include "ingest/ring/spsc.h"

#define RING_CAPACITY 1024

struct ring {
    struct sluice_spsc spsc;
};

static bool ring_open(struct ring *ring)
{
    return sluice_spsc_init(&ring->spsc, RING_CAPACITY, 0) == SLUICE_OK;
}

static void ring_close(struct ring *ring)
{
    sluice_spsc_close(&ring->spsc);
}

static inline bool ring_push(struct ring *ring, uint32_t number)
{
    return sluice_spsc_push(&ring->spsc, number) == SLUICE_OK;
}

static inline bool ring_pop(struct ring *ring, uint32_t *number)
{
    return sluice_spsc_pop(&ring->spsc, number) == SLUICE_OK;
}
