/* SPDX-License-Identifier: Apache-2.0
 *
 * Decoding, block by block along the walk of framing.h. Design: liblz4's safe decoder writes an lz4
 * block where it belongs and a bslz4 block into the scratch, one block large, from which it is
 * un-transposed into place while it is still in the cache. A block must give exactly the bytes that
 * it stands for. The scratch never grows beyond the pixels that the caller itself has room for. */
#include <stdlib.h>
#include <string.h>

#include <lz4.h>

#include "core/codec/framing.h"
#include "core/codec/scratch.h"

enum sluice_status sluice_codec_scratch_reserve(struct sluice_codec_scratch *scratch, size_t bytes)
{
    uint8_t *data;

    if (scratch->bytes >= bytes)
        return SLUICE_OK;
    data = malloc(bytes);
    if (data == NULL)
        return SLUICE_NO_MEMORY;
    free(scratch->data);
    scratch->data = data;
    scratch->bytes = bytes;
    return SLUICE_OK;
}

void sluice_codec_scratch_close(struct sluice_codec_scratch *scratch)
{
    free(scratch->data);
    *scratch = (struct sluice_codec_scratch){0};
}

static enum sluice_status decode_block(const struct sluice_framing *framing,
                                       const struct sluice_framing_block *block, uint8_t *out,
                                       struct sluice_codec_scratch *scratch)
{
    uint8_t *lz4_out = out;

    if (block->raw) {
        memcpy(out, block->data.data, block->decoded_bytes);
        return SLUICE_OK;
    }
    if (framing->encoding == SLUICE_ENCODING_BSLZ4) {
        enum sluice_status status = sluice_codec_scratch_reserve(scratch, block->decoded_bytes);

        if (status != SLUICE_OK)
            return status;
        lz4_out = scratch->data;
    }
    if (LZ4_decompress_safe((const char *)block->data.data, (char *)lz4_out, (int)block->data.bytes,
                            (int)block->decoded_bytes) != (int)block->decoded_bytes)
        return SLUICE_MALFORMED;
    if (framing->encoding == SLUICE_ENCODING_BSLZ4)
        sluice_bitunshuffle(out, lz4_out, block->decoded_bytes / framing->element_bytes,
                            framing->element_bytes);
    return SLUICE_OK;
}

enum sluice_status sluice_codec_decode(enum sluice_encoding encoding, struct sluice_span payload,
                                       size_t element_bytes, void *pixels, size_t decoded_bytes,
                                       struct sluice_codec_scratch *scratch)
{
    struct sluice_framing framing;
    struct sluice_framing_block block;
    enum sluice_status status;
    uint8_t *out = pixels;

    if (encoding == SLUICE_ENCODING_NONE) {
        if (payload.bytes != decoded_bytes)
            return SLUICE_MISMATCH;
        if (decoded_bytes > 0)
            memcpy(pixels, payload.data, decoded_bytes);
        return SLUICE_OK;
    }
    if (encoding == SLUICE_ENCODING_LZ4_BLOCK)
        return sluice_block_decode(payload, pixels, decoded_bytes);
    status = sluice_framing_open(&framing, encoding, payload, element_bytes, decoded_bytes);
    while (status == SLUICE_OK) {
        status = sluice_framing_next(&framing, &block);
        if (status == SLUICE_OK) {
            status = decode_block(&framing, &block, out, scratch);
            out += block.decoded_bytes;
        }
    }
    return status == SLUICE_END ? SLUICE_OK : status;
}
