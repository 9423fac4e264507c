/* SPDX-License-Identifier: Apache-2.0
 *
 * The buffers of one worker: it fills them, the writer stores from them and gives them back.
 *
 * All are of one size and lie in one mapping, made before they are used. The pages of the first
 * ones are touched, one buffer at a time, while the worker has nothing else to do, so that no page
 * is faulted in while images pass, and the first image need not wait for them. The others are for a
 * disk that pauses: theirs come when they are first filled, and only those that are (a buffer is as
 * large as an image that does not shrink). They begin at multiples of SLUICE_POOL_ALIGN and their
 * size is one, so that a file driver may write whole pages out of them.
 *
 *   worker: try_take …………> fills it ══ with the slot ══> writer: give_back   [edge GIVE_BACK]
 *
 * Each worker has its own, and takes images in the source's order. Therefore nobody waits for ever,
 * although the writer hands images on in that order only: all that this worker has given away is
 * ahead of the image in its hands, and all of that comes back.
 *
 * Threads: everything is the worker's, but give_back, which is the writer's. */
#ifndef SLUICE_INGEST_RING_POOL_H
#define SLUICE_INGEST_RING_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ingest/ring/spsc.h"
#include "ingest/ring/wake.h"

#define SLUICE_POOL_ALIGN 4096u

/* Touched beforehand: so many at least, and more until they have so many bytes. */
#define SLUICE_POOL_READY_BUFFERS 2u
#define SLUICE_POOL_READY_BYTES   ((size_t)64 << 20)

struct sluice_pool {
    uint8_t *memory;
    size_t memory_bytes;
    size_t
        touched_bytes; /* of the mapping, from its begin; outlives a change of the buffers' size */
    size_t buffer_bytes;
    uint32_t count, count_max;
    uint32_t touched;         /* buffers 0 … touched - 1 have their pages, or were taken */
    struct sluice_wake *wake; /* the worker's, borrowed */
    uint32_t *idle;           /* stack: the one used last is the warmest */
    uint32_t idle_count;
    struct sluice_spsc returned; /* writer -> worker */
};

static inline size_t sluice_pool_round(size_t bytes)
{
    return (bytes + SLUICE_POOL_ALIGN - 1) / SLUICE_POOL_ALIGN * SLUICE_POOL_ALIGN;
}

/* A pool without buffers that may get up to count_max. NO_MEMORY or LIMIT. */
enum sluice_status sluice_pool_init(struct sluice_pool *pool, uint32_t count_max,
                                    struct sluice_wake *wake);
/* Every buffer must be home. Zeroed memory is acceptable. */
void sluice_pool_close(struct sluice_pool *pool);

/* Makes as many buffers of at least buffer_bytes as fit into bytes_max, at least one and at most
 * count_max. AGAIN while one is out; NO_MEMORY: the pool is then without buffers. What is mapped is
 * used again where it fits. */
enum sluice_status sluice_pool_shape(struct sluice_pool *pool, size_t buffer_bytes,
                                     size_t bytes_max);

/* Touches the pages of one more buffer; false: enough have theirs. */
bool sluice_pool_touch(struct sluice_pool *pool);

/* OK or EMPTY. */
enum sluice_status sluice_pool_try_take(struct sluice_pool *pool, uint32_t *buffer);
/* The worker keeps for itself what it took and did not need. */
void sluice_pool_put_back(struct sluice_pool *pool, uint32_t buffer);
/* How many could be taken; all that there are: none is out. */
uint32_t sluice_pool_idle(struct sluice_pool *pool);
static inline uint8_t *sluice_pool_buffer(const struct sluice_pool *pool, uint32_t buffer)
{
    return pool->memory + (size_t)buffer * pool->buffer_bytes;
}

/* The writer: the contents are no longer needed. Wakes the worker. */
void sluice_pool_give_back(struct sluice_pool *pool, uint32_t buffer);

#endif
