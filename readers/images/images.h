/* SPDX-License-Identifier: Apache-2.0
 *
 * Images of mean, variance and maximum over a series (readers/stats/survey.h) as an HDF5 file:
 *
 *   /entry (NXentry), @default the first channel
 *     CHANNEL (NXdata), @signal "mean"
 *       mean, variance   float64; NaN where no image had a value
 *       maximum          in the pixels' type; the no-data value where no image had one
 *       sum              int64 or uint64, exact; integers of up to 32 bits
 *       images           uint32: in how many images the pixel had a value
 *       image_count      int64: images that went in
 *       first_image, last_image   int64: the least and the largest number among them, from 0
 *     source (text): the path that was read
 *
 * All datasets are contiguous. The file appears whole: it is written under another name first. One
 * thread, that of the HDF5 library; it blocks on the disk. */
#ifndef SLUICE_READERS_IMAGES_IMAGES_H
#define SLUICE_READERS_IMAGES_IMAGES_H

#include <sys/stat.h>

#include "readers/stats/survey.h"

struct sluice_images_channel {
    const char *name;
    uint32_t width, height;
    enum sluice_dtype dtype;
    const struct sluice_survey *survey; /* with settings.running */
    uint64_t first_image, last_image;
};

/* Zeroed, with `path` set: nothing was written yet. */
struct sluice_images {
    const char *path;
    struct stat own; /* what was written last; st_ino 0: nothing */
};

/* Before the work. EXISTS: there is a file at `path`; IO: none can be made there. */
enum sluice_status sluice_images_check(const struct sluice_images *images,
                                       struct sluice_error *error);

/* Writes them. A file of that name is never replaced, except the one that this struct wrote before.
 * Channels without an image are left out; with none there is no file, and NOT_FOUND. */
enum sluice_status sluice_images_write(struct sluice_images *images, const char *source,
                                       const struct sluice_images_channel *channels, uint32_t count,
                                       struct sluice_error *error);

#endif
