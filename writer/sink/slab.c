/* SPDX-License-Identifier: Apache-2.0
 *
 * A list of blocks. They are larger than malloc's threshold for mmap, so they are zero and resident
 * only as far as they are used. What is large gets a block of its own, behind the shared one. */
#include "writer/sink/slab.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES (256 * 1024)

struct sluice_slab_block {
    struct sluice_slab_block *next;
    _Alignas(16) unsigned char bytes[];
};

static struct sluice_slab_block *new_block(size_t bytes)
{
    return calloc(1, sizeof(struct sluice_slab_block) + bytes);
}

void *sluice_slab_take(struct sluice_slab *slab, size_t bytes)
{
    bytes = (bytes + 15) / 16 * 16;
    if (bytes > BLOCK_BYTES / 8 && slab->blocks != NULL) {
        struct sluice_slab_block *own = new_block(bytes);
        if (own == NULL)
            return NULL;
        own->next = slab->blocks->next;
        slab->blocks->next = own;
        return own->bytes;
    }
    if (slab->room - slab->used < bytes) {
        size_t room = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
        struct sluice_slab_block *block = new_block(room);
        if (block == NULL)
            return NULL;
        block->next = slab->blocks;
        slab->blocks = block;
        slab->room = room;
        slab->used = 0;
    }
    void *taken = slab->blocks->bytes + slab->used;
    slab->used += bytes;
    return taken;
}

char *sluice_slab_text(struct sluice_slab *slab, const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *copy = sluice_slab_take(slab, bytes);
    return copy != NULL ? memcpy(copy, text, bytes) : NULL;
}

void sluice_slab_close(struct sluice_slab *slab)
{
    struct sluice_slab_block *block = slab->blocks;
    while (block != NULL) {
        struct sluice_slab_block *next = block->next;
        free(block);
        block = next;
    }
    memset(slab, 0, sizeof(*slab));
}
