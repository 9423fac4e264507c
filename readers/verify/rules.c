/* SPDX-License-Identifier: Apache-2.0
 *
 * The rules of docs/file-format.md that a look at one open file can decide. Each rule that is
 * broken is one finding; they hold for our own files only. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "readers/verify/internal.h"

#define DETECTOR "entry/instrument/detector"

/* Where a rule is looked at. */
struct place {
    struct sluice_verify *verify;
    const char *path;
};

static void broken(const struct place *place, const char *dataset, const char *text)
{
    sluice_verify_say(place->verify, SLUICE_FINDING_STRUCTURE, place->path, dataset, NULL, "%s",
                      text);
}

/* --- texts: fixed-length ASCII, NUL-terminated --------------------------------------------- */

/* NULL: the type is no text, or one that every program reads. */
static const char *text_fault(hid_t type)
{
    if (H5Tget_class(type) != H5T_STRING)
        return NULL;
    if (H5Tis_variable_str(type) > 0)
        return "a text of variable length: unreadable under SWMR and for XDS's reader";
    if (H5Tget_strpad(type) != H5T_STR_NULLTERM)
        return "a text that is not NUL-terminated";
    if (H5Tget_cset(type) != H5T_CSET_ASCII)
        return "a text that is not ASCII";
    return NULL;
}

struct attribute_of {
    const struct place *place;
    const char *object;
};

static herr_t visit_attribute(hid_t object, const char *name, const H5A_info_t *info, void *data)
{
    (void)info;
    const struct attribute_of *of = data;
    char where[SLUICE_PATH_BYTES];
    hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    hid_t type = attribute >= 0 ? H5Aget_type(attribute) : H5I_INVALID_HID;
    const char *fault = type >= 0 ? text_fault(type) : "an attribute that cannot be opened";
    snprintf(where, sizeof(where), "%s@%s", of->object, name);
    if (fault)
        broken(of->place, where, fault);
    if (type >= 0)
        H5Tclose(type);
    if (attribute >= 0)
        H5Aclose(attribute);
    return 0;
}

struct walk {
    const struct place *place;
    uint32_t entries, data, detectors; /* groups of these NeXus classes */
};

static void count_class(struct walk *walk, hid_t object)
{
    char nx_class[32];
    if (!sluice_follow_h5_attribute_text(object, "NX_class", nx_class, sizeof(nx_class)))
        return;
    walk->entries += strcmp(nx_class, "NXentry") == 0;
    walk->data += strcmp(nx_class, "NXdata") == 0;
    walk->detectors += strcmp(nx_class, "NXdetector") == 0;
}

static herr_t visit_object(hid_t root, const char *name, const H5O_info_t *info, void *data)
{
    struct walk *walk = data;
    char path[SLUICE_PATH_BYTES];
    snprintf(path, sizeof(path), "/%s", strcmp(name, ".") == 0 ? "" : name);
    const char *last = strrchr(path, '/') + 1;
    if (strcmp(last, "eiger_fw_version") == 0)
        broken(walk->place, path, "dxtbx expects a known module layout then");
    hid_t object = H5Oopen(root, name, H5P_DEFAULT);
    if (object < 0) {
        broken(walk->place, path, "it cannot be opened");
        return 0;
    }
    if (info->type == H5O_TYPE_DATASET) {
        hid_t type = H5Dget_type(object);
        const char *fault = text_fault(type);
        if (fault)
            broken(walk->place, path, fault);
        H5Tclose(type);
    }
    count_class(walk, object);
    struct attribute_of of = {.place = walk->place, .object = path};
    H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, NULL, visit_attribute, &of);
    H5Oclose(object);
    return 0;
}

static void walk_file(struct walk *walk, hid_t file)
{
    if (H5Ovisit2(file, H5_INDEX_NAME, H5_ITER_INC, visit_object, walk, H5O_INFO_BASIC) < 0)
        broken(walk->place, NULL, "its objects cannot be listed");
    H5Eclear2(H5E_DEFAULT);
}

struct names {
    uint64_t plain, numbered;
};

static herr_t visit_name(hid_t group, const char *name, const H5L_info_t *link, void *data)
{
    (void)group, (void)link;
    struct names *names = data;
    names->plain += strcmp(name, "data") == 0;
    names->numbered += strncmp(name, "data_", 5) == 0;
    return 0;
}

