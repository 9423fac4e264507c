/* SPDX-License-Identifier: Apache-2.0
 *
 * Made pixels of many kinds, for what an encoder must hold on data that nobody has shown it: counts
 * from 0.001 to 100 a pixel, read-out noise, diffraction rings, ramps, electron events, masks, hot
 * pixels. The same pixels for the same arguments. Re-entrant. */
#ifndef SLUICE_BENCH_DATA_KINDS_H
#define SLUICE_BENCH_DATA_KINDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/frame.h"

#define SLUICE_KINDS_MAX 128
size_t sluice_kind_count(void); /* at most the above */
const char *sluice_kind_name(size_t kind);
/* Whether such pixels occur in this type: gaussian noise around 0 needs a sign, for instance. Types
 * are U8, U16, U32, I16, I32 and F32. */
bool sluice_kind_suits(size_t kind, enum sluice_dtype dtype);

/* Fills `width` x `height` pixels. Values that the type does not hold stop at its limits. */
void sluice_kind_fill(size_t kind, enum sluice_dtype dtype, uint32_t width, uint32_t height,
                      uint64_t seed, void *pixels);

#endif
