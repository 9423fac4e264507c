/* SPDX-License-Identifier: Apache-2.0
 *
 * The memory that payloads are copied into while the processor still has them in its cache, so that
 * the message they came in can be freed at once (libzmq then receives the next one into memory that
 * is warm), and the file driver can write them from where they lie.
 *
 *   tail                          head
 *    |block|block  |block|.........|            a ring of bytes; freed in order, whatever the
 *    `- the oldest that is in use               order in which blocks come back
 *
 * A block begins at a multiple of SLUICE_ARENA_ALIGN and is zero behind its contents up to the
 * next one, so whole pages of it can be written; blocks that were taken one after the other lie one
 * behind the other, but where the ring begins again.
 *
 * Owned and used by the source thread alone: blocks come back with their slots. Nothing blocks or
 * allocates after init. */
#ifndef SLUICE_INGEST_RING_ARENA_H
#define SLUICE_INGEST_RING_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/atomics.h"
#include "core/error.h"

#define SLUICE_ARENA_ALIGN ((size_t)4096)
/* Smaller images are better packed with others. */
#define SLUICE_ARENA_IMAGE_LEAST ((size_t)128 << 10)
#define SLUICE_ARENA_NONE        UINT32_MAX

struct sluice_arena_block {
    uint64_t end; /* of it in the ring */
    bool free;
};

struct sluice_arena_memory {
    uint8_t *data; /* NULL: there is none */
    size_t bytes;
    /* While its owner says so, what comes is better left where it is; may be NULL: never. */
    const _Atomic bool *avoid;
};

struct sluice_arena {
    struct sluice_arena_memory memory;
    uint64_t head, tail; /* run free; the place is the number modulo memory.bytes */
    struct sluice_arena_block *blocks;
    uint32_t first, next, mask; /* blocks in use; run free */
};

/* The memory is borrowed, aligned to SLUICE_ARENA_ALIGN and whole units of it. At most `blocks_max`
 * blocks are in use at a time. NO_MEMORY or LIMIT. */
enum sluice_status sluice_arena_init(struct sluice_arena *arena,
                                     const struct sluice_arena_memory *memory, uint32_t blocks_max);
/* Zeroed memory is acceptable. */
void sluice_arena_close(struct sluice_arena *arena);

/* Whether so much can be taken now. */
bool sluice_arena_room(const struct sluice_arena *arena, size_t bytes);
/* A block for `bytes` (> 0), with its padding zeroed, and its number; NULL: no room. */
uint8_t *sluice_arena_take(struct sluice_arena *arena, size_t bytes, uint32_t *block);
/* The contents are no longer needed. */
void sluice_arena_give_back(struct sluice_arena *arena, uint32_t block);
/* Whether new payloads are better left where they are. */
static inline bool sluice_arena_avoided(const struct sluice_arena *arena)
{
    return arena->memory.avoid != NULL && sluice_load_relaxed(arena->memory.avoid);
}
/* Bytes in use, with what waits for older ones. */
static inline uint64_t sluice_arena_used(const struct sluice_arena *arena)
{
    return arena->head - arena->tail;
}

#endif
