/* SPDX-License-Identifier: Apache-2.0
 *
 * The per-image columns of one open data file: cells are collected in memory and written once a
 * flush, sorted by row, one H5Dwrite a column (one write an image and column would cost more than
 * the image), or past HDF5 (writer/append).
 *
 * Writer thread only. Bounded: `capacity` cells, allocated at init. Functions return a negative
 * herr_t on a failure, with HDF5's error stack left for sluice_h5_error. */
#ifndef SLUICE_WRITER_COLUMNS_H
#define SLUICE_WRITER_COLUMNS_H

#include <hdf5.h>

#include "core/frame.h"
#include "writer/append/append.h"
#include "writer/layout/layout.h"

/* One image between its chunks and its flush. */
struct sluice_cell {
    uint64_t row, image_id; /* image_id 0-based */
    uint64_t bytes;         /* of its chunks */
    int64_t arrival_ns;     /* CLOCK_MONOTONIC, for the latency */
    int64_t arrival_real_ns, write_real_ns;
    double start_time, stop_time, real_time;
};

struct sluice_columns {
    hid_t column[SLUICE_COLUMN_COUNT];
    hid_t checksum[SLUICE_PLANES_MAX];
    hid_t user_data, user_data_type; /* invalid where the file has none */
    uint32_t channel_count;
    uint32_t user_data_bytes; /* a cell's, with the closing NUL */
    uint64_t text_chunk_rows; /* of user_data */
    uint64_t value_chunk_rows;
    struct sluice_append *append; /* borrowed; NULL: HDF5 writes */
    uint64_t rows;                /* extent of every column but the key, as HDF5 knows it */
    uint32_t count, capacity;
    struct sluice_cell *cells;
    uint64_t *checksums; /* [capacity][channel_count] */
    char *texts;         /* [capacity][user_data_bytes] */
    uint32_t *order;     /* of the cells by row, made by write_values */
    uint8_t *gathered;   /* one column's cells in that order */
};

/* Creates the datasets below `group`. `rows_max` bounds them. `user_data_bytes` 0: no such column.
 * On a failure close cleans what was made. */
herr_t sluice_columns_init(struct sluice_columns *columns, hid_t group, uint64_t rows_max,
                           uint32_t capacity, uint32_t user_data_bytes,
                           const char *const *checksum_names, uint32_t channel_count);
/* Closes the datasets and frees. */
herr_t sluice_columns_close(struct sluice_columns *columns);
/* Frees, without a call to HDF5. */
void sluice_columns_abandon(struct sluice_columns *columns);

/* The file must have room: count < capacity. `checksums` has channel_count entries. */
void sluice_columns_add(struct sluice_columns *columns, const struct sluice_cell *cell,
                        const uint64_t *checksums, struct sluice_span user_data);

/* First step of a flush: everything but the key, up to `rows` rows. */
herr_t sluice_columns_write_values(struct sluice_columns *columns, uint64_t rows);
/* Second step: the key cells of the same images. The cells stay until cleared. */
herr_t sluice_columns_write_keys(struct sluice_columns *columns);
static inline void sluice_columns_clear(struct sluice_columns *columns)
{
    columns->count = 0;
}

/* At the close: the extent of every column, and the whole frame_status column where some rows have
 * no image (`status` has `rows` entries, or is NULL). */
herr_t sluice_columns_finish(struct sluice_columns *columns, uint64_t rows, const uint8_t *status);

/* columns_append.c. One row without an image in every column, so that each has its first chunk. */
herr_t sluice_columns_prepare(struct sluice_columns *columns);
/* What sluice_append_begin wants to know; says how many. */
#define SLUICE_COLUMNS_MOST (SLUICE_COLUMN_COUNT + SLUICE_PLANES_MAX + 1)
uint32_t sluice_columns_plan(const struct sluice_columns *columns,
                             struct sluice_append_column plan[SLUICE_COLUMNS_MOST]);
/* No rows again, through HDF5. */
herr_t sluice_columns_empty(struct sluice_columns *columns);
/* The cells that wait, sorted, past HDF5. */
herr_t sluice_columns_put_values(struct sluice_columns *columns);
herr_t sluice_columns_put_keys(struct sluice_columns *columns);
/* frame_status of every row. */
herr_t sluice_columns_put_statuses(struct sluice_columns *columns, uint64_t rows,
                                   const uint8_t *status);

/* The value of one cell in one column, as the 8 bytes it is stored from. */
uint64_t sluice_columns_bits(const struct sluice_cell *cell, enum sluice_column column);
/* Every column but the key, through HDF5. */
herr_t sluice_columns_set_extents(struct sluice_columns *columns, uint64_t rows);

#endif
