/* SPDX-License-Identifier: Apache-2.0
 *
 * Handles of one data file; its rows are in rows.c, its pixels in pixels.c.
 *
 * Each dataset is opened once, also where a group has two names for it. Other datasets than the key
 * are refreshed only after a look that found rows, each once, and only when someone asks for what
 * is in them. Our images lie below /entry/data; other writers have them elsewhere: the first group
 * that holds a stack of planes is taken, known places before a search. */
#include "readers/follow/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "readers/follow/driver.h"

#define LINKS_MAX 4096

static void close_dataset(hid_t *dataset)
{
    if (*dataset > 0)
        H5Dclose(*dataset);
    *dataset = -1;
}

void sluice_file_release(struct sluice_follow_file *file)
{
    if (!file->is_open)
        return;
    close_dataset(&file->key);
    close_dataset(&file->status);
    close_dataset(&file->arrival);
    close_dataset(&file->finished);
    sluice_file_close_columns(file);
    for (uint32_t i = 0; i < file->channel_count; i++) {
        close_dataset(&file->channels[i].images);
        close_dataset(&file->channels[i].checksum);
        sluice_virtual_close(file->channels[i].virtual_of);
        file->channels[i].virtual_of = NULL;
    }
    if (file->file > 0)
        H5Fclose(file->file);
    file->file = -1;
    file->fed = NULL;
    file->channel_count = 0;
    file->is_open = false;
}

void sluice_file_close(struct sluice_follow_file *file)
{
    sluice_file_release(file);
    free(file->path);
    free(file->given);
    free(file->fresh);
    memset(file, 0, sizeof(*file));
}

static void open_checksum(hid_t group, const char *dataset, struct sluice_file_channel *channel)
{
    char name[SLUICE_NAME_BYTES + 16];
    snprintf(name, sizeof(name), "checksum_%s", dataset);
    channel->checksum = sluice_follow_h5_dataset(group, name);
    if (channel->checksum < 0 && strcmp(dataset, "data") == 0)
        channel->checksum = sluice_follow_h5_dataset(group, "checksum");
}

/* Puts the channel where the set has it; the first file makes the order. */
static bool place_channel(struct sluice_follow_file *file, struct sluice_follow_channel *channels,
                          uint32_t known, const struct sluice_follow_channel *shape,
                          const struct sluice_file_channel *channel)
{
    if (known == 0) {
        if (file->channel_count == SLUICE_PLANES_MAX)
            return false;
        channels[file->channel_count] = *shape;
        file->channels[file->channel_count++] = *channel;
        return true;
    }
    for (uint32_t i = 0; i < known; i++) {
        if (strcmp(channels[i].dataset, shape->dataset) != 0)
            continue;
        if (channels[i].width != shape->width || channels[i].height != shape->height ||
            channels[i].dtype != shape->dtype || file->channels[i].images > 0)
            return false;
        file->channels[i] = *channel;
        return true;
    }
    return false;
}

/* A name that leads to a dataset of this file which is not among the `seen`. */
static hid_t open_new(hid_t group, const char *name, haddr_t *seen, size_t *seen_count)
{
    H5L_info_t link;
    haddr_t address;
    if (H5Lget_info(group, name, &link, H5P_DEFAULT) < 0 ||
        (link.type != H5L_TYPE_HARD && link.type != H5L_TYPE_SOFT) ||
        (link.type == H5L_TYPE_SOFT && !sluice_follow_h5_exists(group, name)))
        return H5I_INVALID_HID;
    hid_t images = H5Dopen2(group, name, H5P_DEFAULT);
    if (images < 0 || !sluice_follow_h5_address(images, &address))
        return images;
    for (size_t i = 0; i < *seen_count; i++) {
        if (seen[i] == address) {
            H5Dclose(images);
            return H5I_INVALID_HID;
        }
    }
    if (*seen_count < SLUICE_PLANES_MAX)
        seen[(*seen_count)++] = address;
    return images;
}

