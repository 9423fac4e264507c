/* SPDX-License-Identifier: Apache-2.0
 *
 * Two stacks of free slot numbers over arrays made once. Invariant: a number is in exactly one
 * place: a stack, the ring, the writer's hands, or the free ring. */
#include "ingest/source/slots.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/copy.h"
#include "core/series.h"

#define CROWDED 4 /* a part of the slots, or of their bytes */

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
        .large_count = data_count,
        .control_count = SLUICE_CONTROL_SLOTS,
        .text_bytes = text_bytes,
        .bytes_max = bytes_max,
    };
    const size_t count = (size_t)data_count + SLUICE_CONTROL_SLOTS;
    slots->frames = calloc(count, sizeof(*slots->frames));
    slots->messages = calloc(count, sizeof(*slots->messages));
    slots->text = calloc(data_count, text_bytes > 0 ? text_bytes : 1);
    slots->data_free = calloc(data_count, sizeof(*slots->data_free));
    slots->bytes = calloc(count, sizeof(*slots->bytes));
    slots->control_free = calloc(SLUICE_CONTROL_SLOTS, sizeof(*slots->control_free));
    if (slots->frames == NULL || slots->messages == NULL || slots->text == NULL ||
        slots->bytes == NULL || slots->data_free == NULL || slots->control_free == NULL) {
        sluice_slots_close(slots);
        return SLUICE_NO_MEMORY;
    }
    for (uint32_t i = 0; i < data_count; i++)
        slots->data_free[slots->data_free_count++] = data_count - 1 - i;
    for (uint32_t i = 0; i < SLUICE_CONTROL_SLOTS; i++)
        slots->control_free[slots->control_free_count++] = data_count + i;
    return SLUICE_OK;
}

void sluice_slots_bound_large(struct sluice_slots *slots, uint32_t count)
{
    slots->large_count = count > 0 && count < slots->data_count ? count : slots->data_count;
}

void sluice_slots_close(struct sluice_slots *slots)
{
    const size_t count = slots->data_count + slots->control_count;
    for (size_t i = 0; i < count && slots->messages != NULL && slots->frames != NULL; i++) {
        sluice_message_release(&slots->messages[i]);
        sluice_series_destroy(slots->frames[i].series);
        free(slots->frames[i].arm);
    }
    sluice_rest_close(&slots->rest);
    free(slots->frames);
    free(slots->messages);
    free(slots->text);
    free(slots->bytes);
    free(slots->blocks);
    free(slots->words);
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
    const bool large = slots->large_held || message->bytes > SLUICE_MESSAGE_LARGE;
    const uint32_t most = large ? slots->large_count : slots->data_count;
    return sluice_slots_used(slots) < most &&
           (slots->bytes_used == 0 ||
            slots->bytes_used + counted_bytes(message) <= slots->bytes_max);
}

uint32_t sluice_slots_accept(struct sluice_slots *slots, struct sluice_message *message)
{
    assert(slots->data_free_count > 0);
    const uint32_t slot = slots->data_free[--slots->data_free_count];
    slots->bytes[slot] = counted_bytes(message);
    slots->bytes_used += slots->bytes[slot];
    slots->large_held = slots->large_held || message->bytes > SLUICE_MESSAGE_LARGE;
    sluice_message_move(&slots->messages[slot], message);
    return slot;
}

uint32_t sluice_slots_take_control(struct sluice_slots *slots)
{
    return slots->control_free_count > 0 ? slots->control_free[--slots->control_free_count]
                                         : SLUICE_SLOT_NONE;
}

static void release_message(struct sluice_slots *slots, uint32_t slot, bool written_from)
{
    struct sluice_message *message = &slots->messages[slot];
    slots->bytes_used -= slots->bytes[slot];
    slots->bytes[slot] = 0;
    if (written_from && !slots->in_burst && message->part_count > 0) {
        sluice_rest_put(&slots->rest, message);
        return;
    }
    sluice_message_release(message);
    sluice_rest_shrink(&slots->rest);
}

void sluice_slots_reclaim(struct sluice_slots *slots, uint32_t slot)
{
    assert(slot < slots->data_count + slots->control_count);
    if (slot >= slots->data_count) {
        slots->control_free[slots->control_free_count++] = slot;
        return;
    }
    release_message(slots, slot, slots->frames[slot].written_from);
    if (slots->arena != NULL && slots->blocks[slot] != SLUICE_ARENA_NONE) {
        sluice_arena_give_back(slots->arena, slots->blocks[slot]);
        slots->blocks[slot] = SLUICE_ARENA_NONE;
    }
    slots->data_free[slots->data_free_count++] = slot;
    slots->large_held = slots->large_held && sluice_slots_used(slots) > 0;
}

