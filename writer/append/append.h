/* SPDX-License-Identifier: Apache-2.0
 *
 * An open data file that grows past HDF5: payloads, cells of columns and the few bytes of metadata
 * that say so (entries of indexes, first dimensions, the end of the file) are written where and in
 * the form in which HDF5 would write them, in the same order, through the same file driver.
 *
 * HDF5 makes the file, with one chunk in every dataset, and starts SWMR. From then until the close
 * it is not called for this file; at the close it is told the final extents, and finishes the file.
 * It never learns of the chunks, and never writes the indexes again: it only would for a chunk of
 * its own.
 *
 * Writer thread only. Faults are left on HDF5's stack, as after its own calls; the file must then
 * be abandoned. */
#ifndef SLUICE_WRITER_APPEND_APPEND_H
#define SLUICE_WRITER_APPEND_APPEND_H

#include <hdf5.h>

#include "core/frame.h"
#include "writer/append/strip.h"

/* When a column's cells are written. */
enum sluice_append_group {
    SLUICE_APPEND_VALUES, /* with the images */
    SLUICE_APPEND_TEXTS,  /* with the images; in chunks of another length */
    SLUICE_APPEND_KEYS,   /* last */
    SLUICE_APPEND_GROUPS,
};

struct sluice_append_column {
    hid_t dataset;
    size_t cell_bytes;
    uint64_t chunk_rows; /* the same within a group */
    enum sluice_append_group group;
};

struct sluice_append_plan {
    const hid_t *images; /* with a filter */
    uint32_t image_count;
    const struct sluice_append_column *columns;
    uint32_t column_count;
};

struct sluice_append;

/* After H5Fstart_swmr_write, when every dataset has one row and its first chunk, which is taken
 * back; on success all have none, for readers. NULL: the file is not as expected (HDF5 of another
 * version), or memory is out; then it is as it was. */
struct sluice_append *sluice_append_begin(struct sluice_direct *direct, int descriptor,
                                          const struct sluice_append_plan *plan);
/* NULL is accepted. Nothing is written. */
void sluice_append_end(struct sluice_append *append);

/* Stores a payload as the chunk of that row; `lent` as in sluice_direct_expect. */
herr_t sluice_append_image(struct sluice_append *append, uint32_t image, uint64_t row,
                           struct sluice_span payload, enum sluice_lent lent);
/* `column` is the place in the plan. */
herr_t sluice_append_cell(struct sluice_append *append, uint32_t column, uint64_t row,
                          const void *cell);

/* The two steps of a flush: images, values and texts, all with `rows` rows; then the keys. What was
 * written is visible to readers when they return. */
herr_t sluice_append_flush_values(struct sluice_append *append, uint64_t rows);
herr_t sluice_append_flush_keys(struct sluice_append *append, uint64_t rows);

#endif
