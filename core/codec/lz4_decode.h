/* SPDX-License-Identifier: Apache-2.0
 *
 * One LZ4 block, decoded by our own loops (scalar, AVX2, AVX-512, chosen by core/cpu.h). For
 * core/codec only. The verdict is that of LZ4_decompress_safe (1.9.4) for any bytes whatever: a
 * block is right when that function gives exactly `decoded_bytes` of it.
 *
 * No byte outside `block.data[0 .. readable)` is read, none outside `out[0 .. room)` written.
 * Re-entrant; any thread. */
#ifndef SLUICE_CORE_CODEC_LZ4_DECODE_H
#define SLUICE_CORE_CODEC_LZ4_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/codec/codec.h"

struct sluice_lz4_task {
    struct sluice_span block;
    size_t readable; /* at least block.bytes: what lies behind may be read, and is not used */
    uint8_t *out;
    size_t decoded_bytes;
    size_t room; /* at least decoded_bytes; what lies behind may be overwritten: with
                  * SLUICE_CODEC_SLACK_BYTES more, vectors are copied whole up to the end */
    /* Where not 0 (a divisor of decoded_bytes, at least 64): the end of the block is left away when
     * it repeats the `period` bytes before it, again and again. */
    size_t period;
    /* Filled: out[0 .. written) is there. Less than decoded_bytes only with a period: then it is a
     * multiple of it, and each byte behind equals the one `period` before. */
    size_t written;
};

bool sluice_lz4_decode(struct sluice_lz4_task *task);

/* The loops by level, for that function. */
bool sluice_lz4_decode_scalar(struct sluice_lz4_task *task);
bool sluice_lz4_decode_avx2(struct sluice_lz4_task *task);
bool sluice_lz4_decode_avx512(struct sluice_lz4_task *task);

#endif