/* ---- the arena ---- */

enum sluice_status sluice_slots_use_arena(struct sluice_slots *slots, struct sluice_arena *arena)
{
    slots->blocks = malloc(slots->data_count * sizeof(*slots->blocks));
    slots->words = malloc((size_t)slots->data_count * SLUICE_SLOT_WORDS);
    if (slots->blocks == NULL || slots->words == NULL)
        return SLUICE_NO_MEMORY;
    for (uint32_t i = 0; i < slots->data_count; i++)
        slots->blocks[i] = SLUICE_ARENA_NONE;
    slots->arena = arena;
    return SLUICE_OK;
}

/* What goes into the arena of an image; 0: it stays in its message. Small ones are packed by the
 * file driver, and a bare LZ4 block becomes a chunk only there. But for bursts the writer takes the
 * image from the message at once, while it is still in the cache. */
static size_t arena_bytes(const struct sluice_slots *slots, const struct sluice_image *image)
{
    size_t bytes = 0;
    if (!slots->in_burst || sluice_arena_avoided(slots->arena))
        return 0;
    for (uint32_t p = 0; p < image->plane_count; p++) {
        if (image->planes[p].encoding == SLUICE_ENCODING_LZ4_BLOCK)
            return 0;
        bytes += image->planes[p].payload.bytes;
    }
    return bytes >= SLUICE_ARENA_IMAGE_LEAST && bytes <= slots->arena->memory.bytes / 4 ? bytes : 0;
}

bool sluice_slots_wait(const struct sluice_slots *slots, const struct sluice_image *image)
{
    const size_t bytes = arena_bytes(slots, image);
    return bytes > 0 && !sluice_arena_room(slots->arena, bytes);
}

/* Moves the words that the span is to the slot's own place. */
static bool keep_words(struct sluice_slots *slots, uint32_t slot, size_t *used,
                       struct sluice_span *span)
{
    uint8_t *words = slots->words + (size_t)slot * SLUICE_SLOT_WORDS + *used;
    if (span->bytes == 0) {
        span->data = words;
        return true;
    }
    if (span->bytes > SLUICE_SLOT_WORDS - *used)
        return false;
    memcpy(words, span->data, span->bytes);
    span->data = words;
    *used += span->bytes;
    return true;
}

/* When an image was accepted: one that waits alone is none. */
static void note_burst(struct sluice_slots *slots)
{
    if (slots->arena == NULL || sluice_slots_used(slots) <= 1)
        slots->in_burst = false;
    else if (slots->bytes_used + sluice_arena_used(slots->arena) >= SLUICE_ARENA_BYTES_WAITING)
        slots->in_burst = true;
}

bool sluice_slots_copy(struct sluice_slots *slots, uint32_t slot)
{
    struct sluice_frame *frame = &slots->frames[slot];
    struct sluice_image *image = &frame->image;
    note_burst(slots);
    const size_t bytes = arena_bytes(slots, image);
    struct sluice_span date = frame->series_date, names[SLUICE_PLANES_MAX];
    size_t used = 0;
    if (bytes == 0 || !keep_words(slots, slot, &used, &date))
        return false;
    for (uint32_t p = 0; p < image->plane_count; p++) {
        names[p] = image->planes[p].channel;
        if (!keep_words(slots, slot, &used, &names[p]))
            return false;
    }
    uint8_t *to = sluice_arena_take(slots->arena, bytes, &slots->blocks[slot]);
    if (to == NULL)
        return false;
    frame->series_date = date;
    for (uint32_t p = 0; p < image->plane_count; p++) {
        struct sluice_plane *plane = &image->planes[p];
        sluice_copy_past_cache(to, plane->payload.data, plane->payload.bytes);
        plane->payload.data = to;
        plane->channel = names[p];
        plane->lent = SLUICE_LENT_PAGES;
        to += plane->payload.bytes;
    }
    release_message(slots, slot, false);
    return true;
}

uint32_t sluice_slots_used(const struct sluice_slots *slots)
{
    return slots->data_count - slots->data_free_count;
}

bool sluice_slots_crowded(const struct sluice_slots *slots)
{
    return slots->in_burst || sluice_slots_used(slots) >= slots->large_count / CROWDED ||
           slots->bytes_used >= slots->bytes_max / CROWDED;
}
