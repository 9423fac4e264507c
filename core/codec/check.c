/* SPDX-License-Identifier: Apache-2.0
 *
 * The walk over the framing, and the check that is nothing but the walk. Design: lengths are only
 * ever compared with what is left, never added up, so that none can wrap. Invariant: the rest lies
 * inside the payload at every step. */
#include <lz4.h>

#include "core/codec/framing.h"

/* One byte in a block of its own: its length field, and LZ4's bound for it (17), rounded up. */
#define PAYLOAD_GROWTH_MAX 32

static uint32_t read_u32_be(const uint8_t *from)
{
    return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

static uint64_t read_u64_be(const uint8_t *from)
{
    return (uint64_t)read_u32_be(from) << 32 | read_u32_be(from + 4);
}

static struct sluice_span take(struct sluice_span *rest, size_t bytes)
{
    struct sluice_span taken = {rest->data, bytes};

    rest->data += bytes;
    rest->bytes -= bytes;
    return taken;
}

/* The stock decoder allocates a block of what the header says, however small the image is. */
static bool block_is_absurd(uint32_t block_bytes, size_t decoded_bytes)
{
    return block_bytes > SLUICE_BSLZ4_BLOCK_BYTES_MAX && block_bytes > decoded_bytes;
}

enum sluice_status sluice_framing_open(struct sluice_framing *framing,
                                       enum sluice_encoding encoding, struct sluice_span payload,
                                       size_t element_bytes, size_t decoded_bytes)
{
    struct sluice_span header;
    uint32_t block_bytes;

    *framing = (struct sluice_framing){
        .encoding = encoding, .rest = payload, .element_bytes = element_bytes};
    if (!sluice_framing_element_is_known(element_bytes) || decoded_bytes % element_bytes != 0)
        return SLUICE_MISMATCH;
    if (payload.bytes < SLUICE_FRAMING_HEADER_BYTES)
        return SLUICE_TRUNCATED;
    header = take(&framing->rest, SLUICE_FRAMING_HEADER_BYTES);
    if (read_u64_be(header.data) != decoded_bytes)
        return SLUICE_MISMATCH;
    block_bytes = read_u32_be(header.data + 8);
    if (encoding == SLUICE_ENCODING_BSLZ4) {
        framing->tail_bytes = decoded_bytes % (8 * element_bytes);
        if (block_bytes % (8 * element_bytes) != 0 || block_is_absurd(block_bytes, decoded_bytes))
            return SLUICE_MALFORMED;
    }
    framing->blocked_left = decoded_bytes - framing->tail_bytes;
    framing->block_bytes = block_bytes;
    return block_bytes == 0 && decoded_bytes > 0 ? SLUICE_MALFORMED : SLUICE_OK;
}

static enum sluice_status next_tail(struct sluice_framing *framing,
                                    struct sluice_framing_block *block)
{
    if (framing->tail_bytes == 0)
        return framing->rest.bytes == 0 ? SLUICE_END : SLUICE_MALFORMED;
    if (framing->rest.bytes < framing->tail_bytes)
        return SLUICE_TRUNCATED;
    block->data = take(&framing->rest, framing->tail_bytes);
    block->decoded_bytes = framing->tail_bytes;
    block->raw = true;
    framing->tail_bytes = 0;
    return SLUICE_OK;
}

enum sluice_status sluice_framing_next(struct sluice_framing *framing,
                                       struct sluice_framing_block *block)
{
    uint32_t length;

    if (framing->blocked_left == 0)
        return next_tail(framing, block);
    if (framing->rest.bytes < SLUICE_FRAMING_LENGTH_BYTES)
        return SLUICE_TRUNCATED;
    length = read_u32_be(take(&framing->rest, SLUICE_FRAMING_LENGTH_BYTES).data);
    if (length == 0)
        return SLUICE_MALFORMED;
    if (length > framing->rest.bytes)
        return SLUICE_TRUNCATED;
    block->data = take(&framing->rest, length);
    block->decoded_bytes =
        framing->blocked_left < framing->block_bytes ? framing->blocked_left : framing->block_bytes;
    block->raw = framing->encoding == SLUICE_ENCODING_LZ4 && length == block->decoded_bytes;
    if (!block->raw && (block->decoded_bytes > LZ4_MAX_INPUT_SIZE ||
                        length > (uint32_t)LZ4_compressBound((int)block->decoded_bytes)))
        return SLUICE_MALFORMED;
    framing->blocked_left -= block->decoded_bytes;
    return SLUICE_OK;
}

enum sluice_status sluice_codec_check(enum sluice_encoding encoding, struct sluice_span payload,
                                      size_t element_bytes, size_t decoded_bytes)
{
    struct sluice_framing framing;
    struct sluice_framing_block block;
    enum sluice_status status;

    if (encoding == SLUICE_ENCODING_NONE)
        return payload.bytes == decoded_bytes ? SLUICE_OK : SLUICE_MISMATCH;
    if (encoding == SLUICE_ENCODING_LZ4_BLOCK)
        return sluice_block_check(payload, decoded_bytes);
    status = sluice_framing_open(&framing, encoding, payload, element_bytes, decoded_bytes);
    while (status == SLUICE_OK)
        status = sluice_framing_next(&framing, &block);
    return status == SLUICE_END ? SLUICE_OK : status;
}

size_t sluice_codec_payload_max(enum sluice_encoding encoding, size_t decoded_bytes)
{
    if (encoding == SLUICE_ENCODING_NONE)
        return decoded_bytes;
    return decoded_bytes > (SIZE_MAX - SLUICE_FRAMING_HEADER_BYTES) / PAYLOAD_GROWTH_MAX
               ? SIZE_MAX
               : SLUICE_FRAMING_HEADER_BYTES + PAYLOAD_GROWTH_MAX * decoded_bytes;
}