/* fabio and pyFAI count every name that starts with "data". */
static void check_names(const struct place *place, hid_t file, bool nxs)
{
    struct names names = {0};
    hid_t group = H5Gopen2(file, "entry/data", H5P_DEFAULT);
    if (group < 0 || H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, NULL, visit_name, &names) < 0)
        broken(place, "/entry/data", "it cannot be opened");
    else if (names.numbered && (names.plain || nxs))
        broken(place, "/entry/data",
               "it holds both `data` and `data_00000N`: programs count the images twice");
    if (group >= 0)
        H5Gclose(group);
}

/* --- data files ---------------------------------------------------------------------------- */

/* The no-data value as the dataset's fill value. */
static bool has_right_fill(hid_t created, enum sluice_dtype dtype)
{
    hid_t memory = sluice_follow_h5_memory_type(dtype);
    if (dtype == SLUICE_F32 || dtype == SLUICE_F64) {
        double fill = 0;
        return H5Pget_fill_value(created, H5T_NATIVE_DOUBLE, &fill) >= 0 && isnan(fill);
    }
    uint64_t bits = 0, wanted;
    if (H5Pget_fill_value(created, memory, &bits) < 0)
        return false;
    unsigned width = 8 * (unsigned)sluice_dtype_bytes(dtype);
    uint64_t ones = width == 64 ? UINT64_MAX : (UINT64_C(1) << width) - 1;
    wanted = dtype >= SLUICE_I8 && dtype <= SLUICE_I64 ? UINT64_C(1) << (width - 1) : ones;
    return (bits & ones) == wanted;
}

static void check_bounds(const struct place *place, const char *dataset, hid_t images,
                         const struct sluice_verify_file *facts, bool closed)
{
    hsize_t extent[3] = {0}, most[3] = {0};
    char text[128];
    hid_t space = H5Dget_space(images);
    H5Sget_simple_extent_dims(space, extent, most);
    H5Sclose(space);
    if (most[0] == H5S_UNLIMITED)
        broken(place, dataset, "its dimension has no limit: XDS's reader cannot read its index");
    else if (most[0] < 2)
        broken(place, dataset, "its largest size is one image: XDS's reader cannot read its index");
    if (closed && extent[0] != facts->rows) {
        snprintf(text, sizeof(text), "it has %llu images, image_id has %llu rows",
                 (unsigned long long)extent[0], (unsigned long long)facts->rows);
        broken(place, dataset, text);
    }
}

static void check_numbers(const struct place *place, const char *dataset, hid_t images,
                          const struct sluice_verify_file *facts, bool closed)
{
    int64_t low, high;
    char text[128];
    if (!sluice_follow_h5_attribute_int(images, "image_nr_low", &low) ||
        !sluice_follow_h5_attribute_int(images, "image_nr_high", &high)) {
        broken(place, dataset, "image_nr_low and image_nr_high are not there");
    } else if (closed && facts->rows && (uint64_t)high - (uint64_t)low != facts->rows - 1) {
        snprintf(text, sizeof(text), "image_nr_low %lld and image_nr_high %lld, but %llu images",
                 (long long)low, (long long)high, (unsigned long long)facts->rows);
        broken(place, dataset, text);
    }
}

static void check_images(const struct place *place, const struct sluice_file_channel *channel,
                         const struct sluice_follow_channel *shape,
                         const struct sluice_verify_file *facts, bool closed)
{
    char dataset[SLUICE_NAME_BYTES + 16];
    unsigned flags, values[8] = {0}, config;
    size_t value_count = 8;
    char name[1];
    snprintf(dataset, sizeof(dataset), "/entry/data/%s", shape->dataset);
    if (channel->indirect)
        broken(place, dataset, channel->indirect);
    check_bounds(place, dataset, channel->images, facts, closed);
    check_numbers(place, dataset, channel->images, facts, closed);
    if (channel->checksum < 0)
        broken(place, dataset, "it has no checksum column");
    hid_t created = H5Dget_create_plist(channel->images);
    if (!has_right_fill(created, shape->dtype))
        broken(place, dataset,
               "its fill value is not the no-data value: a lost image would read "
               "as counts");
    if (channel->encoding == SLUICE_ENCODING_BSLZ4 &&
        (H5Pget_filter2(created, 0, &flags, &value_count, values, 0, name, &config) < 0 ||
         values[2] != sluice_dtype_bytes(shape->dtype)))
        broken(place, dataset, "the bitshuffle filter's element size is not that of the pixels");
    H5Pclose(created);
}

