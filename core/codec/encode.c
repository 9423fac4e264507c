/* SPDX-License-Identifier: Apache-2.0
 *
 * Encoding in the framings of the stock filters. Design: one block after the other, straight into
 * the caller's buffer; its 4 bytes of length are filled in once it is known how long it is. Blocks
 * of bslz4 are written by lz4_encode.h, those of lz4 by liblz4. The transposed block and the tables
 * live in the scratch, so that nothing is allocated after the first call. Invariant: `at` never
 * passes `capacity`; what a block may write beyond its length stays within it too. */
#include <string.h>

#include <lz4.h>

#include "core/codec/framing.h"
#include "core/codec/lz4_encode.h"
#include "core/codec/scratch.h"

#define ACCELERATION 1 /* LZ4's default: the best ratio of its fast compressor */

struct output {
    uint8_t *data;
    size_t capacity, at;
};

/* What the scratch holds for bslz4. */
struct working {
    struct sluice_lz4_encoder encoder;
    uint8_t block[LZ4_COMPRESSBOUND(SLUICE_BSLZ4_BLOCK_BYTES) + SLUICE_LZ4_SLACK];
};

#define WORKING_ALIGNMENT 64 /* a cache line, so that few loads cross two */

static struct working *working_in(const struct sluice_codec_scratch *scratch)
{
    uintptr_t at = (uintptr_t)scratch->data + offsetof(struct working, encoder.data);

    return (struct working *)(scratch->data + (-at & (WORKING_ALIGNMENT - 1)));
}

static void write_u32_be(uint8_t *to, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(value >> (24 - 8 * i));
}

static void write_header(struct output *out, uint64_t pixel_bytes, uint32_t block_bytes)
{
    write_u32_be(out->data, (uint32_t)(pixel_bytes >> 32));
    write_u32_be(out->data + 4, (uint32_t)pixel_bytes);
    write_u32_be(out->data + 8, block_bytes);
    out->at = SLUICE_FRAMING_HEADER_BYTES;
}

static enum sluice_status write_raw(struct output *out, const uint8_t *data, size_t bytes)
{
    if (bytes > out->capacity - out->at)
        return SLUICE_LIMIT;
    memcpy(out->data + out->at, data, bytes);
    out->at += bytes;
    return SLUICE_OK;
}

/* Appends length and LZ4 block, of at most `bytes_max`; AGAIN when it does not get that short,
 * LIMIT when it would be longer than the room. */
static enum sluice_status write_lz4(struct output *out, void *state, const uint8_t *data,
                                    size_t bytes, size_t bytes_max)
{
    size_t room = out->capacity - out->at;
    int length;

    if (room < SLUICE_FRAMING_LENGTH_BYTES)
        return SLUICE_LIMIT;
    room -= SLUICE_FRAMING_LENGTH_BYTES;
    length = LZ4_compress_fast_extState(
        state, (const char *)data, (char *)out->data + out->at + SLUICE_FRAMING_LENGTH_BYTES,
        (int)bytes, (int)(room < bytes_max ? room : bytes_max), ACCELERATION);
    if (length <= 0)
        return room < bytes_max ? SLUICE_LIMIT : SLUICE_AGAIN;
    write_u32_be(out->data + out->at, (uint32_t)length);
    out->at += SLUICE_FRAMING_LENGTH_BYTES + (size_t)length;
    return SLUICE_OK;
}

/* One block of pixels. Where the room is short, beside it first. */
static enum sluice_status write_planes(struct output *out, const uint8_t *pixels, size_t bytes,
                                       size_t element_bytes, struct working *working)
{
    const size_t room = out->capacity - out->at;
    const int beside = room < SLUICE_FRAMING_LENGTH_BYTES + sizeof working->block;
    uint8_t *to = beside ? working->block : out->data + out->at + SLUICE_FRAMING_LENGTH_BYTES;
    size_t length = sluice_lz4_encode_planes(to, pixels, bytes, element_bytes, &working->encoder);

    if (beside) {
        if (room < SLUICE_FRAMING_LENGTH_BYTES + length)
            return SLUICE_LIMIT;
        memcpy(out->data + out->at + SLUICE_FRAMING_LENGTH_BYTES, to, length);
    }
    write_u32_be(out->data + out->at, (uint32_t)length);
    out->at += SLUICE_FRAMING_LENGTH_BYTES + length;
    return SLUICE_OK;
}

static enum sluice_status encode_bslz4(struct output *out, const uint8_t *pixels,
                                       size_t pixel_bytes, size_t element_bytes,
                                       struct working *working)
{
    const size_t tail_bytes = pixel_bytes % (8 * element_bytes);
    size_t left = pixel_bytes - tail_bytes;

