/* SPDX-License-Identifier: Apache-2.0
 *
 * The walk over blocks of bit planes, and their way to pixels. Design: a block is decoded into the
 * scratch, which is a block and the decoder's slack large, whatever the header claims: the framing
 * lets no block be larger than the image that the caller expects. */
#include "core/codec/planes.h"

#include <string.h>

#include "core/codec/lz4_decode.h"
#include "core/codec/scratch.h"
#include "core/codec/untranspose_low.h"

/* From here on it pays to leave repeated planes away: a plane is a vector of the widest level. */
#define PERIOD_MULTIPLE 64

enum sluice_status sluice_planes_open(struct sluice_planes *walk, struct sluice_span payload,
                                      size_t element_bytes, size_t decoded_bytes,
                                      struct sluice_codec_scratch *scratch)
{
    *walk = (struct sluice_planes){.scratch = scratch, .element_bytes = element_bytes};
    return sluice_framing_open(&walk->framing, SLUICE_ENCODING_BSLZ4, payload, element_bytes,
                               decoded_bytes);
}

static enum sluice_status decode(struct sluice_planes *walk,
                                 const struct sluice_framing_block *stored,
                                 struct sluice_planes_block *block)
{
    struct sluice_lz4_task task = {.block = stored->data,
                                   .decoded_bytes = stored->decoded_bytes,
                                   .room = stored->decoded_bytes + SLUICE_CODEC_SLACK_BYTES};
    enum sluice_status status = sluice_codec_scratch_reserve(walk->scratch, task.room);

    if (status != SLUICE_OK)
        return status;
    task.readable = stored->data.bytes + walk->framing.rest.bytes;
    task.out = walk->scratch->data;
    block->planes = task.out;
    block->plane_bytes = block->count / 8;
    block->significant = 8 * (unsigned)walk->element_bytes;
    if (block->plane_bytes % PERIOD_MULTIPLE == 0)
        task.period = block->plane_bytes;
    if (!sluice_lz4_decode(&task))
        return SLUICE_MALFORMED;
    if (task.written < task.decoded_bytes)
        block->significant = (unsigned)(task.written / task.period);
    return SLUICE_OK;
}

enum sluice_status sluice_planes_next(struct sluice_planes *walk, struct sluice_planes_block *block)
{
    struct sluice_framing_block stored;
    enum sluice_status status = sluice_framing_next(&walk->framing, &stored);

    if (status != SLUICE_OK)
        return status;
    *block = (struct sluice_planes_block){.first = walk->next,
                                          .count = stored.decoded_bytes / walk->element_bytes,
                                          .element_bytes = walk->element_bytes};
    walk->next += block->count;
    if (stored.raw) {
        block->pixels = stored.data.data;
        return SLUICE_OK;
    }
    return decode(walk, &stored, block);
}

/* Writes the planes that were left away. */
static void complete(struct sluice_planes_block *block)
{
    const uint8_t *last = block->planes + (block->significant - 1) * block->plane_bytes;

    for (; block->significant < 8 * block->element_bytes; block->significant++)
        memcpy(block->planes + block->significant * block->plane_bytes, last, block->plane_bytes);
}

void sluice_planes_pixels(struct sluice_planes_block *block, void *pixels)
{
    if (block->planes == NULL) {
        memcpy(pixels, block->pixels, block->count * block->element_bytes);
        return;
    }
    if (sluice_untranspose_low(pixels, block->planes, block->count, block->element_bytes,
                               block->significant))
        return;
    complete(block);
    sluice_bitunshuffle(pixels, block->planes, block->count, block->element_bytes);
}
