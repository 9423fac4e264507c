/* SPDX-License-Identifier: Apache-2.0
 *
 * Single cells of the per-image columns, for programs that follow. A column is opened when it is
 * first asked for and stays open with its file; those that the follower has open already are read
 * through its own handles, since a growing dataset must not be open twice. */
#include <stdio.h>
#include <string.h>

#include "readers/follow/file.h"

/* The handle that the follower itself has of a column; -1: none. */
static hid_t own_handle(const struct sluice_follow_file *file,
                        const struct sluice_follow_channel *channels, const char *name)
{
    char checksum[SLUICE_NAME_BYTES + 16];
    if (strcmp(name, sluice_column_info(SLUICE_COLUMN_IMAGE_ID)->name) == 0)
        return file->key;
    if (strcmp(name, sluice_column_info(SLUICE_COLUMN_FRAME_STATUS)->name) == 0)
        return file->status;
    if (strcmp(name, sluice_column_info(SLUICE_COLUMN_ARRIVAL_TIME)->name) == 0)
        return file->arrival;
    for (uint32_t i = 0; i < file->channel_count; i++) {
        snprintf(checksum, sizeof(checksum), "checksum_%s", channels[i].dataset);
        if (strcmp(name, checksum) == 0 ||
            (strcmp(name, "checksum") == 0 && strcmp(channels[i].dataset, "data") == 0))
            return file->channels[i].checksum;
    }
    return -1;
}

/* Opens a column of the file, or finds it open; NULL: there is none. Images are no columns: they
 * are open already. */
static struct sluice_file_column *open_column(struct sluice_follow_file *file,
                                              const struct sluice_follow_channel *channels,
                                              const char *name)
{
    char path[2 * SLUICE_NAME_BYTES + 2];
    for (uint32_t i = 0; i < file->column_count; i++)
        if (strcmp(file->columns[i].name, name) == 0)
            return &file->columns[i];
    if (file->column_count == SLUICE_FILE_COLUMNS_MAX || strlen(name) >= SLUICE_NAME_BYTES ||
        strchr(name, '/'))
        return NULL;
    for (uint32_t i = 0; i < file->channel_count; i++)
        if (strcmp(channels[i].dataset, name) == 0)
            return NULL;
    snprintf(path, sizeof(path), "%s/%s", file->group, name);
    hid_t dataset = sluice_follow_h5_dataset(file->file, path);
    if (dataset < 0)
        return NULL;
    struct sluice_file_column *column = &file->columns[file->column_count++];
    *column = (struct sluice_file_column){.dataset = dataset, .seen = UINT64_MAX};
    snprintf(column->name, sizeof(column->name), "%s", name);
    return column;
}

static bool read_cell(hid_t dataset, uint64_t row, enum sluice_follow_cell kind, void *value,
                      size_t bytes)
{
    hid_t type = H5Dget_type(dataset);
    bool is_text = type >= 0 && H5Tget_class(type) == H5T_STRING;
    bool fixed = is_text && H5Tis_variable_str(type) == 0, ok = false;
    if (kind == SLUICE_CELL_TEXT && fixed) {
        hid_t memory = H5Tcopy(H5T_C_S1);
        ok = H5Tset_size(memory, bytes) >= 0 &&
             sluice_follow_h5_read_cells(dataset, row, 1, memory, value);
        ((char *)value)[bytes - 1] = 0;
        H5Tclose(memory);
    } else if (kind != SLUICE_CELL_TEXT && !is_text) {
        hid_t memory = kind == SLUICE_CELL_F64   ? H5T_NATIVE_DOUBLE
                       : kind == SLUICE_CELL_I64 ? H5T_NATIVE_INT64
                                                 : H5T_NATIVE_UINT64;
        ok = sluice_follow_h5_read_cells(dataset, row, 1, memory, value);
    }
    if (type >= 0)
        H5Tclose(type);
    return ok;
}

enum sluice_status sluice_file_column(struct sluice_follow_file *file,
                                      const struct sluice_follow_channel *channels, uint64_t row,
                                      const char *name, enum sluice_follow_cell kind, void *value,
                                      size_t bytes, struct sluice_error *error)
{
    hid_t dataset = own_handle(file, channels, name);
    bool fresh = dataset >= 0 && sluice_file_refresh(file, dataset);
    if (dataset < 0) {
        struct sluice_file_column *column = open_column(file, channels, name);
        if (!column)
            return sluice_error_set(error, SLUICE_NOT_FOUND, "%s has no column %s", file->path,
                                    name);
        dataset = column->dataset;
        fresh = sluice_file_refresh_once(file, dataset, &column->seen);
    }
    enum sluice_status status = SLUICE_OK;
    if (fresh && sluice_follow_h5_cells(dataset) <= row)
        status = sluice_error_set(error, SLUICE_NOT_FOUND, "%s: %s has no row %llu", file->path,
                                  name, (unsigned long long)row);
    else if (!fresh || !read_cell(dataset, row, kind, value, bytes))
        status = sluice_follow_h5_error(error, SLUICE_UNSUPPORTED, "%s: %s cannot be read as asked",
                                        file->path, name);
    H5Eclear2(H5E_DEFAULT);
    return status;
}

void sluice_file_close_columns(struct sluice_follow_file *file)
{
    for (uint32_t i = 0; i < file->column_count; i++)
        H5Dclose(file->columns[i].dataset);
    file->column_count = 0;
}
