/* SPDX-License-Identifier: Apache-2.0
 *
 * Design: raw pixels are encoded from where they lie in the message, and decoded ones go straight
 * into the buffer where nothing else is to be done with them, so only a plane that changes its
 * compression needs the decoded copy between. A bare LZ4 block becomes a chunk of the lz4 filter by
 * its framing alone. */
#include "ingest/encode/plane.h"

#include <stdlib.h>
#include <string.h>

#include "ingest/ring/pool.h"

void sluice_plane_encoder_close(struct sluice_plane_encoder *encoder)
{
    free(encoder->pixels);
    sluice_codec_scratch_close(&encoder->scratch);
    memset(encoder, 0, sizeof *encoder);
}

size_t sluice_plane_pixel_bytes(const struct sluice_plane *plane)
{
    size_t pixels, bytes;
    if (__builtin_mul_overflow((size_t)plane->width, (size_t)plane->height, &pixels) ||
        __builtin_mul_overflow(pixels, sluice_dtype_bytes(plane->dtype), &bytes) ||
        bytes > SIZE_MAX / 4)
        return SIZE_MAX;
    return bytes;
}

static bool is_framed_only(const struct sluice_plane *plane, enum sluice_encoding encoding)
{
    return plane->encoding == SLUICE_ENCODING_LZ4_BLOCK && encoding == SLUICE_ENCODING_LZ4;
}

bool sluice_plane_needs_pixels(const struct sluice_plane *plane, enum sluice_encoding encoding)
{
    return plane->encoding != encoding && plane->encoding != SLUICE_ENCODING_NONE &&
           encoding != SLUICE_ENCODING_NONE && !is_framed_only(plane, encoding);
}

size_t sluice_plane_room(const struct sluice_plane *plane, enum sluice_encoding encoding)
{
    const size_t bytes = sluice_plane_pixel_bytes(plane);
    if (plane->encoding == encoding)
        return 0;
    if (bytes == SIZE_MAX)
        return SIZE_MAX;
    if (is_framed_only(plane, encoding))
        return sluice_pool_round(SLUICE_BLOCK_FRAMING_BYTES + plane->payload.bytes);
    return sluice_pool_round(sluice_codec_bound(encoding, sluice_dtype_bytes(plane->dtype), bytes));
}

enum sluice_status sluice_plane_encoder_reserve(struct sluice_plane_encoder *encoder, size_t bytes)
{
    if (encoder->pixels_bytes >= bytes)
        return SLUICE_OK;
    free(encoder->pixels);
    encoder->pixels = malloc(bytes);
    encoder->pixels_bytes = encoder->pixels != NULL ? bytes : 0;
    if (encoder->pixels == NULL)
        return SLUICE_NO_MEMORY;
    memset(encoder->pixels, 0, bytes);
    return SLUICE_OK;
}

/* The pixels: where they lie in the message, or decoded. */
static enum sluice_status find_pixels(struct sluice_plane_encoder *encoder,
                                      const struct sluice_plane *plane, size_t pixel_bytes,
                                      const uint8_t **pixels)
{
    *pixels = plane->payload.data;
    if (plane->encoding == SLUICE_ENCODING_NONE)
        return plane->payload.bytes == pixel_bytes ? SLUICE_OK : SLUICE_MISMATCH;
    enum sluice_status status = sluice_plane_encoder_reserve(encoder, pixel_bytes);
    if (status == SLUICE_OK)
        status =
            sluice_codec_decode(plane->encoding, plane->payload, sluice_dtype_bytes(plane->dtype),
                                encoder->pixels, pixel_bytes, &encoder->scratch);
    *pixels = encoder->pixels;
    return status;
}

enum sluice_status sluice_plane_encode(struct sluice_plane_encoder *encoder,
                                       struct sluice_plane *plane, enum sluice_encoding encoding,
                                       uint8_t *out, size_t room)
{
    const size_t element_bytes = sluice_dtype_bytes(plane->dtype);
    const size_t pixel_bytes = sluice_plane_pixel_bytes(plane);
    const uint8_t *pixels;
    size_t bytes = pixel_bytes;
    enum sluice_status status;
    if (is_framed_only(plane, encoding)) {
        status = sluice_codec_frame_block(plane->payload, pixel_bytes, out, room, &bytes);
    } else if (encoding == SLUICE_ENCODING_NONE) {
        if (pixel_bytes > room)
            return SLUICE_LIMIT;
        status = sluice_codec_decode(plane->encoding, plane->payload, element_bytes, out,
                                     pixel_bytes, &encoder->scratch);
    } else {
        status = find_pixels(encoder, plane, pixel_bytes, &pixels);
        if (status == SLUICE_OK)
            status = sluice_codec_encode(encoding, pixels, pixel_bytes, element_bytes, out, room,
                                         &bytes, &encoder->scratch);
    }
    if (status != SLUICE_OK)
        return status;
    memset(out + bytes, 0, sluice_pool_round(bytes) - bytes);
    plane->payload = (struct sluice_span){out, bytes};
    plane->lent = SLUICE_LENT_PAGES;
    plane->encoding = encoding;
    plane->checksum = sluice_checksum(plane->payload);
    plane->has_checksum = true;
    return SLUICE_OK;
}