/* Adds the images below `group` as channels; *found of them. */
static enum sluice_status open_channels(struct sluice_follow_file *file, hid_t group,
                                        struct sluice_follow_channel *channels, uint32_t known,
                                        uint32_t *found, struct sluice_error *error)
{
    H5G_info_t info;
    haddr_t seen[SLUICE_PLANES_MAX];
    size_t seen_count = 0;
    *found = 0;
    if (H5Gget_info(group, &info) < 0)
        return sluice_follow_h5_error(error, SLUICE_IO, "cannot list %s", file->path);
    file->channel_count = known;
    for (hsize_t i = 0; i < info.nlinks && i < LINKS_MAX; i++) {
        char name[SLUICE_NAME_BYTES];
        ssize_t name_bytes = H5Lget_name_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, i, name,
                                                sizeof(name), H5P_DEFAULT);
        if (name_bytes <= 0 || (size_t)name_bytes >= sizeof(name))
            continue;
        hid_t images = open_new(group, name, seen, &seen_count);
        if (images < 0)
            continue;
        struct sluice_follow_channel shape;
        struct sluice_file_channel channel;
        if (!sluice_file_channel_read(images, file->path, name, &channel, &shape)) {
            H5Dclose(images);
            seen_count -= seen_count > 0;
            continue;
        }
        channel.images = sluice_file_channel_cached(group, name, images, &channel, &shape);
        if (channel.images < 0)
            return sluice_follow_h5_error(error, SLUICE_IO, "%s: cannot open %s", file->path, name);
        open_checksum(group, name, &channel);
        if (!place_channel(file, channels, known, &shape, &channel)) {
            close_dataset(&channel.checksum);
            close_dataset(&channel.images);
            sluice_virtual_close(channel.virtual_of);
            return sluice_error_set(error, SLUICE_MISMATCH,
                                    "%s: /%s/%s does not fit the files before it", file->path,
                                    file->group, name);
        }
        ++*found;
    }
    return SLUICE_OK;
}

/* The group of the first stack of planes that a walk over the file meets. */
static herr_t visit_object(hid_t root, const char *name, const H5O_info_t *info, void *data)
{
    char *group = data;
    struct sluice_file_channel channel;
    struct sluice_follow_channel shape;
    if (info->type != H5O_TYPE_DATASET || strlen(name) >= SLUICE_NAME_BYTES)
        return 0;
    hid_t images = H5Dopen2(root, name, H5P_DEFAULT);
    if (images < 0)
        return 0;
    hid_t space = H5Dget_space(images);
    bool stack = H5Sget_simple_extent_ndims(space) == 3 &&
                 sluice_file_channel_read(images, "", name, &channel, &shape);
    H5Sclose(space);
    H5Dclose(images);
    if (!stack)
        return 0;
    sluice_virtual_close(channel.virtual_of);
    const char *slash = strrchr(name, '/');
    snprintf(group, SLUICE_NAME_BYTES, "%.*s", slash ? (int)(slash - name) : 1, slash ? name : "/");
    return 1;
}

static enum sluice_status open_group(struct sluice_follow_file *file,
                                     struct sluice_follow_channel *channels, uint32_t known,
                                     hid_t *group, struct sluice_error *error)
{
    static const char *const places[] = {"entry/data", "entry/instrument/detector", "/", NULL};
    uint32_t found = 0;
    bool searched = false;
    for (size_t i = 0; !searched; i++) {
        searched = !places[i];
        snprintf(file->group, sizeof(file->group), "%s", searched ? "" : places[i]);
        if (searched && H5Ovisit2(file->file, H5_INDEX_NAME, H5_ITER_INC, visit_object, file->group,
                                  H5O_INFO_BASIC) <= 0)
            break;
        *group = H5Gopen2(file->file, file->group, H5P_DEFAULT);
        if (*group < 0)
            continue;
        enum sluice_status status = open_channels(file, *group, channels, known, &found, error);
        if (status != SLUICE_OK)
            return status;
        if (found > 0)
            break;
        H5Gclose(*group);
        *group = H5I_INVALID_HID;
    }
    H5Eclear2(H5E_DEFAULT);
    if (found == 0)
        return sluice_error_set(error, SLUICE_MISMATCH, "%s holds no images [n, y, x]", file->path);
    if (known && found != known)
        return sluice_error_set(error, SLUICE_MISMATCH,
                                "%s has %u image datasets, the files before it have %u", file->path,
                                found, known);
    return SLUICE_OK;
}