static void check_columns(const struct place *place, const struct sluice_follow_file *file,
                          const struct sluice_verify_file *facts, bool closed)
{
    char path[SLUICE_NAME_BYTES], text[128];
    for (int i = 0; i < SLUICE_COLUMN_COUNT; i++) {
        const char *name = sluice_column_info((enum sluice_column)i)->name;
        snprintf(path, sizeof(path), "/entry/data/%s", name);
        if (i == SLUICE_COLUMN_IMAGE_ID || i == SLUICE_COLUMN_FRAME_STATUS) {
            if (!closed)
                continue; /* open already, and refreshed at different times */
        }
        hid_t column = i == SLUICE_COLUMN_FRAME_STATUS ? file->status
                       : i == SLUICE_COLUMN_IMAGE_ID   ? file->key
                       : i == SLUICE_COLUMN_ARRIVAL_TIME
                           ? file->arrival
                           : sluice_follow_h5_dataset(file->file, path);
        if (column < 0) {
            broken(place, path, "the column is not there");
            continue;
        }
        uint64_t cells = sluice_follow_h5_cells(column);
        snprintf(text, sizeof(text), "the column has %llu rows, image_id %llu",
                 (unsigned long long)cells, (unsigned long long)facts->rows);
        if (closed && cells != facts->rows)
            broken(place, path, text);
        if (column != file->status && column != file->key && column != file->arrival)
            H5Dclose(column);
    }
}

void sluice_verify_data_rules(struct sluice_verify *verify, const struct sluice_follow_file *file,
                              const struct sluice_verify_file *facts)
{
    const struct place place = {.verify = verify, .path = file->path};
    bool closed = !file->live;
    int32_t finished = 0;
    for (uint32_t i = 0; i < verify->channel_count; i++)
        check_images(&place, &file->channels[i], &verify->channels[i], facts, closed);
    check_columns(&place, file, facts, closed);
    check_names(&place, file->file, false);
    if (closed &&
        (sluice_follow_h5_cells(file->finished) != 1 ||
         !sluice_follow_h5_read_cells(file->finished, 0, 1, H5T_NATIVE_INT32, &finished) ||
         finished != 1))
        broken(&place, "/entry/finished", "the file is closed, but it is not 1");
    if (closed) {
        struct walk walk = {.place = &place};
        walk_file(&walk, file->file);
    }
}

/* --- masters ------------------------------------------------------------------------------- */

static void check_mask(const struct place *place, hid_t master,
                       const struct sluice_follow_channel *channel)
{
    static const char path[] = "/" DETECTOR "/pixel_mask";
    hsize_t extent[2] = {0};
    enum sluice_dtype dtype = SLUICE_U8;
    bool swapped = false;
    hid_t mask = sluice_follow_h5_dataset(master, path + 1);
    if (mask < 0) {
        broken(place, path, "it is not there");
        return;
    }
    hid_t space = H5Dget_space(mask), type = H5Dget_type(mask);
    hid_t created = H5Dget_create_plist(mask);
    if (H5Sget_simple_extent_ndims(space) != 2 ||
        H5Sget_simple_extent_dims(space, extent, NULL) != 2 || extent[0] != channel->height ||
        extent[1] != channel->width)
        broken(place, path, "its size is not that of the images");
    if (!sluice_follow_h5_dtype(type, &dtype, &swapped) || dtype != SLUICE_U32 || swapped)
        broken(place, path, "its type is not uint32");
    if (H5Pget_layout(created) != H5D_CONTIGUOUS)
        broken(place, path, "it is not contiguous: XDS's reader cannot read it");
    H5Pclose(created);
    H5Tclose(type);
    H5Sclose(space);
    H5Dclose(mask);
}

void sluice_verify_master_rules(struct sluice_verify *verify, hid_t master, const char *path,
                                bool nxs, const struct sluice_follow_channel *channel)
{
    const struct place place = {.verify = verify, .path = path};
    struct walk walk = {.place = &place};
    int64_t bits = 0;
    walk_file(&walk, master);
    if (walk.entries != 1)
        broken(&place, NULL, "it has not exactly one NXentry");
    if (walk.data != 1)
        broken(&place, NULL, "it has not exactly one NXdata");
    if (walk.detectors != 1)
        broken(&place, NULL, "it has not exactly one NXdetector");
    if (!sluice_follow_h5_exists(master, "entry") ||
        !sluice_follow_h5_exists(master, "entry/definition"))
        broken(&place, "/entry/definition", "it is not there");
    check_names(&place, master, nxs);
    check_mask(&place, master, channel);
    if (!sluice_follow_h5_dataset_int(master, DETECTOR "/bit_depth_readout", &bits))
        broken(&place, "/" DETECTOR "/bit_depth_readout", "it is not there: dxtbx needs it");
    else if (channel->dtype == SLUICE_U32 && bits != 32)
        broken(&place, "/" DETECTOR "/bit_depth_readout",
               "it is not 32, but the images are uint32");
    H5Eclear2(H5E_DEFAULT);
}
