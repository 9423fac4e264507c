/* SPDX-License-Identifier: Apache-2.0
 *
 * The way from a master to the images: external links, one a data file, and one virtual dataset
 * over all of them. No data file is opened for it.
 *
 * A mapping beyond what its source holds makes every read fail, one without limit follows its
 * source: so complete files are mapped as they are and the growing one, always the last, without
 * limit. Rows that no mapping covers read as the no-data value. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "writer/master/parts.h"

#define DATA "/entry/data"

/* How the master names a data file: by its name alone where both lie in one directory, so that the
 * directory can be moved; else in full. */
static const char *name_of(const char *path, const char *master_path)
{
    const char *base = sluice_layout_base_name(path);
    const char *master_base = sluice_layout_base_name(master_path);
    size_t bytes = (size_t)(base - path);
    bool same =
        bytes == (size_t)(master_base - master_path) && memcmp(path, master_path, bytes) == 0;
    return same ? base : path;
}

/* In the source name of a mapping % is special. */
static void double_percent(const char *name, char *doubled)
{
    for (; *name != '\0'; name++) {
        if (*name == '%')
            *doubled++ = '%';
        *doubled++ = *name;
    }
    *doubled = '\0';
}

/* The link to NAME_data_000003.h5 is data_000003, whatever its place among the files that exist. */
static void link_name(const char *path, size_t index, char *link, size_t bytes)
{
    static const char mark[] = "_data_";
    const char *number = NULL;
    for (const char *at = sluice_layout_base_name(path); (at = strstr(at, mark)) != NULL;)
        number = at += sizeof mark - 1;
    if (number != NULL)
        snprintf(link, bytes, DATA "/data_%.*s", (int)strcspn(number, "."), number);
    else
        snprintf(link, bytes, DATA "/data_%06zu", index + 1);
}

static void put_links(struct sluice_tree *tree, const struct sluice_master_input *input,
                      const char *dataset, const char *master_path)
{
    for (size_t i = 0; i < input->file_count && tree->status == SLUICE_OK; i++) {
        char link[SLUICE_PATH_BYTES];
        link_name(input->files[i].path, i, link, sizeof link);
        if (H5Lcreate_external(name_of(input->files[i].path, master_path), dataset, tree->file,
                               link, H5P_DEFAULT, H5P_DEFAULT) < 0)
            sluice_tree_check(
                tree, sluice_h5_error(tree->error, SLUICE_IO, "cannot create the link %s", link));
    }
}

/* Maps rows [start, start + rows) of the virtual space, or all from `start` where the file grows.
 */
static enum sluice_status map_file(hid_t creation, hid_t space,
                                   const struct sluice_master_file *file, uint64_t start,
                                   const char *source, const char *dataset,
                                   struct sluice_error *error)
{
    enum sluice_status status = SLUICE_OK;
    hsize_t shape[3] = {0}, maximum[3], block[3];
    const hsize_t from[3] = {start, 0, 0}, zero[3] = {0, 0, 0}, one[3] = {1, 1, 1};
    H5Sget_simple_extent_dims(space, shape, NULL);
    shape[0] = file->rows;
    memcpy(maximum, shape, sizeof maximum);
    memcpy(block, shape, sizeof block);
    if (file->growing)
        block[0] = maximum[0] = H5S_UNLIMITED;
    hid_t source_space = H5Screate_simple(3, shape, maximum);
    if (source_space < 0 ||
        H5Sselect_hyperslab(space, H5S_SELECT_SET, from, NULL, one, block) < 0 ||
        H5Sselect_hyperslab(source_space, H5S_SELECT_SET, zero, NULL, one, block) < 0 ||
        H5Pset_virtual(creation, space, source, dataset, source_space) < 0)
        status = sluice_h5_error(error, SLUICE_IO, "cannot map %s", source);
    sluice_h5_close(&source_space);
    return status;
}

static enum sluice_status map_files(hid_t creation, hid_t space,
                                    const struct sluice_master_input *input, const char *dataset,
                                    const char *master_path, struct sluice_error *error)
{
    enum sluice_status status = SLUICE_OK;
    uint64_t end = 0;
    for (size_t i = 0; i < input->file_count && status == SLUICE_OK; i++) {
        const struct sluice_master_file *file = &input->files[i];
        char source[2 * SLUICE_PATH_BYTES];
        uint64_t start = sluice_master_file_start(file, end);
        if (file->rows == 0)
            continue;
        double_percent(name_of(file->path, master_path), source);
        status = map_file(creation, space, file, start, source, dataset, error);
        end = start + file->rows;
    }
    return status;
}

static void put_virtual(struct sluice_tree *tree, const struct sluice_master_input *input,
                        const char *path, const char *dataset, const char *master_path)
{
    uint64_t end = 0;
    bool growing = false;
    for (size_t i = 0; i < input->file_count; i++) {
        const struct sluice_master_file *file = &input->files[i];
        assert(!file->growing || i + 1 == input->file_count);
        uint64_t start = sluice_master_file_start(file, end);
        growing = file->growing && file->rows > 0;
        if (file->rows > 0)
            end = growing ? start : start + file->rows;
    }
    hsize_t shape[3] = {end, input->series->height, input->series->width};
    hsize_t maximum[3] = {growing ? H5S_UNLIMITED : end, shape[1], shape[2]};
    enum sluice_status status = SLUICE_OK;
    hid_t id = H5I_INVALID_HID;
    hid_t space = H5Screate_simple(3, shape, maximum);
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    if (space < 0 || creation < 0 ||
        H5Pset_fill_value(creation, sluice_h5_memory_type(input->dtype),
                          sluice_h5_fill_value(input->dtype)) < 0)
        status = sluice_h5_error(tree->error, SLUICE_IO, "cannot describe %s", path);
    if (status == SLUICE_OK)
        status = map_files(creation, space, input, dataset, master_path, tree->error);
    if (status == SLUICE_OK && (id = H5Dcreate2(tree->file, path, sluice_h5_file_type(input->dtype),
                                                space, H5P_DEFAULT, creation, H5P_DEFAULT)) < 0)
        status = sluice_h5_error(tree->error, SLUICE_IO, "cannot create %s", path);
    sluice_tree_check(tree, status);
    sluice_h5_close(&id);
    sluice_h5_close(&creation);
    sluice_h5_close(&space);
}

void sluice_master_put_images(struct sluice_tree *tree, const struct sluice_master_input *input,
                              const char *master_path, bool nxs)
{
    char dataset[sizeof DATA + SLUICE_NAME_BYTES + 1];
    snprintf(dataset, sizeof dataset, DATA "/%s", input->dataset);
    sluice_tree_attribute(tree, DATA, "signal", nxs ? "data" : "images");
    if (!nxs)
        put_links(tree, input, dataset, master_path);
    if (tree->status == SLUICE_OK)
        put_virtual(tree, input, nxs ? DATA "/data" : DATA "/images", dataset, master_path);
}
