/* SPDX-License-Identifier: Apache-2.0
 *
 * Columns of a data file. A flush selects the rows of its cells once, as one block where they
 * follow each other and as points where they do not (images out of order), and writes each column
 * with that selection. Rows without an image are never written here but read as the fill value,
 * until finish writes their frame_status.
 *
 * Chunks are small and hold whole columns' pieces, so that they stay in the file's chunk cache
 * between flushes. Allocation is incremental and fill is written when a chunk is (lessons: early
 * allocation makes lost rows look like written ones). */
#include "writer/sink/columns.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "writer/h5/h5.h"

#define CHUNK_ROWS       256
#define TEXT_CHUNK_BYTES 8192 /* all of it is written at each flush */

static hid_t file_type(enum sluice_column_type type)
{
    switch (type) {
    case SLUICE_COLUMN_U8:
        return H5T_STD_U8LE;
    case SLUICE_COLUMN_U64:
        return H5T_STD_U64LE;
    case SLUICE_COLUMN_I64:
        return H5T_STD_I64LE;
    case SLUICE_COLUMN_F64:
        return H5T_IEEE_F64LE;
    }
    return H5I_INVALID_HID;
}

static hid_t memory_type(enum sluice_column_type type)
{
    switch (type) {
    case SLUICE_COLUMN_U8:
        return H5T_NATIVE_UINT8;
    case SLUICE_COLUMN_U64:
        return H5T_NATIVE_UINT64;
    case SLUICE_COLUMN_I64:
        return H5T_NATIVE_INT64;
    case SLUICE_COLUMN_F64:
        return H5T_NATIVE_DOUBLE;
    }
    return H5I_INVALID_HID;
}

/* One column without rows. `fill` NULL: zero. */
static hid_t create_column(hid_t group, const char *name, hid_t type, uint64_t rows_max,
                           uint64_t chunk_rows, const double *fill)
{
    hsize_t none = 0, most = rows_max, chunk = chunk_rows;
    hid_t space = H5Screate_simple(1, &none, &most);
    hid_t plist = H5Pcreate(H5P_DATASET_CREATE);
    hid_t dataset = H5I_INVALID_HID;
    if (space >= 0 && plist >= 0 && H5Pset_chunk(plist, 1, &chunk) >= 0 &&
        H5Pset_alloc_time(plist, H5D_ALLOC_TIME_INCR) >= 0 &&
        H5Pset_fill_time(plist, H5D_FILL_TIME_IFSET) >= 0 &&
        H5Pset_obj_track_times(plist, false) >= 0 &&
        (fill == NULL || H5Pset_fill_value(plist, H5T_NATIVE_DOUBLE, fill) >= 0))
        dataset = H5Dcreate2(group, name, type, space, H5P_DEFAULT, plist, H5P_DEFAULT);
    if (dataset < 0)
        return dataset; /* the reason must stay for sluice_h5_error */
    H5Pclose(plist);
    H5Sclose(space);
    return dataset;
}

static herr_t create_user_data(struct sluice_columns *columns, hid_t group, uint64_t rows_max)
{
    uint64_t chunk_rows = TEXT_CHUNK_BYTES / columns->user_data_bytes;
    columns->user_data_type = H5Tcopy(H5T_C_S1);
    if (columns->user_data_type < 0 ||
        H5Tset_size(columns->user_data_type, columns->user_data_bytes) < 0 ||
        H5Tset_strpad(columns->user_data_type, H5T_STR_NULLTERM) < 0)
        return -1;
    if (chunk_rows == 0)
        chunk_rows = 1;
    if (chunk_rows > columns->value_chunk_rows)
        chunk_rows = columns->value_chunk_rows;
    columns->text_chunk_rows = chunk_rows;
    columns->user_data =
        create_column(group, "user_data", columns->user_data_type, rows_max, chunk_rows, NULL);
    return columns->user_data < 0 ? -1 : 0;
}

