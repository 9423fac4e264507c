/* SPDX-License-Identifier: Apache-2.0
 *
 * The columns of a file that grows past HDF5: what HDF5 prepares before SWMR starts, and the cells.
 * HDF5 must make one chunk of each column, those of a group one behind the other: so they are
 * written and flushed group by group. */
#include <endian.h>
#include <math.h>
#include <string.h>

#include "writer/sink/columns.h"

/* One row that holds what rows without an image hold, in the file. */
static herr_t prepare(hid_t dataset, hid_t type, const void *cell)
{
    const hsize_t one = 1;
    return H5Dset_extent(dataset, &one) < 0
               ? -1
               : H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, cell);
}

static herr_t prepare_column(const struct sluice_columns *columns, enum sluice_column column)
{
    const double unknown = NAN;
    const uint64_t zero = 0;
    return sluice_column_info(column)->type == SLUICE_COLUMN_F64
               ? prepare(columns->column[column], H5T_NATIVE_DOUBLE, &unknown)
           : sluice_column_info(column)->type == SLUICE_COLUMN_U8
               ? prepare(columns->column[column], H5T_NATIVE_UINT8, &zero)
               : prepare(columns->column[column], H5T_NATIVE_UINT64, &zero);
}

herr_t sluice_columns_prepare(struct sluice_columns *columns)
{
    const hid_t key = columns->column[SLUICE_COLUMN_IMAGE_ID];
    const uint64_t zero = 0;
    for (int c = 0; c < SLUICE_COLUMN_COUNT; c++)
        if (c != SLUICE_COLUMN_IMAGE_ID && prepare_column(columns, (enum sluice_column)c) < 0)
            return -1;
    for (uint32_t c = 0; c < columns->channel_count; c++)
        if (prepare(columns->checksum[c], H5T_NATIVE_UINT64, &zero) < 0)
            return -1;
    if (H5Fflush(key, H5F_SCOPE_LOCAL) < 0 || prepare_column(columns, SLUICE_COLUMN_IMAGE_ID) < 0 ||
        H5Fflush(key, H5F_SCOPE_LOCAL) < 0)
        return -1;
    columns->rows = 1;
    if (columns->user_data < 0)
        return 0;
    memset(columns->gathered, 0, columns->user_data_bytes);
    return prepare(columns->user_data, columns->user_data_type, columns->gathered) < 0
               ? -1
               : H5Fflush(key, H5F_SCOPE_LOCAL);
}

herr_t sluice_columns_empty(struct sluice_columns *columns)
{
    const hsize_t none = 0;
    return H5Dset_extent(columns->column[SLUICE_COLUMN_IMAGE_ID], &none) < 0
               ? -1
               : sluice_columns_set_extents(columns, 0);
}

uint32_t sluice_columns_plan(const struct sluice_columns *columns,
                             struct sluice_append_column plan[SLUICE_COLUMNS_MOST])
{
    uint32_t count = 0;
    for (int c = 0; c < SLUICE_COLUMN_COUNT; c++)
        plan[count++] = (struct sluice_append_column){
            .dataset = columns->column[c],
            .cell_bytes =
                sluice_column_info((enum sluice_column)c)->type == SLUICE_COLUMN_U8 ? 1 : 8,
            .chunk_rows = columns->value_chunk_rows,
            .group = c == SLUICE_COLUMN_IMAGE_ID ? SLUICE_APPEND_KEYS : SLUICE_APPEND_VALUES};
    for (uint32_t c = 0; c < columns->channel_count; c++)
        plan[count++] = (struct sluice_append_column){.dataset = columns->checksum[c],
                                                      .cell_bytes = 8,
                                                      .chunk_rows = columns->value_chunk_rows,
                                                      .group = SLUICE_APPEND_VALUES};
    if (columns->user_data >= 0)
        plan[count++] = (struct sluice_append_column){.dataset = columns->user_data,
                                                      .cell_bytes = columns->user_data_bytes,
                                                      .chunk_rows = columns->text_chunk_rows,
                                                      .group = SLUICE_APPEND_TEXTS};
    return count;
}

herr_t sluice_columns_put_values(struct sluice_columns *columns)
{
    const uint32_t channels = columns->channel_count;
    for (uint32_t i = 0; i < columns->count; i++) {
        const uint32_t n = columns->order[i];
        const struct sluice_cell *cell = &columns->cells[n];
        for (uint32_t c = 0; c < SLUICE_COLUMN_COUNT; c++) {
            const uint64_t bits = htole64(sluice_columns_bits(cell, (enum sluice_column)c));
            if (c != SLUICE_COLUMN_IMAGE_ID &&
                sluice_append_cell(columns->append, c, cell->row, &bits) < 0)
                return -1;
        }
        for (uint32_t c = 0; c < channels; c++) {
            const uint64_t sum = htole64(columns->checksums[(size_t)n * channels + c]);
            if (sluice_append_cell(columns->append, SLUICE_COLUMN_COUNT + c, cell->row, &sum) < 0)
                return -1;
        }
        if (columns->user_data >= 0 &&
            sluice_append_cell(columns->append, SLUICE_COLUMN_COUNT + channels, cell->row,
                               columns->texts + (size_t)n * columns->user_data_bytes) < 0)
            return -1;
    }
    return 0;
}

herr_t sluice_columns_put_keys(struct sluice_columns *columns)
{
    for (uint32_t i = 0; i < columns->count; i++) {
        const struct sluice_cell *cell = &columns->cells[columns->order[i]];
        const uint64_t key = htole64(sluice_columns_bits(cell, SLUICE_COLUMN_IMAGE_ID));
        if (sluice_append_cell(columns->append, SLUICE_COLUMN_IMAGE_ID, cell->row, &key) < 0)
            return -1;
    }
    return 0;
}

herr_t sluice_columns_put_statuses(struct sluice_columns *columns, uint64_t rows,
                                   const uint8_t *status)
{
    for (uint64_t row = 0; row < rows; row++)
        if (sluice_append_cell(columns->append, SLUICE_COLUMN_FRAME_STATUS, row, &status[row]) < 0)
            return -1;
    return 0;
}
