/* SPDX-License-Identifier: Apache-2.0
 *
 * Design: the source writes the number of a slot before it pushes it, straight or to a worker; the
 * number therefore reaches the writer with the slot. The writer sweeps all rings into a window,
 * which is indexed by the number, and hands out what is next without a gap.
 *
 * Invariant: numbers that were given and not handed out yet belong to different slots, so there are
 * never more of them than slots, and a window of as many places has one for each. */
#include "ingest/ring/handover.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define SWEEP 64 /* slots taken from the rings at once */

static enum sluice_status init_workers(struct sluice_handover *handover, uint32_t worker_count,
                                       uint32_t slot_count)
{
    const uint32_t window = handover->direct.mask + 1;
    enum sluice_status status = sluice_fan_init(&handover->out, worker_count, slot_count);
    if (status == SLUICE_OK)
        status = sluice_fan_init(&handover->in, worker_count, slot_count);
    if (status != SLUICE_OK)
        return status;
    handover->numbers = calloc(slot_count, sizeof *handover->numbers);
    handover->window = calloc(window, sizeof *handover->window);
    handover->mask = window - 1;
    handover->worker_count = worker_count;
    return handover->numbers != NULL && handover->window != NULL ? SLUICE_OK : SLUICE_NO_MEMORY;
}

enum sluice_status sluice_handover_init(struct sluice_handover *handover, uint32_t worker_count,
                                        uint32_t slot_count)
{
    memset(handover, 0, sizeof *handover);
    enum sluice_status status = sluice_spsc_init(&handover->direct, slot_count, 0);
    if (status == SLUICE_OK && worker_count > 0)
        status = init_workers(handover, worker_count, slot_count);
    if (status != SLUICE_OK)
        sluice_handover_close(handover);
    return status;
}

void sluice_handover_close(struct sluice_handover *handover)
{
    sluice_spsc_close(&handover->direct);
    sluice_fan_close(&handover->out);
    sluice_fan_close(&handover->in);
    free(handover->numbers);
    free(handover->window);
    memset(handover, 0, sizeof *handover);
}

/* ---- source ---- */

static void set_number(struct sluice_handover *handover, uint32_t slot)
{
    if (handover->worker_count > 0)
        handover->numbers[slot] = handover->number++;
}

static void push(struct sluice_handover *handover, uint32_t slot)
{
    set_number(handover, slot);
    const enum sluice_status status = sluice_spsc_push(&handover->direct, slot);
    assert(status == SLUICE_OK); /* it holds every slot */
    (void)status;
    sluice_wake_signal(sluice_handover_wake(handover));
}

void sluice_handover_push(struct sluice_handover *handover, uint32_t slot)
{
    push(handover, slot);
    sluice_handover_hurry(handover);
}

void sluice_handover_push_work(struct sluice_handover *handover, uint32_t slot)
{
    if (handover->worker_count == 0) {
        push(handover, slot);
        return;
    }
    set_number(handover, slot);
    const enum sluice_status status = sluice_fan_deal(&handover->out, slot);
    assert(status == SLUICE_OK);
    (void)status;
}

/* ---- workers ---- */

enum sluice_status sluice_handover_take(struct sluice_handover *handover, uint32_t worker,
                                        uint32_t *slot)
{
    return sluice_fan_take(&handover->out, worker, slot);
}

void sluice_handover_give(struct sluice_handover *handover, uint32_t worker, uint32_t slot)
{
    const enum sluice_status status = sluice_fan_give(&handover->in, worker, slot);
    assert(status == SLUICE_OK);
    (void)status;
}

uint32_t sluice_handover_work_count(const struct sluice_handover *handover, uint32_t worker)
{
    return sluice_spsc_count(&handover->out.rings[worker]);
}

/* ---- writer ---- */

/* Puts all that has come into the window, and sees how far it reaches without a gap. */
static void gather(struct sluice_handover *handover)
{
    uint32_t slots[SWEEP], count;
    do {
        count = sluice_spsc_pop_many(&handover->direct, slots, SWEEP / 2);
        count += sluice_fan_collect(&handover->in, slots + count, SWEEP - count);
        for (uint32_t i = 0; i < count; i++)
            handover->window[handover->numbers[slots[i]] & handover->mask] = slots[i] + 1;
    } while (count > 0);
    while (handover->gathered - handover->next <= handover->mask &&
           handover->window[handover->gathered & handover->mask] != 0)
        handover->gathered++;
}

uint32_t sluice_handover_count(struct sluice_handover *handover)
{
    if (handover->worker_count == 0)
        return sluice_spsc_count(&handover->direct);
    gather(handover);
    return handover->gathered - handover->next;
}

uint32_t sluice_handover_pop_many(struct sluice_handover *handover, uint32_t *slots, uint32_t max)
{
    if (handover->worker_count == 0)
        return sluice_spsc_pop_many(&handover->direct, slots, max);
    uint32_t count = sluice_handover_count(handover);
    if (count > max)
        count = max;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t *place = &handover->window[handover->next++ & handover->mask];
        slots[i] = *place - 1;
        *place = 0;
    }
    return count;
}

bool sluice_handover_nap(struct sluice_handover *handover, int64_t ns)
{
    const uint32_t prepared = sluice_wake_prepare(&handover->nap);
    if (sluice_handover_count(handover) > 0) { /* who hurried before, pushed before that */
        sluice_wake_cancel(&handover->nap);
        return false;
    }
    return sluice_wake_wait(&handover->nap, prepared, ns);
}
