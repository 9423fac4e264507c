/* SPDX-License-Identifier: Apache-2.0
 *
 * Columns that grow together: 1-D datasets with chunks of the same number of rows, whose chunks for
 * the same rows lie side by side in the file, a block. One block is held in memory; cells are put
 * there, and what changed of it is one write.
 *
 * Another block's cells make it leave memory, written first. Writer thread only. */
#ifndef SLUICE_WRITER_APPEND_STRIP_H
#define SLUICE_WRITER_APPEND_STRIP_H

#include "writer/append/fixed_array.h"

#define SLUICE_STRIP_COLUMNS 40

struct sluice_strip_column {
    uint64_t header; /* address of its index */
    uint64_t first;  /* of its first chunk */
    size_t cell_bytes;
    size_t at; /* its chunk in a block */
    struct sluice_fixed_array index;
};

struct sluice_strip {
    struct sluice_past past;
    uint64_t chunk_rows;
    uint32_t column_count;
    struct sluice_strip_column column[SLUICE_STRIP_COLUMNS];
    size_t bytes;      /* of a block */
    uint8_t *data;     /* the block in memory */
    uint8_t *empty;    /* one without a cell: fill values */
    uint64_t number;   /* of the block in memory; UINT64_MAX: none */
    uint64_t position; /* in the file */
    size_t changed_from, changed_to;
    bool grown; /* indexes changed */
};

/* header and cell_bytes of the columns, chunk_rows and column_count are set; each column has one
 * chunk, its first, which holds nothing but fill values. False: it is not as expected. */
bool sluice_strip_open(struct sluice_strip *strip, const struct sluice_past *past);
/* Zeroed memory is accepted. */
void sluice_strip_close(struct sluice_strip *strip);

/* `cell` has the column's cell_bytes. */
herr_t sluice_strip_put(struct sluice_strip *strip, uint32_t column, uint64_t row,
                        const void *cell);
herr_t sluice_strip_write(struct sluice_strip *strip);

#endif
