/* SPDX-License-Identifier: Apache-2.0
 *
 * Decoding, block by block along the walk of framing.h. Design: liblz4's safe decoder writes an lz4
 * block where it belongs; a bslz4 block goes through planes.h, decoded into the scratch, one block
 * large, and un-transposed into place while it is still in the cache. A block must give exactly the
 * bytes that it stands for. The scratch never grows beyond the pixels that the caller itself has
 * room for, and the decoder's slack. */
#include <stdlib.h>
#include <string.h>

#include <lz4.h>

#include "core/codec/framing.h"
#include "core/codec/planes.h"
#include "core/codec/scratch.h"

enum sluice_status sluice_codec_scratch_reserve(struct sluice_codec_scratch *scratch, size_t bytes)
{
    const size_t line = 64, rounded = (bytes + line - 1) / line * line;
    uint8_t *data;

    if (scratch->bytes >= bytes)
        return SLUICE_OK;
    data = rounded >= bytes ? aligned_alloc(line, rounded) : NULL;
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

static enum sluice_status decode_bslz4(struct sluice_span payload, size_t element_bytes,
                                       uint8_t *pixels, size_t decoded_bytes,
                                       struct sluice_codec_scratch *scratch)
{
    struct sluice_planes walk;
    struct sluice_planes_block block;
    enum sluice_status status =
        sluice_planes_open(&walk, payload, element_bytes, decoded_bytes, scratch);

    while (status == SLUICE_OK) {
        status = sluice_planes_next(&walk, &block);
        if (status == SLUICE_OK)
            sluice_planes_pixels(&block, pixels + block.first * element_bytes);
    }
    return status == SLUICE_END ? SLUICE_OK : status;
}

static enum sluice_status decode_lz4(struct sluice_span payload, size_t element_bytes,
                                     uint8_t *pixels, size_t decoded_bytes)
{
    struct sluice_framing framing;
    struct sluice_framing_block block;
    enum sluice_status status =
        sluice_framing_open(&framing, SLUICE_ENCODING_LZ4, payload, element_bytes, decoded_bytes);

    while (status == SLUICE_OK) {
        status = sluice_framing_next(&framing, &block);
        if (status != SLUICE_OK)
            break;
        if (block.raw)
            memcpy(pixels, block.data.data, block.decoded_bytes);
        else if (LZ4_decompress_safe((const char *)block.data.data, (char *)pixels,
                                     (int)block.data.bytes,
                                     (int)block.decoded_bytes) != (int)block.decoded_bytes)
            status = SLUICE_MALFORMED;
        pixels += block.decoded_bytes;
    }
    return status == SLUICE_END ? SLUICE_OK : status;
}

enum sluice_status sluice_codec_decode(enum sluice_encoding encoding, struct sluice_span payload,
                                       size_t element_bytes, void *pixels, size_t decoded_bytes,
                                       struct sluice_codec_scratch *scratch)
{
    if (encoding == SLUICE_ENCODING_NONE) {
        if (payload.bytes != decoded_bytes)
            return SLUICE_MISMATCH;
        if (decoded_bytes > 0)
            memcpy(pixels, payload.data, decoded_bytes);
        return SLUICE_OK;
    }
    if (encoding == SLUICE_ENCODING_LZ4_BLOCK)
        return sluice_block_decode(payload, pixels, decoded_bytes);
    return encoding == SLUICE_ENCODING_BSLZ4
               ? decode_bslz4(payload, element_bytes, pixels, decoded_bytes, scratch)
               : decode_lz4(payload, element_bytes, pixels, decoded_bytes);
}
