/* SPDX-License-Identifier: Apache-2.0
 *
 * Transposes with the reference function of the codec, block by block. */
#include "bench/data/stock.h"

#include <lz4.h>
#include <string.h>

#include "core/codec/codec.h"

#define BLOCK_BYTES  SLUICE_BSLZ4_BLOCK_BYTES
#define HEADER_BYTES 12

static void put_be(uint8_t *out, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        out[i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
}

size_t sluice_stock_bound(size_t bytes, size_t element_bytes)
{
    return sluice_codec_bound(SLUICE_ENCODING_BSLZ4, element_bytes, bytes);
}

size_t sluice_stock_encode(const void *pixels, size_t bytes, size_t element_bytes, uint8_t *out)
{
    const uint8_t *in = pixels;
    uint8_t planes[BLOCK_BYTES];
    uint8_t *next = out + HEADER_BYTES;
    const size_t eight = 8 * element_bytes;
    size_t left = bytes;
    put_be(out, bytes, 8);
    put_be(out + 8, BLOCK_BYTES, 4);
    while (left >= eight) {
        const size_t block = left < BLOCK_BYTES ? left / eight * eight : BLOCK_BYTES;
        sluice_bitshuffle(planes, in, block / element_bytes, element_bytes);
        const int encoded = LZ4_compress_default((const char *)planes, (char *)next + 4, (int)block,
                                                 LZ4_compressBound((int)block));
        if (encoded <= 0)
            return 0;
        put_be(next, (uint64_t)encoded, 4);
        next += 4 + encoded;
        in += block;
        left -= block;
    }
    memcpy(next, in, left); /* fewer than eight elements follow as they are */
    return (size_t)(next - out) + left;
}
