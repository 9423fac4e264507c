/* SPDX-License-Identifier: Apache-2.0
 *
 * Shorter pages for the indexes of images. HDF5 makes pages of 1024 entries, 16 KB, and each is
 * summed up and written up to its end whenever an entry of it is set. Its own readers, and all that
 * go by the format, take the length from the file.
 *
 * Writer thread only. */
#ifndef SLUICE_WRITER_APPEND_PAGES_H
#define SLUICE_WRITER_APPEND_PAGES_H

#include <hdf5.h>

#include "writer/driver/direct.h"

/* Between an H5Fflush and H5Fstart_swmr_write, which reads anew what was changed here, of datasets
 * that have one row and its chunk. `entries` a page, rounded up to a power of two, and to what
 * keeps the list of pages short. Negative: the fault is on HDF5's stack, and the file must be
 * abandoned. */
herr_t sluice_pages_shorten(struct sluice_direct *direct, int descriptor, const hid_t *images,
                            uint32_t image_count, uint64_t rows_most, uint64_t entries);

#endif
