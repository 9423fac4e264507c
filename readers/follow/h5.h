/* SPDX-License-Identifier: Apache-2.0
 *
 * Small HDF5 helpers of the rooms that read; one thread.
 * Everything read from a file is checked: files may be foreign or lie. */
#ifndef SLUICE_READERS_FOLLOW_H5_H
#define SLUICE_READERS_FOLLOW_H5_H

#include <hdf5.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"
#include "core/frame.h"

/* Switches HDF5's own printing off and registers our decoders of LZ4 and bitshuffle + LZ4, so that
 * H5Dread needs no plugins for them. Again is fine. */
void sluice_follow_h5_start(void);

/* Sets `error` with the innermost text of HDF5's error stack appended. Returns `status`. */
enum sluice_status sluice_follow_h5_error(struct sluice_error *error, enum sluice_status status,
                                          const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Opens without any file lock: a lock taken while the writer creates the file would make its
 * create fail. `live`: with SWMR read. Negative on failure. */
hid_t sluice_follow_h5_open(const char *path, bool live);

enum sluice_h5_flag {
    SLUICE_H5_CLOSED,  /* no writer has it open, or it was repaired */
    SLUICE_H5_WRITING, /* open for SWMR writing, or its writer died */
    SLUICE_H5_CREATED, /* not ready yet: no superblock, or before SWMR has started */
    SLUICE_H5_MISSING,
};
/* What the consistency flags in the file's superblock say, read past HDF5. */
enum sluice_h5_flag sluice_follow_h5_flag(const char *path);

/* True when a link of that name exists below `group` and what it points to as well. */
bool sluice_follow_h5_exists(hid_t group, const char *name);
/* Opens a dataset quietly; negative when it is not there. */
hid_t sluice_follow_h5_dataset(hid_t group, const char *name);

/* A scalar integer attribute or dataset; false when absent or of another kind. */
bool sluice_follow_h5_attribute_int(hid_t object, const char *name, int64_t *value);
bool sluice_follow_h5_dataset_int(hid_t file, const char *path, int64_t *value);
/* A fixed-length text attribute, cut to the buffer. */
bool sluice_follow_h5_attribute_text(hid_t object, const char *name, char *buffer, size_t bytes);

/* The pixel type of a dataset's type; false for what Sluice has no name for. `swapped`: it is
 * stored big-endian, so that only H5Dread gives it. */
bool sluice_follow_h5_dtype(hid_t type, enum sluice_dtype *dtype, bool *swapped);
hid_t sluice_follow_h5_memory_type(enum sluice_dtype dtype); /* HDF5's own, never closed */

/* The address of an object below `group`, for telling two names of one object. */
bool sluice_follow_h5_address(hid_t object, haddr_t *address);

/* Extent of a 1-D dataset, 0 on any failure. */
uint64_t sluice_follow_h5_cells(hid_t dataset);
/* Reads cells [first, first + count) of a 1-D dataset as `memory_type`. */
bool sluice_follow_h5_read_cells(hid_t dataset, uint64_t first, uint64_t count, hid_t memory_type,
                                 void *cells);

#endif
