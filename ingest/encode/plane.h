/* SPDX-License-Identifier: Apache-2.0
 *
 * Brings one plane into another encoding. One thread; borrows all but the working memory. */
#ifndef SLUICE_INGEST_ENCODE_PLANE_H
#define SLUICE_INGEST_ENCODE_PLANE_H

#include "core/codec/codec.h"
#include "core/frame.h"

/* What a worker keeps between planes. Zeroed memory is acceptable. */
struct sluice_plane_encoder {
    struct sluice_codec_scratch scratch;
    uint8_t *pixels; /* a decoded plane */
    size_t pixels_bytes;
};
void sluice_plane_encoder_close(struct sluice_plane_encoder *encoder);

/* Bytes of the plane's pixels, SIZE_MAX when there can be no such plane. */
size_t sluice_plane_pixel_bytes(const struct sluice_plane *plane);
/* Room that the plane needs in a buffer, a multiple of SLUICE_POOL_ALIGN; 0: it is in this encoding
 * already. SIZE_MAX as above. `encoding` is one that is stored, never LZ4_BLOCK. */
size_t sluice_plane_room(const struct sluice_plane *plane, enum sluice_encoding encoding);

/* Whether the plane has to be decoded into memory of the encoder first. */
bool sluice_plane_needs_pixels(const struct sluice_plane *plane, enum sluice_encoding encoding);

/* Makes room for decoded planes of so many bytes, touched. NO_MEMORY. */
enum sluice_status sluice_plane_encoder_reserve(struct sluice_plane_encoder *encoder, size_t bytes);

/* Encodes into `room` bytes (sluice_plane_room) at `out` and points the payload there; the bytes
 * behind it are zero up to the next multiple of SLUICE_POOL_ALIGN. Sets the checksum. MALFORMED,
 * TRUNCATED or MISMATCH when it cannot be decoded, NO_MEMORY; the plane is then as it was. */
enum sluice_status sluice_plane_encode(struct sluice_plane_encoder *encoder,
                                       struct sluice_plane *plane, enum sluice_encoding encoding,
                                       uint8_t *out, size_t room);

#endif
