/* SPDX-License-Identifier: Apache-2.0
 *
 * The two encodings of a plane, both in the framing of the HDF5 filters, so that the bytes are a
 * chunk as they are:
 *
 *   bslz4  filter 32008: u64 BE uncompressed bytes, u32 BE block size in bytes, then for each block
 *          u32 BE compressed length + an LZ4 block of the bit-transposed elements; a last partial
 *          block holds a multiple of 8 elements; the remaining (< 8) elements follow as they are.
 *   lz4    filter 32004: u64 BE uncompressed bytes, u32 BE block size in bytes, then for each block
 *          u32 BE length + an LZ4 block, stored raw where the length equals the block's own size.
 *
 * and, as it comes from Stream V1, one LZ4 block without any framing (lz4-block), which can be
 * checked and decoded, and becomes a chunk of filter 32004 by 16 bytes in front of it.
 *
 * Everything here treats its input as hostile: no read or write outside the given bytes, and no
 * allocation in proportion to what a header claims. Re-entrant; any thread. */
#ifndef SLUICE_CORE_CODEC_H
#define SLUICE_CORE_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/frame.h"
#include "core/status.h"

/* The block sizes that the encoders choose: 8 KiB of elements, as the stock bitshuffle filter does;
 * 1 MiB for lz4. Decoders accept any block size that is a multiple of 8 elements (bslz4). */
#define SLUICE_BSLZ4_BLOCK_BYTES 8192
/* A larger bslz4 block is accepted only where the image is as large. */
#define SLUICE_BSLZ4_BLOCK_BYTES_MAX (1u << 20)
#define SLUICE_LZ4_BLOCK_BYTES       (1u << 20)

/* Checks a payload's framing against the size it must have, without decompressing: header, block
 * size, and the walk over all block lengths must agree and end at the payload's end. O(blocks).
 * OK, TRUNCATED, MALFORMED or MISMATCH. NONE only compares the byte count. LZ4_BLOCK has no
 * framing: its length must be one that LZ4 can give; LIMIT where liblz4 has no block for so many
 * bytes. */
enum sluice_status sluice_codec_check(enum sluice_encoding encoding, struct sluice_span payload,
                                      size_t element_bytes, size_t decoded_bytes);

/* No payload longer than this passes the check, whatever its block size. */
size_t sluice_codec_payload_max(enum sluice_encoding encoding, size_t decoded_bytes);

/* Working memory that a decoder or encoder may keep between calls. Zeroed memory is acceptable;
 * close frees it. One thread at a time. A decoder takes no more than the image and the slack. */
#define SLUICE_CODEC_SLACK_BYTES 256
struct sluice_codec_scratch {
    uint8_t *data;
    size_t bytes;
};
void sluice_codec_scratch_close(struct sluice_codec_scratch *scratch);

/* Decodes into exactly `decoded_bytes` at `pixels`. OK, or MALFORMED, TRUNCATED, MISMATCH (what was
 * decoded so far is then in `pixels`), NO_MEMORY. */
enum sluice_status sluice_codec_decode(enum sluice_encoding encoding, struct sluice_span payload,
                                       size_t element_bytes, void *pixels, size_t decoded_bytes,
                                       struct sluice_codec_scratch *scratch);

/* Upper bound of what encode can give. */
size_t sluice_codec_bound(enum sluice_encoding encoding, size_t element_bytes, size_t pixel_bytes);

/* Encodes `pixel_bytes` (a multiple of element_bytes) into `out`; *out_bytes is filled. LIMIT when
 * `capacity` is too small; UNSUPPORTED for LZ4_BLOCK. */
enum sluice_status sluice_codec_encode(enum sluice_encoding encoding, const void *pixels,
                                       size_t pixel_bytes, size_t element_bytes, uint8_t *out,
                                       size_t capacity, size_t *out_bytes,
                                       struct sluice_codec_scratch *scratch);

/* One bare block, as Stream V1 sends it. LIMIT when `capacity` is below the bound, or the image is
 * too large for one block (bound 0). */
size_t sluice_codec_block_bound(size_t pixel_bytes);
enum sluice_status sluice_codec_encode_block(const void *pixels, size_t pixel_bytes, uint8_t *out,
                                             size_t capacity, size_t *out_bytes);

#define SLUICE_BLOCK_FRAMING_BYTES 16

/* A bare block that passed the check as a chunk of filter 32004: u64 BE decoded bytes, u32 BE block
 * size, u32 BE length, the block. The filter takes a block that is as long as its pixels for raw
 * pixels, so there the pixels themselves are written. OK; LIMIT; MALFORMED. */
enum sluice_status sluice_codec_frame_block(struct sluice_span block, size_t decoded_bytes,
                                            uint8_t *out, size_t capacity, size_t *out_bytes);
/* sluice_checksum of that chunk without making it; false where it would be the pixels. */
bool sluice_codec_block_checksum(struct sluice_span block, size_t decoded_bytes,
                                 uint64_t *checksum);

/* Bit transpose of `count` elements (a multiple of 8): plane b of the output holds bit b of every
 * element, element i in bit i % 8 of byte i / 8. The inverse undoes it. `in` and `out` must not
 * overlap. The kernel is chosen by core/cpu.h; the result is the same. */
void sluice_bitshuffle(uint8_t *out, const uint8_t *in, size_t count, size_t element_bytes);
void sluice_bitunshuffle(uint8_t *out, const uint8_t *in, size_t count, size_t element_bytes);

/* xxh3-64: what the checksum columns hold. */
uint64_t sluice_checksum(struct sluice_span bytes);

#endif
