/* SPDX-License-Identifier: Apache-2.0
 *
 * The walk over a payload's framing, the one place that believes nothing: the check and the decoder
 * both stand on it, so they agree on what is sound. No allocation, no decompression; borrows the
 * payload; plain data, one thread. */
#ifndef SLUICE_CORE_CODEC_FRAMING_H
#define SLUICE_CORE_CODEC_FRAMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/codec/codec.h"

#define SLUICE_FRAMING_HEADER_BYTES 12
#define SLUICE_FRAMING_LENGTH_BYTES 4

/* Where a walk stands. */
struct sluice_framing {
    enum sluice_encoding encoding;
    struct sluice_span rest; /* not walked over yet */
    size_t element_bytes;
    size_t blocked_left; /* decoded bytes still to come in blocks */
    size_t tail_bytes;   /* bslz4: the < 8 elements after the blocks, as they are */
    size_t block_bytes;  /* decoded bytes of a full block; at least 1 while blocks are left */
};

struct sluice_framing_block {
    struct sluice_span data; /* LZ4, or the decoded bytes themselves when `raw` */
    size_t decoded_bytes;    /* at least 1, at most LZ4_MAX_INPUT_SIZE unless raw */
    bool raw;
};

/* Reads the header. OK, TRUNCATED, MALFORMED or MISMATCH. Not for SLUICE_ENCODING_NONE. */
enum sluice_status sluice_framing_open(struct sluice_framing *framing,
                                       enum sluice_encoding encoding, struct sluice_span payload,
                                       size_t element_bytes, size_t decoded_bytes);
/* The next block, then the tail as a raw one. END when the payload ends where it has to; TRUNCATED
 * when it ends before, MALFORMED when it goes on or a block cannot be. */
enum sluice_status sluice_framing_next(struct sluice_framing *framing,
                                       struct sluice_framing_block *block);

/* A bare block: sluice_codec_check and sluice_codec_decode of SLUICE_ENCODING_LZ4_BLOCK. */
enum sluice_status sluice_block_check(struct sluice_span block, size_t decoded_bytes);
enum sluice_status sluice_block_decode(struct sluice_span block, void *pixels,
                                       size_t decoded_bytes);

static inline bool sluice_framing_element_is_known(size_t element_bytes)
{
    return element_bytes == 1 || element_bytes == 2 || element_bytes == 4 || element_bytes == 8;
}

#endif
