/* SPDX-License-Identifier: Apache-2.0
 *
 * An image whose planes are encoded otherwise than its file's datasets (a dataset has one filter)
 * is decoded and encoded again; and a bare LZ4 block gets its framing. Recoding is rare, so it
 * happens on the writer thread, in buffers that grow once and are kept. Zeroed memory is
 * acceptable; one thread. */
#ifndef SLUICE_WRITER_RECODE_H
#define SLUICE_WRITER_RECODE_H

#include "core/codec/codec.h"
#include "core/error.h"

struct sluice_recode {
    struct sluice_codec_scratch scratch;
    uint8_t *pixels;
    size_t pixel_bytes;
    uint8_t *out[SLUICE_PLANES_MAX];
    size_t out_bytes[SLUICE_PLANES_MAX];
    uint8_t *chunk;
    size_t chunk_bytes;
};

/* Points the plane's payload at a buffer of `recode`, encoded as `encoding`; valid until the next
 * call for the same channel. MALFORMED, TRUNCATED or MISMATCH when it cannot be decoded; NO_MEMORY.
 */
enum sluice_status sluice_recode_plane(struct sluice_recode *recode, struct sluice_plane *plane,
                                       enum sluice_encoding encoding);
/* The chunk of a plane that is a bare LZ4 block: copied behind its framing into a buffer of
 * `recode`, valid until the next call. NO_MEMORY; MALFORMED. */
enum sluice_status sluice_recode_frame(struct sluice_recode *recode,
                                       const struct sluice_plane *plane, struct sluice_span *chunk,
                                       struct sluice_error *error);
void sluice_recode_close(struct sluice_recode *recode);

#endif