static herr_t allocate(struct sluice_columns *columns)
{
    size_t widest = columns->user_data_bytes > 8 ? columns->user_data_bytes : 8;
    size_t capacity = columns->capacity;
    columns->cells = calloc(capacity, sizeof(*columns->cells));
    columns->checksums = calloc(capacity * columns->channel_count, sizeof(uint64_t));
    columns->order = calloc(capacity, sizeof(*columns->order));
    columns->gathered = calloc(capacity, widest);
    if (columns->user_data_bytes > 0)
        columns->texts = calloc(capacity, columns->user_data_bytes);
    bool all = columns->cells != NULL && columns->checksums != NULL && columns->order != NULL &&
               columns->gathered != NULL &&
               (columns->user_data_bytes == 0 || columns->texts != NULL);
    return all ? 0 : -1;
}

herr_t sluice_columns_init(struct sluice_columns *columns, hid_t group, uint64_t rows_max,
                           uint32_t capacity, uint32_t user_data_bytes,
                           const char *const *checksum_names, uint32_t channel_count)
{
    static const double unknown = NAN;
    memset(columns, 0, sizeof(*columns));
    for (int c = 0; c < SLUICE_COLUMN_COUNT; c++)
        columns->column[c] = H5I_INVALID_HID;
    for (int c = 0; c < SLUICE_PLANES_MAX; c++)
        columns->checksum[c] = H5I_INVALID_HID;
    columns->user_data = columns->user_data_type = H5I_INVALID_HID;
    columns->channel_count = channel_count;
    columns->capacity = capacity;
    columns->user_data_bytes = user_data_bytes;
    columns->value_chunk_rows = CHUNK_ROWS < rows_max ? CHUNK_ROWS : rows_max;
    if (allocate(columns) < 0)
        return -1;
    for (int c = 0; c < SLUICE_COLUMN_COUNT; c++) {
        const struct sluice_column_info *info = sluice_column_info((enum sluice_column)c);
        columns->column[c] = create_column(group, info->name, file_type(info->type), rows_max,
                                           columns->value_chunk_rows,
                                           info->type == SLUICE_COLUMN_F64 ? &unknown : NULL);
        if (columns->column[c] < 0 ||
            (info->unit[0] != '\0' &&
             sluice_h5_attribute_text(columns->column[c], "units", info->unit, NULL) != SLUICE_OK))
            return -1;
    }
    for (uint32_t c = 0; c < channel_count; c++) {
        columns->checksum[c] = create_column(group, checksum_names[c], H5T_STD_U64LE, rows_max,
                                             columns->value_chunk_rows, NULL);
        if (columns->checksum[c] < 0)
            return -1;
    }
    return user_data_bytes > 0 ? create_user_data(columns, group, rows_max) : 0;
}

void sluice_columns_abandon(struct sluice_columns *columns)
{
    free(columns->cells);
    free(columns->checksums);
    free(columns->texts);
    free(columns->order);
    free(columns->gathered);
    memset(columns, 0, sizeof(*columns));
}

herr_t sluice_columns_close(struct sluice_columns *columns)
{
    herr_t result = 0;
    for (int c = 0; c < SLUICE_COLUMN_COUNT; c++)
        if (columns->column[c] >= 0 && H5Dclose(columns->column[c]) < 0)
            result = -1;
    for (uint32_t c = 0; c < columns->channel_count; c++)
        if (columns->checksum[c] >= 0 && H5Dclose(columns->checksum[c]) < 0)
            result = -1;
    if (columns->user_data >= 0 && H5Dclose(columns->user_data) < 0)
        result = -1;
    if (columns->user_data_type >= 0)
        H5Tclose(columns->user_data_type);
    sluice_columns_abandon(columns);
    return result;
}

void sluice_columns_add(struct sluice_columns *columns, const struct sluice_cell *cell,
                        const uint64_t *checksums, struct sluice_span user_data)
{
    uint32_t n = columns->count++;
    columns->cells[n] = *cell;
    memcpy(&columns->checksums[(size_t)n * columns->channel_count], checksums,
           columns->channel_count * sizeof(*checksums));
    if (columns->user_data_bytes == 0)
        return;
    char *text = columns->texts + (size_t)n * columns->user_data_bytes;
    size_t room = columns->user_data_bytes - 1;
    size_t bytes = user_data.bytes < room ? user_data.bytes : room;
    if (bytes > 0)
        memcpy(text, user_data.data, bytes);
    memset(text + bytes, 0, columns->user_data_bytes - bytes);
}