static void open_columns(struct sluice_follow_file *file, hid_t group)
{
    file->key = sluice_follow_h5_dataset(group, sluice_column_info(SLUICE_COLUMN_IMAGE_ID)->name);
    file->status =
        sluice_follow_h5_dataset(group, sluice_column_info(SLUICE_COLUMN_FRAME_STATUS)->name);
    file->arrival =
        sluice_follow_h5_dataset(group, sluice_column_info(SLUICE_COLUMN_ARRIVAL_TIME)->name);
    file->finished = sluice_follow_h5_dataset(file->file, "entry/finished");
    file->has_key = file->key >= 0;
    file->has_checksum = file->channels[0].checksum >= 0;
    int64_t first;
    if (!file->base_known &&
        sluice_follow_h5_attribute_int(file->channels[0].images, "image_nr_low", &first) &&
        first >= 1) {
        file->base = (uint64_t)first - 1;
        file->base_known = true;
    }
}

static enum sluice_status open_parts(struct sluice_follow_file *file,
                                     struct sluice_follow_channel *channels, uint32_t *known,
                                     struct sluice_error *error)
{
    hid_t group = H5I_INVALID_HID;
    enum sluice_status status = open_group(file, channels, *known, &group, error);
    if (status == SLUICE_OK) {
        *known = file->channel_count;
        open_columns(file, group);
    }
    if (group >= 0)
        H5Gclose(group);
    return status;
}

enum sluice_status sluice_file_open(struct sluice_follow_file *file,
                                    struct sluice_follow_channel *channels, uint32_t *channel_count,
                                    struct sluice_error *error)
{
    enum sluice_h5_flag flag = sluice_follow_h5_flag(file->path);
    if (flag == SLUICE_H5_CREATED || flag == SLUICE_H5_MISSING)
        return sluice_error_set(error, SLUICE_AGAIN,
                                "%s is not open for SWMR reading: its writer has not started, or "
                                "died before it did",
                                file->path);
    file->live = flag == SLUICE_H5_WRITING;
    file->key = file->status = file->arrival = file->finished = -1;
    for (uint32_t i = 0; i < SLUICE_PLANES_MAX; i++)
        file->channels[i] = (struct sluice_file_channel){.images = -1, .checksum = -1};
    file->file = sluice_follow_h5_open(file->path, file->live);
    if (file->file < 0) /* the writer may be closing it */
        return sluice_follow_h5_error(error, SLUICE_AGAIN, "cannot open %s", file->path);
    file->is_open = true;
    file->fed = file->live ? sluice_follow_driver_fed(file->file) : NULL;
    file->flushes_seen = UINT64_MAX;
    enum sluice_status status = open_parts(file, channels, channel_count, error);
    H5Eclear2(H5E_DEFAULT);
    if (status != SLUICE_OK)
        sluice_file_release(file);
    return status;
}

bool sluice_file_refresh(const struct sluice_follow_file *file, hid_t dataset)
{
    return !file->live || H5Drefresh(dataset) >= 0;
}

bool sluice_file_refresh_once(const struct sluice_follow_file *file, hid_t dataset, uint64_t *seen)
{
    if (*seen == file->looks)
        return true;
    if (!sluice_file_refresh(file, dataset))
        return false;
    *seen = file->looks;
    return true;
}
