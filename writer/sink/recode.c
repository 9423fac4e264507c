/* SPDX-License-Identifier: Apache-2.0
 *
 * Decode and encode again. The output buffers are one a channel, because all planes of an image are
 * written after all were found good. */
#include "writer/sink/recode.h"

#include <stdlib.h>

static bool reserve(uint8_t **buffer, size_t *have, size_t bytes)
{
    if (*have >= bytes)
        return true;
    free(*buffer);
    *buffer = malloc(bytes);
    *have = *buffer != NULL ? bytes : 0;
    return *buffer != NULL;
}

enum sluice_status sluice_recode_plane(struct sluice_recode *recode, struct sluice_plane *plane,
                                       enum sluice_encoding encoding)
{
    size_t element_bytes = sluice_dtype_bytes(plane->dtype);
    size_t pixel_bytes = (size_t)plane->width * plane->height * element_bytes;
    size_t bound = sluice_codec_bound(encoding, element_bytes, pixel_bytes);
    uint32_t c = plane->channel_index;
    if (!reserve(&recode->pixels, &recode->pixel_bytes, pixel_bytes) ||
        !reserve(&recode->out[c], &recode->out_bytes[c], bound))
        return SLUICE_NO_MEMORY;
    enum sluice_status status = sluice_codec_decode(plane->encoding, plane->payload, element_bytes,
                                                    recode->pixels, pixel_bytes, &recode->scratch);
    size_t bytes = 0;
    if (status == SLUICE_OK)
        status = sluice_codec_encode(encoding, recode->pixels, pixel_bytes, element_bytes,
                                     recode->out[c], bound, &bytes, &recode->scratch);
    if (status != SLUICE_OK)
        return status;
    plane->payload = (struct sluice_span){recode->out[c], bytes};
    plane->has_checksum = false;
    plane->lent = SLUICE_LENT_NOT;
    plane->encoding = encoding;
    return SLUICE_OK;
}

enum sluice_status sluice_recode_frame(struct sluice_recode *recode,
                                       const struct sluice_plane *plane, struct sluice_span *chunk,
                                       struct sluice_error *error)
{
    size_t decoded_bytes = (size_t)plane->width * plane->height * sluice_dtype_bytes(plane->dtype);
    size_t bytes = SLUICE_BLOCK_FRAMING_BYTES + plane->payload.bytes;
    if (!reserve(&recode->chunk, &recode->chunk_bytes, bytes))
        return sluice_error_set(error, SLUICE_NO_MEMORY, "no memory for a chunk of %zu bytes",
                                bytes);
    enum sluice_status status = sluice_codec_frame_block(
        plane->payload, decoded_bytes, recode->chunk, recode->chunk_bytes, &chunk->bytes);
    chunk->data = recode->chunk;
    return status == SLUICE_OK
               ? SLUICE_OK
               : sluice_error_set(error, status, "an LZ4 block of %zu bytes cannot be framed: %s",
                                  plane->payload.bytes, sluice_status_text(status));
}

void sluice_recode_close(struct sluice_recode *recode)
{
    free(recode->pixels);
    free(recode->chunk);
    for (int c = 0; c < SLUICE_PLANES_MAX; c++)
        free(recode->out[c]);
    sluice_codec_scratch_close(&recode->scratch);
}
