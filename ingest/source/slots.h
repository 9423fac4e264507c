/* SPDX-License-Identifier: Apache-2.0
 *
 * The slots that ring numbers name: a frame, the message it points into, and a text buffer each.
 * Slots 0 to data_count - 1 carry images; the control_count after them carry the opening and close
 * of series, so that these get through when every data slot is taken. Memory is bounded in bytes as
 * well: a message counts with at least 8 KiB, and with as much for each further part, since a small
 * one pins libzmq's receive buffer. Of the data slots large messages have only a part, so that what
 * waits of them does not grow with what may wait of small ones, of which a millisecond has
 * hundreds. From a large one on all have that part, until nothing waits: else, of images that are
 * partly larger, those would be dropped and the others not.
 *
 * The source owns the free slots; the writer owns a slot between the pop of its number and the push
 * of it to the free ring. All functions are the source thread's. */
#ifndef SLUICE_INGEST_SOURCE_SLOTS_H
#define SLUICE_INGEST_SOURCE_SLOTS_H

#include "core/frame.h"
#include "ingest/ring/arena.h"
#include "ingest/source/message.h"
#include "ingest/source/rest.h"

#define SLUICE_CONTROL_SLOTS     8
#define SLUICE_MESSAGE_BYTES_MIN 8192
#define SLUICE_MESSAGE_LARGE     ((size_t)16 << 10) /* above */
#define SLUICE_SLOT_NONE         UINT32_MAX
#define SLUICE_SLOT_WORDS        512
/* So much waits: a burst, for which the arena is used until nothing waits any more. */
#define SLUICE_ARENA_BYTES_WAITING ((uint64_t)16 << 20)

struct sluice_slots {
    uint32_t data_count, control_count;
    uint32_t large_count;            /* while fewer are taken there is room for a large message */
    bool large_held;                 /* and for no other: one was taken since all were free */
    struct sluice_frame *frames;     /* [data_count + control_count], by slot number */
    struct sluice_message *messages; /* likewise */
    char *text;                      /* user data of data slots */
    uint32_t text_bytes;             /* each */
    uint32_t *data_free, *control_free; /* stacks: the slot used last is the warmest */
    uint32_t data_free_count, control_free_count;
    uint64_t bytes_used, bytes_max;
    uint64_t *bytes;         /* of bytes_used, by slot */
    struct sluice_rest rest; /* messages that were written from, not counted here */

    struct sluice_arena *arena; /* borrowed; NULL: payloads stay in their messages */
    bool in_burst;              /* payloads are to go there */
    uint32_t *blocks;           /* of the arena, by slot; SLUICE_ARENA_NONE */
    uint8_t *words; /* SLUICE_SLOT_WORDS a data slot: what a copied image keeps beside */
};

enum sluice_status sluice_slots_init(struct sluice_slots *slots, uint32_t data_count,
                                     uint64_t bytes_max, uint32_t text_bytes);
/* Large messages have room while fewer than `count` slots are taken; 0, as at first: no such bound.
 */
void sluice_slots_bound_large(struct sluice_slots *slots, uint32_t count);
/* Payloads may be copied into the arena from now on. NO_MEMORY. */
enum sluice_status sluice_slots_use_arena(struct sluice_slots *slots, struct sluice_arena *arena);
/* Releases every message, and series that no writer took. */
void sluice_slots_close(struct sluice_slots *slots);

/* The data slot that the next accept will give, or SLUICE_SLOT_NONE: decode into its frame. */
uint32_t sluice_slots_peek(const struct sluice_slots *slots);
/* Whether the message fits now: a slot and memory. A message larger than the whole bound fits when
 * nothing else is held, so that it cannot stop the stream. */
bool sluice_slots_room(const struct sluice_slots *slots, const struct sluice_message *message);
/* Takes the peeked slot and moves the message into it. */
uint32_t sluice_slots_accept(struct sluice_slots *slots, struct sluice_message *message);
/* The payloads of the slot's image go into the arena and its message back to libzmq, at once.
 * False: that is not for such images, or there is no room; nothing has happened. */
bool sluice_slots_copy(struct sluice_slots *slots, uint32_t slot);
/* Whether an image is for the arena and must wait for room there. */
bool sluice_slots_wait(const struct sluice_slots *slots, const struct sluice_image *image);
uint32_t sluice_slots_take_control(struct sluice_slots *slots); /* or SLUICE_SLOT_NONE */
/* A slot that the writer gave back: its message is released, or rests if it was written from. */
void sluice_slots_reclaim(struct sluice_slots *slots, uint32_t slot);
uint32_t sluice_slots_used(const struct sluice_slots *slots);
/* A quarter of those for large messages, or of the bytes they may hold; or a burst, which may fill
 * the arena. */
bool sluice_slots_crowded(const struct sluice_slots *slots);

#endif
