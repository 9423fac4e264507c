/* SPDX-License-Identifier: Apache-2.0
 *
 * The mappings of a virtual dataset of images, and which of them do not lead anywhere. HDF5 itself
 * says nothing: rows whose source is missing, shorter or being written read as the fill value.
 * Cold; one thread. */
#ifndef SLUICE_READERS_FOLLOW_VIRTUAL_H
#define SLUICE_READERS_FOLLOW_VIRTUAL_H

#include "readers/follow/h5.h"

struct sluice_mapping {
    char *path, *dataset; /* of the source, as HDF5 finds it from the file's directory */
    bool unlimited;       /* follows its growing source */
    bool partial;         /* maps a part of the image, not all of it */
    uint64_t first, stride, count, block; /* rows of the virtual dataset */
    uint64_t source_first, source_end;    /* rows of the source that it spans */
    uint64_t source_rows;                 /* that the source has */
    bool growing;                         /* the source is open for writing */
    char wrong[160];                      /* "" when its rows can be read */
};

struct sluice_virtual {
    struct sluice_mapping *mappings;
    size_t count;
};

/* Looks at every source of the virtual dataset in the file `path`. NULL: out of memory or not a
 * virtual dataset. */
struct sluice_virtual *sluice_virtual_open(hid_t dataset, const char *path);
void sluice_virtual_close(struct sluice_virtual *virtual_of); /* NULL is accepted */

/* OK when the row is mapped and every source of it can be read; NOT_FOUND when nothing maps it; IO
 * with `error` otherwise. */
enum sluice_status sluice_virtual_row(const struct sluice_virtual *virtual_of, uint64_t row,
                                      struct sluice_error *error);

#endif
