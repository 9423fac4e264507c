/* SPDX-License-Identifier: Apache-2.0
 *
 * The checksum of HDF5's metadata (Bob Jenkins' lookup3, initial value 0). It reads blocks of 12
 * bytes in order, so what was summed up before the first byte that changed can be kept: a mark.
 * Pure functions, any thread. */
#ifndef SLUICE_WRITER_APPEND_LOOKUP3_H
#define SLUICE_WRITER_APPEND_LOOKUP3_H

#include <stddef.h>
#include <stdint.h>

/* The state before the block at `at`, a multiple of 12. Zeroed memory is before the first one. */
struct sluice_lookup3_mark {
    uint32_t a, b, c;
    size_t at;
};

uint32_t sluice_lookup3(const void *data, size_t bytes);

/* The same sum, from `mark` on, which must be one of data with the same `bytes` and the same first
 * mark->at bytes. Leaves in it the last mark at or before `keep`, when that is behind it. */
uint32_t sluice_lookup3_from(struct sluice_lookup3_mark *mark, const void *data, size_t bytes,
                             size_t keep);

#endif
