/* SPDX-License-Identifier: Apache-2.0
 *
 * A bslz4 payload block by block, as the bit planes that are stored in it: for arithmetic that
 * needs no pixels (readers/stats), and for the decoder.
 *
 *   plane b of a block holds bit b of each of its elements, element i in bit i % 8 of byte i / 8.
 *   Detector counts are small: the upper planes of a block are mostly all the same, and are then
 *   not even written. Planes 0 .. significant - 1 are there; each plane above equals the last of
 *   these (so elements are their low `significant` bits, sign-extended).
 *
 * The walk borrows payload and scratch; a block's planes lie in the scratch until the next call.
 * Hostile payloads are safe; blocks that were given before a fault are then of no use. One thread;
 * nothing is allocated once the scratch has a block's size. */
#ifndef SLUICE_CORE_CODEC_PLANES_H
#define SLUICE_CORE_CODEC_PLANES_H

#include <stddef.h>
#include <stdint.h>

#include "core/codec/codec.h"
#include "core/codec/framing.h"

struct sluice_planes {
    struct sluice_framing framing;
    struct sluice_codec_scratch *scratch;
    size_t element_bytes, next; /* number of the element that comes next */
};

struct sluice_planes_block {
    size_t first, count; /* elements; count is a multiple of 8 except for the last ones as pixels */
    size_t element_bytes; /* 8 planes a byte */
    uint8_t *planes;      /* plane b at planes + b * plane_bytes; NULL: `pixels` instead */
    size_t plane_bytes;   /* count / 8 */
    unsigned significant; /* 1 .. 8 * element_bytes */
    const uint8_t
        *pixels; /* the less than 8 elements behind the blocks, in the payload: unaligned */
};

/* Statuses as of sluice_codec_decode. */
enum sluice_status sluice_planes_open(struct sluice_planes *walk, struct sluice_span payload,
                                      size_t element_bytes, size_t decoded_bytes,
                                      struct sluice_codec_scratch *scratch);
/* OK; END when the payload ends where it has to; or what is wrong with it. */
enum sluice_status sluice_planes_next(struct sluice_planes *walk,
                                      struct sluice_planes_block *block);

/* The block as pixels: count * element_bytes at `pixels`. The planes stay as they are, or all of
 * them are there afterwards. */
void sluice_planes_pixels(struct sluice_planes_block *block, void *pixels);

#endif