    write_header(out, pixel_bytes, SLUICE_BSLZ4_BLOCK_BYTES);
    sluice_lz4_encode_begin(&working->encoder);
    while (left > 0) {
        size_t bytes = left < SLUICE_BSLZ4_BLOCK_BYTES ? left : SLUICE_BSLZ4_BLOCK_BYTES;
        enum sluice_status status = write_planes(out, pixels, bytes, element_bytes, working);

        if (status != SLUICE_OK)
            return status;
        pixels += bytes;
        left -= bytes;
    }
    return write_raw(out, pixels, tail_bytes);
}

static enum sluice_status encode_lz4(struct output *out, const uint8_t *pixels, size_t pixel_bytes,
                                     void *state)
{
    write_header(out, pixel_bytes, SLUICE_LZ4_BLOCK_BYTES);
    while (pixel_bytes > 0) {
        size_t bytes = pixel_bytes < SLUICE_LZ4_BLOCK_BYTES ? pixel_bytes : SLUICE_LZ4_BLOCK_BYTES;
        enum sluice_status status = write_lz4(out, state, pixels, bytes, bytes - 1);

        if (status == SLUICE_AGAIN) { /* it does not shrink: raw, told by its length */
            write_u32_be(out->data + out->at, (uint32_t)bytes);
            out->at += SLUICE_FRAMING_LENGTH_BYTES;
            status = write_raw(out, pixels, bytes);
        }
        if (status != SLUICE_OK)
            return status;
        pixels += bytes;
        pixel_bytes -= bytes;
    }
    return SLUICE_OK;
}

size_t sluice_codec_bound(enum sluice_encoding encoding, size_t element_bytes, size_t pixel_bytes)
{
    size_t blocks, overhead;

    (void)element_bytes; /* blocks have the same bytes whatever is in them */
    switch (encoding) {
    case SLUICE_ENCODING_NONE:
        return pixel_bytes;
    case SLUICE_ENCODING_LZ4:
    case SLUICE_ENCODING_LZ4_BLOCK:
        blocks = pixel_bytes / SLUICE_LZ4_BLOCK_BYTES + 1;
        overhead = SLUICE_FRAMING_LENGTH_BYTES;
        break;
    case SLUICE_ENCODING_BSLZ4:
    default:
        blocks = pixel_bytes / SLUICE_BSLZ4_BLOCK_BYTES + 1;
        overhead = SLUICE_FRAMING_LENGTH_BYTES +
                   (size_t)LZ4_compressBound(SLUICE_BSLZ4_BLOCK_BYTES) - SLUICE_BSLZ4_BLOCK_BYTES;
        break;
    }
    if (pixel_bytes > SIZE_MAX / 2) /* no such buffer exists */
        return SIZE_MAX;
    return SLUICE_FRAMING_HEADER_BYTES + pixel_bytes + blocks * overhead;
}

enum sluice_status sluice_codec_encode(enum sluice_encoding encoding, const void *pixels,
                                       size_t pixel_bytes, size_t element_bytes, uint8_t *out,
                                       size_t capacity, size_t *out_bytes,
                                       struct sluice_codec_scratch *scratch)
{
    struct output output = {.data = out, .capacity = capacity};
    enum sluice_status status;

    *out_bytes = 0;
    if (!sluice_framing_element_is_known(element_bytes) || pixel_bytes % element_bytes != 0)
        return SLUICE_MISMATCH;
    if (encoding == SLUICE_ENCODING_LZ4_BLOCK)
        return SLUICE_UNSUPPORTED;
    if (encoding == SLUICE_ENCODING_NONE) {
        status = pixel_bytes > 0 ? write_raw(&output, pixels, pixel_bytes) : SLUICE_OK;
        *out_bytes = output.at;
        return status;
    }
    if (capacity < SLUICE_FRAMING_HEADER_BYTES)
        return SLUICE_LIMIT;
    status = sluice_codec_scratch_reserve(scratch, encoding == SLUICE_ENCODING_BSLZ4
                                                       ? sizeof(struct working) + WORKING_ALIGNMENT
                                                       : (size_t)LZ4_sizeofState());
    if (status != SLUICE_OK)
        return status;
    status = encoding == SLUICE_ENCODING_BSLZ4
                 ? encode_bslz4(&output, pixels, pixel_bytes, element_bytes, working_in(scratch))
                 : encode_lz4(&output, pixels, pixel_bytes, scratch->data);
    if (status == SLUICE_OK)
        *out_bytes = output.at;
    return status;
}
