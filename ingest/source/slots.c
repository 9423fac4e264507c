/* SPDX-License-Identifier: Apache-2.0
 *
 * Two stacks of free slot numbers over arrays made once. Invariant: a number is in exactly one
 * place: a stack, the ring, the writer's hands, or the free ring. */
#include "ingest/source/slots.h"

#include <assert.h>
#include <stdlib.h>

#include "core/series.h"

/* Each part may be a small one that pins a receive buffer. */
static uint64_t counted_bytes(const struct sluice_message *message)
{
    const uint64_t parts = message->part_count > 1 ? message->part_count - 1 : 0;
    const uint64_t bytes = message->bytes;
    return parts * SLUICE_MESSAGE_BYTES_MIN +
           (bytes < SLUICE_MESSAGE_BYTES_MIN ? SLUICE_MESSAGE_BYTES_MIN : bytes);
}

enum sluice_status sluice_slots_init(struct sluice_slots *slots, uint32_t data_count,
                                     uint64_t bytes_max, uint32_t text_bytes)
{
    *slots = (struct sluice_slots){
        .data_count = data_count,
        .control_count = SLUICE_CONTROL_SLOTS,
        .text_bytes = text_bytes,
        .bytes_max = bytes_max,
    };
    const size_t count = (size_t)data_count + SLUICE_CONTROL_SLOTS;
    slots->frames = calloc(count, sizeof(*slots->frames));
    slots->messages = calloc(count, sizeof(*slots->messages));
    slots->text = calloc(data_count, text_bytes > 0 ? text_bytes : 1);
    slots->data_free = calloc(data_count, sizeof(*slots->data_free));
    slots->control_free = calloc(SLUICE_CONTROL_SLOTS, sizeof(*slots->control_free));
    if (slots->frames == NULL || slots->messages == NULL || slots->text == NULL ||
        slots->data_free == NULL || slots->control_free == NULL) {
        sluice_slots_close(slots);
        return SLUICE_NO_MEMORY;
    }
    for (uint32_t i = 0; i < data_count; i++)
        slots->data_free[slots->data_free_count++] = data_count - 1 - i;
    for (uint32_t i = 0; i < SLUICE_CONTROL_SLOTS; i++)
        slots->control_free[slots->control_free_count++] = data_count + i;
    return SLUICE_OK;
}

void sluice_slots_close(struct sluice_slots *slots)
{
    const size_t count = slots->data_count + slots->control_count;
    for (size_t i = 0; i < count && slots->messages != NULL && slots->frames != NULL; i++) {
        sluice_message_release(&slots->messages[i]);
        sluice_series_destroy(slots->frames[i].series);
        free(slots->frames[i].arm);
    }
    free(slots->frames);
    free(slots->messages);
    free(slots->text);
    free(slots->data_free);
    free(slots->control_free);
    *slots = (struct sluice_slots){0};
}

uint32_t sluice_slots_peek(const struct sluice_slots *slots)
{
    return slots->data_free_count > 0 ? slots->data_free[slots->data_free_count - 1]
                                      : SLUICE_SLOT_NONE;
}

bool sluice_slots_room(const struct sluice_slots *slots, const struct sluice_message *message)
{
    return slots->data_free_count > 0 &&
           (slots->bytes_used == 0 ||
            slots->bytes_used + counted_bytes(message) <= slots->bytes_max);
}

uint32_t sluice_slots_accept(struct sluice_slots *slots, struct sluice_message *message)
{
    assert(slots->data_free_count > 0);
    const uint32_t slot = slots->data_free[--slots->data_free_count];
    slots->bytes_used += counted_bytes(message);
    sluice_message_move(&slots->messages[slot], message);
    return slot;
}

uint32_t sluice_slots_take_control(struct sluice_slots *slots)
{
    return slots->control_free_count > 0 ? slots->control_free[--slots->control_free_count]
                                         : SLUICE_SLOT_NONE;
}

void sluice_slots_reclaim(struct sluice_slots *slots, uint32_t slot)
{
    assert(slot < slots->data_count + slots->control_count);
    if (slot >= slots->data_count) {
        slots->control_free[slots->control_free_count++] = slot;
        return;
    }
    slots->bytes_used -= counted_bytes(&slots->messages[slot]);
    sluice_message_release(&slots->messages[slot]);
    slots->data_free[slots->data_free_count++] = slot;
}

uint32_t sluice_slots_used(const struct sluice_slots *slots)
{
    return slots->data_count - slots->data_free_count;
}
