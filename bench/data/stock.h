/* SPDX-License-Identifier: Apache-2.0
 *
 * The stock bslz4 stream: plain bit transpose and liblz4's default level, in blocks of 8 KiB, as
 * detectors and the bitshuffle filter make them. What our encoder's size is held against, and what
 * decoders are measured on: it does not change when our own encoder does. Slow. Re-entrant. */
#ifndef SLUICE_BENCH_DATA_STOCK_H
#define SLUICE_BENCH_DATA_STOCK_H

#include <stddef.h>
#include <stdint.h>

/* Upper bound, and the bytes written to `out`, which must have room for the bound; 0: no memory.
 * `bytes` is a multiple of `element_bytes`. */
size_t sluice_stock_bound(size_t bytes, size_t element_bytes);
size_t sluice_stock_encode(const void *pixels, size_t bytes, size_t element_bytes, uint8_t *out);

#endif