static int by_row(const void *a, const void *b, void *context)
{
    const struct sluice_cell *cells = context;
    uint64_t left = cells[*(const uint32_t *)a].row, right = cells[*(const uint32_t *)b].row;
    return left < right ? -1 : left > right;
}

static void sort_cells(struct sluice_columns *columns)
{
    bool sorted = true;
    for (uint32_t i = 0; i < columns->count; i++) {
        columns->order[i] = i;
        if (i > 0 && columns->cells[i].row < columns->cells[i - 1].row)
            sorted = false;
    }
    if (!sorted)
        qsort_r(columns->order, columns->count, sizeof(*columns->order), by_row, columns->cells);
}

/* The file space of `rows` rows with those of the sorted cells selected. */
static hid_t select_rows(const struct sluice_columns *columns, uint64_t rows)
{
    hsize_t extent = rows, count = columns->count;
    hsize_t first = columns->cells[columns->order[0]].row;
    hsize_t last = columns->cells[columns->order[columns->count - 1]].row;
    hid_t space = H5Screate_simple(1, &extent, NULL);
    herr_t result = -1;
    if (space < 0)
        return space;
    if (last - first + 1 == count) {
        result = H5Sselect_hyperslab(space, H5S_SELECT_SET, &first, NULL, &count, NULL);
    } else {
        hsize_t *points = (hsize_t *)(void *)columns->gathered; /* 8 bytes a cell fit */
        for (uint32_t i = 0; i < columns->count; i++)
            points[i] = columns->cells[columns->order[i]].row;
        result = H5Sselect_elements(space, H5S_SELECT_SET, columns->count, points);
    }
    if (result < 0) {
        H5Sclose(space);
        return H5I_INVALID_HID;
    }
    return space;
}

/* The value of one cell in one column, as the 8 bytes it is stored from. */
uint64_t sluice_columns_bits(const struct sluice_cell *cell, enum sluice_column column)
{
    double real = 0.0;
    uint64_t bits;
    switch (column) {
    case SLUICE_COLUMN_IMAGE_ID:
        return cell->image_id + 1;
    case SLUICE_COLUMN_FRAME_STATUS:
        return SLUICE_ROW_WRITTEN;
    case SLUICE_COLUMN_ARRIVAL_TIME:
        return (uint64_t)cell->arrival_real_ns;
    case SLUICE_COLUMN_WRITE_TIME:
        return (uint64_t)cell->write_real_ns;
    case SLUICE_COLUMN_START_TIME:
        real = cell->start_time;
        break;
    case SLUICE_COLUMN_STOP_TIME:
        real = cell->stop_time;
        break;
    case SLUICE_COLUMN_REAL_TIME:
        real = cell->real_time;
        break;
    case SLUICE_COLUMN_COUNT:
        break;
    }
    memcpy(&bits, &real, sizeof(bits));
    return bits;
}

static herr_t write_column(struct sluice_columns *columns, enum sluice_column column, hid_t memory,
                           hid_t file)
{
    enum sluice_column_type type = sluice_column_info(column)->type;
    for (uint32_t i = 0; i < columns->count; i++) {
        uint64_t bits = sluice_columns_bits(&columns->cells[columns->order[i]], column);
        if (type == SLUICE_COLUMN_U8)
            columns->gathered[i] = (uint8_t)bits;
        else
            memcpy(columns->gathered + (size_t)i * 8, &bits, 8);
    }
    return H5Dwrite(columns->column[column], memory_type(type), memory, file, H5P_DEFAULT,
                    columns->gathered);
}

static herr_t write_checksums(struct sluice_columns *columns, uint32_t channel, hid_t memory,
                              hid_t file)
{
    for (uint32_t i = 0; i < columns->count; i++) {
        size_t from = (size_t)columns->order[i] * columns->channel_count + channel;
        memcpy(columns->gathered + (size_t)i * 8, &columns->checksums[from], 8);
    }
    return H5Dwrite(columns->checksum[channel], H5T_NATIVE_UINT64, memory, file, H5P_DEFAULT,
                    columns->gathered);
}

