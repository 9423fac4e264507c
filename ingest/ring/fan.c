/* SPDX-License-Identifier: Apache-2.0
 *
 * Design: the dealer asks all rings for their length and gives to the shortest, so a worker that is
 * slow gets less. The lengths are a moment old, which can only make the choice less good: each ring
 * has one producer and one consumer whatever is chosen. `turn` breaks ties, so that workers that
 * are all idle get work in turn, and decides where a sweep begins, so that no worker starves. */
#include "ingest/ring/fan.h"

#include <stdlib.h>
#include <string.h>

enum sluice_status sluice_fan_init(struct sluice_fan *fan, uint32_t worker_count, uint32_t capacity)
{
    memset(fan, 0, sizeof *fan);
    if (worker_count == 0 || worker_count > SLUICE_FAN_WORKERS_MAX)
        return SLUICE_LIMIT;
    enum sluice_status status = SLUICE_NO_MEMORY;
    size_t rings_bytes = worker_count * sizeof *fan->rings;
    size_t wakes_bytes = worker_count * sizeof *fan->wakes;
    fan->rings = aligned_alloc(SLUICE_CACHE_LINE, rings_bytes);
    fan->wakes = aligned_alloc(SLUICE_CACHE_LINE, wakes_bytes);
    if (fan->rings == NULL || fan->wakes == NULL)
        goto fail;
    memset(fan->wakes, 0, wakes_bytes);
    for (; fan->worker_count < worker_count; fan->worker_count++) {
        status = sluice_spsc_init(&fan->rings[fan->worker_count], capacity, 0);
        if (status != SLUICE_OK)
            goto fail;
    }
    return SLUICE_OK;

fail:
    sluice_fan_close(fan);
    return status;
}

void sluice_fan_close(struct sluice_fan *fan)
{
    for (uint32_t i = 0; i < fan->worker_count; i++)
        sluice_spsc_close(&fan->rings[i]);
    free(fan->rings);
    free(fan->wakes);
    memset(fan, 0, sizeof *fan);
}

static uint32_t after(const struct sluice_fan *fan, uint32_t worker)
{
    return worker + 1 == fan->worker_count ? 0 : worker + 1;
}

enum sluice_status sluice_fan_deal(struct sluice_fan *fan, uint32_t slot)
{
    uint32_t worker = fan->turn;
    uint32_t best = worker, shortest = UINT32_MAX;
    for (uint32_t i = 0; i < fan->worker_count && shortest > 0; i++) {
        uint32_t count = sluice_spsc_count(&fan->rings[worker]);
        if (count < shortest) {
            shortest = count;
            best = worker;
        }
        worker = after(fan, worker);
    }
    enum sluice_status status = sluice_spsc_push(&fan->rings[best], slot);
    if (status == SLUICE_OK) {
        fan->turn = after(fan, best);
        sluice_wake_signal(&fan->wakes[best]);
    }
    return status;
}

enum sluice_status sluice_fan_take(struct sluice_fan *fan, uint32_t worker, uint32_t *slot)
{
    return sluice_spsc_pop(&fan->rings[worker], slot);
}

enum sluice_status sluice_fan_give(struct sluice_fan *fan, uint32_t worker, uint32_t slot)
{
    enum sluice_status status = sluice_spsc_push(&fan->rings[worker], slot);
    if (status == SLUICE_OK)
        sluice_wake_signal(&fan->wakes[0]);
    return status;
}

uint32_t sluice_fan_collect(struct sluice_fan *fan, uint32_t *slots, uint32_t max)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < fan->worker_count && count < max; i++) {
        count += sluice_spsc_pop_many(&fan->rings[fan->turn], slots + count, max - count);
        fan->turn = after(fan, fan->turn);
    }
    return count;
}
