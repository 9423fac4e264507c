/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads the mappings from the creation properties and opens each source once, past the virtual
 * dataset, to see that it is there and as long as the mapping needs. A source that is still being
 * written counts as unreadable here: through a plain open its rows would be fill values. */
#include "readers/follow/virtual.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "writer/layout/layout.h"

#define MAPPINGS_MAX 1000000u

/* Fills path and dataset. `%%` stands for one % in both. */
static char *unescaped(const char *text)
{
    char *copy = strdup(text), *to = copy;
    for (const char *from = text; copy && *from;) {
        if (from[0] == '%' && from[1] == '%')
            from++;
        *to++ = *from++;
    }
    if (copy)
        *to = 0;
    return copy;
}

static bool read_names(hid_t created, size_t index, const char *path,
                       struct sluice_mapping *mapping)
{
    char name[SLUICE_PATH_BYTES], dataset[SLUICE_PATH_BYTES], full[2 * SLUICE_PATH_BYTES];
    if (H5Pget_virtual_filename(created, index, name, sizeof(name)) <= 0 ||
        H5Pget_virtual_dsetname(created, index, dataset, sizeof(dataset)) <= 0)
        return false;
    const char *slash = strrchr(path, '/');
    if (strcmp(name, ".") == 0)
        snprintf(full, sizeof(full), "%s", path);
    else if (name[0] == '/' || !slash)
        snprintf(full, sizeof(full), "%s", name);
    else
        snprintf(full, sizeof(full), "%.*s/%s", (int)(slash - path), path, name);
    mapping->path = unescaped(full);
    mapping->dataset = unescaped(dataset);
    return mapping->path && mapping->dataset;
}

/* Rows, and whether the selection holds whole images of the space. */
static bool read_rows(hid_t space, struct sluice_mapping *mapping)
{
    hsize_t extent[3] = {0}, start[3] = {0}, stride[3], count[3], block[3], end[3];
    if (H5Sget_simple_extent_ndims(space) != 3 ||
        H5Sget_simple_extent_dims(space, extent, NULL) != 3)
        return false;
    if (H5Sget_select_type(space) == H5S_SEL_ALL) {
        mapping->first = 0;
        mapping->count = 1;
        mapping->stride = mapping->block = extent[0];
        return true;
    }
    if (H5Sis_regular_hyperslab(space) <= 0 ||
        H5Sget_regular_hyperslab(space, start, stride, count, block) < 0)
        return false;
    mapping->first = start[0];
    mapping->count = count[0];
    mapping->block = block[0];
    mapping->stride = stride[0] > block[0] ? stride[0] : block[0]; /* of one block it says 1 */
    mapping->unlimited = count[0] == H5S_UNLIMITED || block[0] == H5S_UNLIMITED;
    if (!mapping->unlimited && H5Sget_select_bounds(space, start, end) >= 0)
        mapping->partial =
            start[1] != 0 || start[2] != 0 || end[1] + 1 != extent[1] || end[2] + 1 != extent[2];
    return true;
}

/* All of a source is mapped without its extent: then it is as long as what it is mapped to. */
static void read_source_rows(hid_t space, struct sluice_mapping *mapping)
{
    hsize_t start[H5S_MAX_RANK] = {0}, end[H5S_MAX_RANK] = {0};
    if (mapping->unlimited)
        return;
    mapping->source_end = mapping->count * mapping->block;
    if (H5Sget_simple_extent_ndims(space) >= 3 && H5Sget_select_type(space) != H5S_SEL_ALL &&
        H5Sget_select_bounds(space, start, end) >= 0) {
        mapping->source_first = start[0];
        mapping->source_end = end[0] + 1;
    }
}

