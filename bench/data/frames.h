/* SPDX-License-Identifier: Apache-2.0
 *
 * Whole images of pixels in memory, for benchmarks: real counts tiled over a detector where a
 * folder of captured frames is given (the file names tell shape and type:
 * NAME_HEIGHTxWIDTH_u16le.raw), made ones of the simulated detector otherwise. The same every time.
 * The frames own their pixels until close; zeroed memory is an empty one. One thread. */
#ifndef SLUICE_BENCH_DATA_FRAMES_H
#define SLUICE_BENCH_DATA_FRAMES_H

#include "bench/detector/models.h"
#include "core/error.h"
#include "core/frame.h"

struct sluice_frames {
    uint32_t width, height, count;
    enum sluice_dtype dtype; /* U8, U16 or U32 */
    size_t frame_bytes;
    uint8_t *pixels; /* count frames, one behind the other */
    bool is_captured;
};

/* `counts`: folder of captured frames; NULL: made ones. A frame wider or higher than a captured one
 * is tiled from several of them, a smaller one is cut out of one. Counts that a narrower type does
 * not hold stop one below its largest value. NOT_FOUND: no frame in the folder; IO, MALFORMED,
 * NO_MEMORY. */
enum sluice_status sluice_frames_load(struct sluice_frames *frames, const char *counts,
                                      const struct sluice_model *model, enum sluice_dtype dtype,
                                      uint32_t count, struct sluice_error *error);
void sluice_frames_close(struct sluice_frames *frames);

static inline const uint8_t *sluice_frames_at(const struct sluice_frames *frames, uint32_t index)
{
    return frames->pixels + (size_t)(index % frames->count) * frames->frame_bytes;
}

/* The folder NAME below the shared data, in $SLUICE_SHARED or in ../shared seen from here. False:
 * there is none. */
bool sluice_shared_folder(const char *name, char *path, size_t bytes);

#endif
