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
 * that have one row and its chunk. Pages of at most so many entries, rounded up to a power of two,
 * and to what keeps the list of pages short. Negative: the fault is on HDF5's stack, and the file
 * must be abandoned. */
herr_t sluice_pages_shorten(struct sluice_direct *direct, int descriptor, const hid_t *images,
                            uint32_t image_count, uint64_t entries);

/* Where the data block of an index goes: at `room` or up to a page of memory behind it. */
struct sluice_pages_place {
    unsigned bits;  /* entries of a page, as a power of two; 0: all are one page */
    uint64_t block; /* address */
    uint64_t cuts;  /* writes of entries, one by one, that a kill can cut; more where shunned */
};
struct sluice_pages_place sluice_pages_place(uint64_t count, size_t entry_bytes, unsigned bits_most,
                                             uint64_t room);

#endif