/* Opens the source; fills source_rows, growing and wrong. */
static void look_at_source(struct sluice_mapping *mapping)
{
    enum sluice_h5_flag flag = sluice_follow_h5_flag(mapping->path);
    if (flag == SLUICE_H5_MISSING) {
        snprintf(mapping->wrong, sizeof(mapping->wrong), "is not there");
        return;
    }
    mapping->growing = flag == SLUICE_H5_WRITING;
    hid_t file = sluice_follow_h5_open(mapping->path, mapping->growing);
    if (file < 0) {
        struct sluice_error error = {0};
        sluice_follow_h5_error(&error, SLUICE_IO, "cannot be opened");
        snprintf(mapping->wrong, sizeof(mapping->wrong), "%.*s", (int)sizeof(mapping->wrong) - 1,
                 error.message);
        return;
    }
    hid_t dataset = H5Dopen2(file, mapping->dataset, H5P_DEFAULT);
    hid_t space = dataset >= 0 ? H5Dget_space(dataset) : H5I_INVALID_HID;
    hsize_t extent[H5S_MAX_RANK] = {0};
    int rank = space >= 0 ? H5Sget_simple_extent_dims(space, extent, NULL) : -1;
    mapping->source_rows = rank >= 3 ? extent[0] : rank == 2;
    if (dataset < 0)
        snprintf(mapping->wrong, sizeof(mapping->wrong), "has no %.96s", mapping->dataset);
    else if (mapping->growing)
        snprintf(mapping->wrong, sizeof(mapping->wrong),
                 "is being written (or its writer died): read the data file itself");
    else if (mapping->source_end > mapping->source_rows)
        snprintf(mapping->wrong, sizeof(mapping->wrong), "has %llu images, %llu are mapped",
                 (unsigned long long)mapping->source_rows, (unsigned long long)mapping->source_end);
    if (space >= 0)
        H5Sclose(space);
    if (dataset >= 0)
        H5Dclose(dataset);
    H5Fclose(file);
    H5Eclear2(H5E_DEFAULT);
}

static bool read_mapping(hid_t created, size_t index, const char *path,
                         struct sluice_mapping *mapping)
{
    if (!read_names(created, index, path, mapping))
        return false;
    hid_t space = H5Pget_virtual_vspace(created, index);
    hid_t source = H5Pget_virtual_srcspace(created, index);
    bool ok = space >= 0 && source >= 0 && read_rows(space, mapping);
    if (!ok)
        snprintf(mapping->wrong, sizeof(mapping->wrong), "is mapped in a way that is not known");
    else
        read_source_rows(source, mapping);
    if (space >= 0)
        H5Sclose(space);
    if (source >= 0)
        H5Sclose(source);
    if (ok)
        look_at_source(mapping);
    return true;
}

struct sluice_virtual *sluice_virtual_open(hid_t dataset, const char *path)
{
    struct sluice_virtual *virtual_of = calloc(1, sizeof(*virtual_of));
    hid_t created = H5Dget_create_plist(dataset);
    size_t count = 0;
    bool ok = virtual_of && created >= 0 && H5Pget_layout(created) == H5D_VIRTUAL &&
              H5Pget_virtual_count(created, &count) >= 0 && count <= MAPPINGS_MAX;
    if (ok)
        virtual_of->mappings = calloc(count ? count : 1, sizeof(*virtual_of->mappings));
    ok = ok && virtual_of->mappings;
    for (size_t i = 0; ok && i < count; i++) {
        virtual_of->count++;
        ok = read_mapping(created, i, path, &virtual_of->mappings[i]);
    }
    if (created >= 0)
        H5Pclose(created);
    if (!ok) {
        sluice_virtual_close(virtual_of);
        virtual_of = NULL;
    }
    return virtual_of;
}

void sluice_virtual_close(struct sluice_virtual *virtual_of)
{
    if (!virtual_of)
        return;
    for (size_t i = 0; i < virtual_of->count; i++) {
        free(virtual_of->mappings[i].path);
        free(virtual_of->mappings[i].dataset);
    }
    free(virtual_of->mappings);
    free(virtual_of);
}

static bool covers(const struct sluice_mapping *mapping, uint64_t row)
{
    if (row < mapping->first)
        return false;
    uint64_t from = row - mapping->first;
    if (mapping->block == H5S_UNLIMITED)
        return true;
    if (mapping->block == 0)
        return false;
    if (mapping->count == H5S_UNLIMITED)
        return from % mapping->stride < mapping->block;
    return from / mapping->stride < mapping->count && from % mapping->stride < mapping->block;
}

enum sluice_status sluice_virtual_row(const struct sluice_virtual *virtual_of, uint64_t row,
                                      struct sluice_error *error)
{
    bool mapped = false;
    for (size_t i = 0; i < virtual_of->count; i++) {
        const struct sluice_mapping *mapping = &virtual_of->mappings[i];
        if (!covers(mapping, row))
            continue;
        mapped = true;
        if (mapping->wrong[0])
            return sluice_error_set(error, SLUICE_IO, "its source %s %s", mapping->path,
                                    mapping->wrong);
    }
    if (!mapped)
        return sluice_error_set(error, SLUICE_NOT_FOUND, "nothing is mapped here");
    return SLUICE_OK;
}
