/* SPDX-License-Identifier: Apache-2.0
 *
 * Design: positions run free, so the bytes in use are a difference. A block that does not fit
 * before the end of the memory begins at its start; what it skips counts as a part of it. A queue
 * of blocks in the order of their taking says how far everything is free. When all of it is, it
 * begins again at the start: little memory is touched where little is in use. */
#include "ingest/ring/arena.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define BLOCKS_MAX (UINT32_C(1) << 30)

static size_t round_up(size_t bytes)
{
    return (bytes + SLUICE_ARENA_ALIGN - 1) & ~(SLUICE_ARENA_ALIGN - 1);
}

enum sluice_status sluice_arena_init(struct sluice_arena *arena,
                                     const struct sluice_arena_memory *memory, uint32_t blocks_max)
{
    uint32_t capacity = 1;
    *arena = (struct sluice_arena){0};
    if (blocks_max == 0 || blocks_max > BLOCKS_MAX || memory->bytes == 0 ||
        memory->bytes % SLUICE_ARENA_ALIGN != 0 ||
        (uintptr_t)memory->data % SLUICE_ARENA_ALIGN != 0)
        return SLUICE_LIMIT;
    while (capacity < blocks_max)
        capacity *= 2;
    arena->blocks = calloc(capacity, sizeof(*arena->blocks));
    if (arena->blocks == NULL)
        return SLUICE_NO_MEMORY;
    arena->memory = *memory;
    arena->mask = capacity - 1;
    return SLUICE_OK;
}

void sluice_arena_close(struct sluice_arena *arena)
{
    free(arena->blocks);
    *arena = (struct sluice_arena){0};
}

/* What is left unused before a block of that size. */
static size_t skipped(const struct sluice_arena *arena, size_t size)
{
    const size_t left = arena->memory.bytes - arena->head % arena->memory.bytes;
    return size > left ? left : 0;
}

bool sluice_arena_room(const struct sluice_arena *arena, size_t bytes)
{
    if (bytes > arena->memory.bytes || arena->next - arena->first > arena->mask)
        return false;
    const size_t size = round_up(bytes);
    const uint64_t begin = arena->head + skipped(arena, size);
    return begin + size <= arena->tail + arena->memory.bytes;
}

uint8_t *sluice_arena_take(struct sluice_arena *arena, size_t bytes, uint32_t *block)
{
    if (bytes == 0 || !sluice_arena_room(arena, bytes))
        return NULL;
    const size_t size = round_up(bytes);
    arena->head += skipped(arena, size);
    uint8_t *data = arena->memory.data + arena->head % arena->memory.bytes;
    arena->head += size;
    memset(data + bytes, 0, size - bytes);
    *block = arena->next & arena->mask;
    arena->blocks[*block] = (struct sluice_arena_block){.end = arena->head};
    arena->next++;
    return data;
}

void sluice_arena_give_back(struct sluice_arena *arena, uint32_t block)
{
    assert(!arena->blocks[block].free);
    arena->blocks[block].free = true;
    while (arena->first != arena->next && arena->blocks[arena->first & arena->mask].free)
        arena->tail = arena->blocks[arena->first++ & arena->mask].end;
    if (arena->first == arena->next)
        arena->head = arena->tail = 0;
}
