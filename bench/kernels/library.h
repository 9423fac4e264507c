/* SPDX-License-Identifier: Apache-2.0
 *
 * Any codec library as a peer, given by the path of a shared library with the C interface of
 * bitshuffle's bslz4:
 *
 *   int64_t bshuf_compress_lz4(const void *in, void *out, size_t count, size_t element_bytes,
 *                              size_t block);
 *   int64_t bshuf_decompress_lz4(const void *in, void *out, size_t count, size_t element_bytes,
 *                                size_t block);
 *
 * `count` elements, `block` elements a block (0: its own choice). Without the 12 bytes that the
 * HDF5 filter has in front. The answer is the number of bytes of the stream, below 0: failed. The
 * first writes at most the bound of sluice_codec_bound. It runs in this process: a library that
 * cannot be trusted has no business here. */
#ifndef SLUICE_BENCH_KERNELS_LIBRARY_H
#define SLUICE_BENCH_KERNELS_LIBRARY_H

#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

typedef int64_t sluice_library_function(const void *in, void *out, size_t count,
                                        size_t element_bytes, size_t block);

struct sluice_codec_library {
    void *handle;
    sluice_library_function *compress, *decompress;
};

/* NOT_FOUND: no such library, or without these functions. */
enum sluice_status sluice_codec_library_open(struct sluice_codec_library *library, const char *path,
                                             struct sluice_error *error);
void sluice_codec_library_close(struct sluice_codec_library *library); /* zeroed is accepted */

#endif
