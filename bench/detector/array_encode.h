/* SPDX-License-Identifier: Apache-2.0
 *
 * The sending side of array-1.0: a JSON header and raw pixels. */
#ifndef SLUICE_BENCH_DETECTOR_ARRAY_ENCODE_H
#define SLUICE_BENCH_DETECTOR_ARRAY_ENCODE_H

#include "bench/detector/multipart.h"
#include "core/frame.h"
#include "core/status.h"

struct sluice_array_image {
    uint64_t frame;
    uint64_t timestamp_ns; /* since the first frame; an extra key, as the protocol allows */
    uint32_t width, height;
    enum sluice_dtype dtype;
    struct sluice_span pixels; /* little-endian, row-major */
};

/* OK or NO_MEMORY. */
enum sluice_status sluice_array_encode_image(struct sluice_multipart *message,
                                             const struct sluice_array_image *image);

#endif