static herr_t write_texts(struct sluice_columns *columns, hid_t memory, hid_t file)
{
    size_t bytes = columns->user_data_bytes;
    for (uint32_t i = 0; i < columns->count; i++)
        memcpy(columns->gathered + i * bytes, columns->texts + columns->order[i] * bytes, bytes);
    return H5Dwrite(columns->user_data, columns->user_data_type, memory, file, H5P_DEFAULT,
                    columns->gathered);
}

/* Every column but the key. */
herr_t sluice_columns_set_extents(struct sluice_columns *columns, uint64_t rows)
{
    hsize_t extent = rows;
    for (int c = 0; c < SLUICE_COLUMN_COUNT; c++)
        if (c != SLUICE_COLUMN_IMAGE_ID && H5Dset_extent(columns->column[c], &extent) < 0)
            return -1;
    for (uint32_t c = 0; c < columns->channel_count; c++)
        if (H5Dset_extent(columns->checksum[c], &extent) < 0)
            return -1;
    if (columns->user_data >= 0 && H5Dset_extent(columns->user_data, &extent) < 0)
        return -1;
    columns->rows = rows;
    return 0;
}

/* Grows every column but the key. */
static herr_t grow(struct sluice_columns *columns, uint64_t rows)
{
    return rows <= columns->rows ? 0 : sluice_columns_set_extents(columns, rows);
}

herr_t sluice_columns_write_values(struct sluice_columns *columns, uint64_t rows)
{
    hsize_t count = columns->count;
    if (count == 0)
        return 0;
    sort_cells(columns);
    if (columns->append != NULL)
        return sluice_columns_put_values(columns);
    if (grow(columns, rows) < 0)
        return -1;
    hid_t file = select_rows(columns, columns->rows);
    if (file < 0)
        return -1;
    hid_t memory = H5Screate_simple(1, &count, NULL);
    herr_t result = memory < 0 ? -1 : 0;
    for (int c = 0; result >= 0 && c < SLUICE_COLUMN_COUNT; c++)
        if (c != SLUICE_COLUMN_IMAGE_ID)
            result = write_column(columns, (enum sluice_column)c, memory, file);
    for (uint32_t c = 0; result >= 0 && c < columns->channel_count; c++)
        result = write_checksums(columns, c, memory, file);
    if (result >= 0 && columns->user_data >= 0)
        result = write_texts(columns, memory, file);
    if (result < 0)
        return result; /* the file is abandoned, and closing a space would clear the reason */
    H5Sclose(memory);
    H5Sclose(file);
    return 0;
}

herr_t sluice_columns_write_keys(struct sluice_columns *columns)
{
    hsize_t count = columns->count, extent = columns->rows;
    if (count == 0)
        return 0;
    if (columns->append != NULL)
        return sluice_columns_put_keys(columns);
    if (H5Dset_extent(columns->column[SLUICE_COLUMN_IMAGE_ID], &extent) < 0)
        return -1;
    hid_t file = select_rows(columns, columns->rows);
    if (file < 0)
        return -1;
    hid_t memory = H5Screate_simple(1, &count, NULL);
    if (memory < 0 || write_column(columns, SLUICE_COLUMN_IMAGE_ID, memory, file) < 0)
        return -1;
    H5Sclose(memory);
    H5Sclose(file);
    return 0;
}

herr_t sluice_columns_finish(struct sluice_columns *columns, uint64_t rows, const uint8_t *status)
{
    hsize_t extent = rows;
    if (grow(columns, rows) < 0 ||
        H5Dset_extent(columns->column[SLUICE_COLUMN_IMAGE_ID], &extent) < 0)
        return -1;
    if (status == NULL || rows == 0)
        return 0;
    return H5Dwrite(columns->column[SLUICE_COLUMN_FRAME_STATUS], H5T_NATIVE_UINT8, H5S_ALL, H5S_ALL,
                    H5P_DEFAULT, status);
}
