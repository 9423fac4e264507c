/* SPDX-License-Identifier: Apache-2.0
 *
 * Design: numbers of idle buffers lie on a stack of the worker's own; those that come back from the
 * writer wait in an SPSC ring until the stack is empty or all of them are wanted. The edge of
 * give_back is that ring's, so the writer's last read comes before the worker's next write. */
#include "ingest/ring/pool.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum sluice_status sluice_pool_init(struct sluice_pool *pool, uint32_t count_max,
                                    struct sluice_wake *wake)
{
    memset(pool, 0, sizeof *pool);
    const enum sluice_status status = sluice_spsc_init(&pool->returned, count_max, 0);
    if (status != SLUICE_OK)
        return status;
    pool->idle = calloc(count_max, sizeof *pool->idle);
    if (pool->idle == NULL) {
        sluice_pool_close(pool);
        return SLUICE_NO_MEMORY;
    }
    pool->count_max = count_max;
    pool->wake = wake;
    return SLUICE_OK;
}

static void unmap(struct sluice_pool *pool)
{
    if (pool->memory != NULL)
        munmap(pool->memory, pool->memory_bytes);
    pool->memory = NULL;
    pool->memory_bytes = pool->touched_bytes = pool->buffer_bytes = 0;
    pool->count = pool->touched = pool->idle_count = 0;
}

void sluice_pool_close(struct sluice_pool *pool)
{
    unmap(pool);
    free(pool->idle);
    sluice_spsc_close(&pool->returned);
    memset(pool, 0, sizeof *pool);
}

static void take_back(struct sluice_pool *pool)
{
    pool->idle_count += sluice_spsc_pop_many(&pool->returned, pool->idle + pool->idle_count,
                                             pool->touched - pool->idle_count);
}

static enum sluice_status map(struct sluice_pool *pool, size_t bytes)
{
    unmap(pool);
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return SLUICE_NO_MEMORY;
    (void)madvise(memory, bytes, MADV_HUGEPAGE); /* fewer faults, where the system has any */
    pool->memory = memory;
    pool->memory_bytes = bytes;
    return SLUICE_OK;
}

enum sluice_status sluice_pool_shape(struct sluice_pool *pool, size_t buffer_bytes,
                                     size_t bytes_max)
{
    if (sluice_pool_idle(pool) < pool->count)
        return SLUICE_AGAIN;
    if (buffer_bytes == 0 || buffer_bytes > SIZE_MAX / 2)
        return SLUICE_NO_MEMORY;
    buffer_bytes = sluice_pool_round(buffer_bytes);
    size_t count = bytes_max / buffer_bytes;
    count = count < 1 ? 1 : count < pool->count_max ? count : pool->count_max;
    const size_t needed = count * buffer_bytes;
    if (pool->memory_bytes < needed ||
        (pool->memory_bytes > needed && pool->memory_bytes > bytes_max)) {
        const enum sluice_status status = map(pool, needed);
        if (status != SLUICE_OK)
            return status;
    }
    pool->buffer_bytes = buffer_bytes;
    pool->count = (uint32_t)count;
    pool->touched = pool->idle_count = 0;
    return SLUICE_OK;
}

bool sluice_pool_touch(struct sluice_pool *pool)
{
    if (pool->touched == pool->count || (pool->touched >= SLUICE_POOL_READY_BUFFERS &&
                                         pool->touched_bytes >= SLUICE_POOL_READY_BYTES))
        return false;
    const size_t end = (pool->touched + (size_t)1) * pool->buffer_bytes;
    for (; pool->touched_bytes < end; pool->touched_bytes += SLUICE_POOL_ALIGN)
        ((volatile uint8_t *)pool->memory)[pool->touched_bytes] = 0;
    pool->idle[pool->idle_count++] = pool->touched++;
    return true;
}

enum sluice_status sluice_pool_try_take(struct sluice_pool *pool, uint32_t *buffer)
{
    if (pool->idle_count == 0)
        take_back(pool);
    if (pool->idle_count > 0) {
        *buffer = pool->idle[--pool->idle_count];
        return SLUICE_OK;
    }
    if (pool->touched == pool->count)
        return SLUICE_EMPTY;
    *buffer = pool->touched++;
    const size_t end = pool->touched * pool->buffer_bytes;
    if (pool->touched_bytes < end)
        pool->touched_bytes = end; /* the worker does it, as far as it fills it */
    return SLUICE_OK;
}

void sluice_pool_put_back(struct sluice_pool *pool, uint32_t buffer)
{
    pool->idle[pool->idle_count++] = buffer;
}

uint32_t sluice_pool_idle(struct sluice_pool *pool)
{
    take_back(pool);
    return pool->idle_count + (pool->count - pool->touched);
}

void sluice_pool_give_back(struct sluice_pool *pool, uint32_t buffer)
{
    const enum sluice_status status = sluice_spsc_push(&pool->returned, buffer); /* GIVE_BACK */
    assert(status == SLUICE_OK); /* the ring holds every buffer */
    (void)status;
    sluice_wake_signal(pool->wake);
}
