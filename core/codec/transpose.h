/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernels behind sluice_bitshuffle and sluice_bitunshuffle, for core/codec only: one pair for
 * each level of core/cpu.h, all with the same result. A wide kernel does whole groups of elements
 * from the first one on and says how many elements those were; the plain one begins at any
 * multiple of 8. None reads or writes a byte outside the elements and planes that it was given.
 * Re-entrant; any thread. */
#ifndef SLUICE_CORE_CODEC_TRANSPOSE_H
#define SLUICE_CORE_CODEC_TRANSPOSE_H

#include <stddef.h>
#include <stdint.h>

#include "core/cpu.h"

/* sluice_bitshuffle of the low `low_bytes` (1 .. element_bytes) bytes of each element alone: it
 * fills the planes 0 .. 8 * low_bytes - 1, and nothing behind them. */
void sluice_bitshuffle_low(uint8_t *out, const uint8_t *in, size_t count, size_t element_bytes,
                           size_t low_bytes);

/* Elements `first` (a multiple of 8) .. count - 1. */
void sluice_transpose_scalar(uint8_t *out, const uint8_t *in, size_t first, size_t count,
                             size_t element_bytes, size_t low_bytes);
void sluice_untranspose_scalar(uint8_t *out, const uint8_t *in, size_t first, size_t count,
                               size_t element_bytes);

#if defined(SLUICE_CPU_X86)
/* Groups of 256 elements of 1, 2 or 4 bytes. */
size_t sluice_transpose_avx2(uint8_t *out, const uint8_t *in, size_t count, size_t element_bytes,
                             size_t low_bytes);
size_t sluice_untranspose_avx2(uint8_t *out, const uint8_t *in, size_t count, size_t element_bytes);
/* Groups of 512 elements of 1, 2, 4 or 8 bytes. */
size_t sluice_transpose_avx512(uint8_t *out, const uint8_t *in, size_t count, size_t element_bytes,
                               size_t low_bytes);
size_t sluice_untranspose_avx512(uint8_t *out, const uint8_t *in, size_t count,
                                 size_t element_bytes);
#endif

#endif
