/* SPDX-License-Identifier: Apache-2.0
 *
 * One LZ4 block without any framing, as Stream V1 sends it. Nothing in it says how many pixels it
 * stands for. The check holds its length against what LZ4 can make of so many pixels, and no more:
 * to walk over its sequences takes as long as to decompress it (370 us for 1 MiB of pixels, the
 * checksum 23 us), and the framed encodings are not looked into either. */
#include <string.h>

#include <lz4.h>

#include "core/codec/checksum.h"
#include "core/codec/framing.h"

#define EXPANSION_MAX 255 /* bytes that a byte of a block can stand for */

enum sluice_status sluice_block_check(struct sluice_span block, size_t decoded_bytes)
{
    if (decoded_bytes == 0 || decoded_bytes > LZ4_MAX_INPUT_SIZE)
        return SLUICE_LIMIT;
    if (block.bytes < decoded_bytes / EXPANSION_MAX || block.bytes == 0)
        return SLUICE_TRUNCATED;
    return block.bytes <= (size_t)LZ4_compressBound((int)decoded_bytes) ? SLUICE_OK
                                                                        : SLUICE_MISMATCH;
}

enum sluice_status sluice_block_decode(struct sluice_span block, void *pixels, size_t decoded_bytes)
{
    const enum sluice_status status = sluice_block_check(block, decoded_bytes);
    if (status != SLUICE_OK)
        return status;
    return LZ4_decompress_safe((const char *)block.data, pixels, (int)block.bytes,
                               (int)decoded_bytes) == (int)decoded_bytes
               ? SLUICE_OK
               : SLUICE_MALFORMED;
}

static void write_be(uint8_t *to, uint64_t value, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--, value >>= 8)
        to[i] = (uint8_t)value;
}

static void write_framing(uint8_t *to, size_t block_bytes, size_t decoded_bytes)
{
    write_be(to, decoded_bytes, 8);
    write_be(to + 8, decoded_bytes, 4);
    write_be(to + 12, block_bytes, 4);
}

enum sluice_status sluice_codec_frame_block(struct sluice_span block, size_t decoded_bytes,
                                            uint8_t *out, size_t capacity, size_t *out_bytes)
{
    if (capacity < SLUICE_BLOCK_FRAMING_BYTES ||
        block.bytes > capacity - SLUICE_BLOCK_FRAMING_BYTES)
        return SLUICE_LIMIT;
    write_framing(out, block.bytes, decoded_bytes);
    *out_bytes = SLUICE_BLOCK_FRAMING_BYTES + block.bytes;
    if (block.bytes == decoded_bytes) /* the filter would take it for pixels: then let it be them */
        return sluice_block_decode(block, out + SLUICE_BLOCK_FRAMING_BYTES, decoded_bytes);
    memcpy(out + SLUICE_BLOCK_FRAMING_BYTES, block.data, block.bytes);
    return SLUICE_OK;
}

bool sluice_codec_block_checksum(struct sluice_span block, size_t decoded_bytes, uint64_t *checksum)
{
    uint8_t framing[SLUICE_BLOCK_FRAMING_BYTES];
    if (block.bytes == decoded_bytes)
        return false;
    write_framing(framing, block.bytes, decoded_bytes);
    *checksum = sluice_checksum_joined((struct sluice_span){framing, sizeof(framing)}, block);
    return true;
}

size_t sluice_codec_block_bound(size_t pixel_bytes)
{
    return pixel_bytes <= LZ4_MAX_INPUT_SIZE ? (size_t)LZ4_compressBound((int)pixel_bytes) : 0;
}

enum sluice_status sluice_codec_encode_block(const void *pixels, size_t pixel_bytes, uint8_t *out,
                                             size_t capacity, size_t *out_bytes)
{
    const size_t bound = sluice_codec_block_bound(pixel_bytes);
    int bytes = 0;

    *out_bytes = 0;
    if (bound > 0 && capacity >= bound)
        bytes = LZ4_compress_default(pixels, (char *)out, (int)pixel_bytes, (int)bound);
    if (bytes <= 0)
        return SLUICE_LIMIT;
    *out_bytes = (size_t)bytes;
    return SLUICE_OK;
}
