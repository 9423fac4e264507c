/* SPDX-License-Identifier: Apache-2.0
 *
 * Handles and chunks of one data file; its rows are in rows.c.
 *
 * Each dataset is opened once. Other datasets than the key are refreshed only after a look that
 * found rows, each once, and only when someone asks for what is in them. Chunks are read as they
 * are stored; what their size may be follows from the plane and not from the file. */
#include "readers/follow/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/codec/codec.h"

#define CHUNK_TRIES 3

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
    for (uint32_t i = 0; i < file->channel_count; i++) {
        close_dataset(&file->channels[i].images);
        close_dataset(&file->channels[i].checksum);
    }
    if (file->file > 0)
        H5Fclose(file->file);
    file->file = -1;
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

/* What the dataset's chunks hold: one plane each, in an encoding that the codec knows. */
static void read_filter(hid_t images, uint32_t width, uint32_t height,
                        struct sluice_file_channel *channel)
{
    hid_t created = H5Dget_create_plist(images);
    hsize_t chunk[3] = {0};
    channel->encoding = SLUICE_ENCODING_NONE;
    channel->unreadable = NULL;
    if (H5Pget_layout(created) != H5D_CHUNKED || H5Pget_chunk(created, 3, chunk) != 3) {
        channel->unreadable = "its images are not stored in chunks";
    } else if (chunk[0] != 1 || chunk[1] != height || chunk[2] != width) {
        channel->unreadable = "a chunk is not one image";
    } else if (H5Pget_nfilters(created) > 1) {
        channel->unreadable = "it has several filters";
    } else if (H5Pget_nfilters(created) == 1) {
        unsigned flags, values[8] = {0}, config;
        size_t value_count = 8;
        char name[1];
        H5Z_filter_t filter =
            H5Pget_filter2(created, 0, &flags, &value_count, values, 0, name, &config);
        if (filter == SLUICE_FILTER_LZ4)
            channel->encoding = SLUICE_ENCODING_LZ4;
        else if (filter == SLUICE_FILTER_BSLZ4 && value_count >= 5 && values[4] == 2)
            channel->encoding = SLUICE_ENCODING_BSLZ4;
        else
            channel->unreadable = "its filter is neither LZ4 nor bitshuffle with LZ4";
    }
    H5Pclose(created);
}

/* Fills `shape` and `channel` when `images` (taken) is a stack of planes; false when it is not. */
static bool read_channel(hid_t images, const char *dataset, struct sluice_file_channel *channel,
                         struct sluice_follow_channel *shape)
{
    memset(shape, 0, sizeof(*shape));
    hid_t space = H5Dget_space(images), type = H5Dget_type(images);
    hsize_t extent[3] = {0};
    bool ok = H5Sget_simple_extent_ndims(space) == 3 &&
              H5Sget_simple_extent_dims(space, extent, NULL) == 3 &&
              sluice_follow_h5_dtype(type, &shape->dtype);
    H5Tclose(type);
    H5Sclose(space);
    if (!ok || extent[1] == 0 || extent[2] == 0 || extent[1] > SLUICE_FOLLOW_PIXELS_MAX ||
        extent[2] > SLUICE_FOLLOW_PIXELS_MAX || extent[1] * extent[2] > SLUICE_FOLLOW_PIXELS_MAX ||
        extent[1] * extent[2] * sluice_dtype_bytes(shape->dtype) > SLUICE_FOLLOW_PLANE_BYTES_MAX)
        return false;
    shape->height = (uint32_t)extent[1];
    shape->width = (uint32_t)extent[2];
    memcpy(shape->dataset, dataset, strnlen(dataset, sizeof(shape->dataset) - 1));
    if (!sluice_follow_h5_attribute_text(images, "channel", shape->name, sizeof(shape->name)))
        memcpy(shape->name, shape->dataset, sizeof(shape->name));
    read_filter(images, shape->width, shape->height, channel);
    shape->encoding = channel->encoding;
    channel->images = images;
    return true;
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

static enum sluice_status open_channels(struct sluice_follow_file *file, hid_t group,
                                        struct sluice_follow_channel *channels, uint32_t known,
                                        struct sluice_error *error)
{
    H5G_info_t info;
    uint32_t found = 0;
    if (H5Gget_info(group, &info) < 0)
        return sluice_follow_h5_error(error, SLUICE_IO, "cannot list %s", file->path);
    file->channel_count = known;
    for (hsize_t i = 0; i < info.nlinks && i < 4096; i++) {
        char name[SLUICE_NAME_BYTES];
        ssize_t name_bytes = H5Lget_name_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, i, name,
                                                sizeof(name), H5P_DEFAULT);
        H5L_info_t link;
        if (name_bytes <= 0 || (size_t)name_bytes >= sizeof(name) ||
            H5Lget_info(group, name, &link, H5P_DEFAULT) < 0 || link.type != H5L_TYPE_HARD)
            continue;
        hid_t images = H5Dopen2(group, name, H5P_DEFAULT);
        if (images < 0)
            continue;
        struct sluice_follow_channel shape;
        struct sluice_file_channel channel = {.images = -1, .checksum = -1};
        if (!read_channel(images, name, &channel, &shape)) {
            H5Dclose(images);
            continue;
        }
        open_checksum(group, name, &channel);
        if (!place_channel(file, channels, known, &shape, &channel)) {
            close_dataset(&channel.checksum);
            H5Dclose(images);
            return sluice_error_set(error, SLUICE_MISMATCH,
                                    "%s: /entry/data/%s does not fit the files before it",
                                    file->path, name);
        }
        found++;
    }
    if (found == 0 || (known && found != known))
        return sluice_error_set(error, SLUICE_MISMATCH,
                                "%s: %u image datasets [n, y, x] below /entry/data, expected %s",
                                file->path, found, known ? "those of the first file" : "some");
    return SLUICE_OK;
}

static enum sluice_status open_parts(struct sluice_follow_file *file,
                                     struct sluice_follow_channel *channels, uint32_t *known,
                                     struct sluice_error *error)
{
    hid_t group = -1;
    if (sluice_follow_h5_exists(file->file, "entry") &&
        sluice_follow_h5_exists(file->file, "entry/data"))
        group = H5Gopen2(file->file, "entry/data", H5P_DEFAULT);
    if (group < 0)
        return sluice_follow_h5_error(error, SLUICE_MISMATCH, "%s has no group /entry/data",
                                      file->path);
    enum sluice_status status = open_channels(file, group, channels, *known, error);
    if (status == SLUICE_OK) {
        *known = file->channel_count;
        file->key =
            sluice_follow_h5_dataset(group, sluice_column_info(SLUICE_COLUMN_IMAGE_ID)->name);
        file->status =
            sluice_follow_h5_dataset(group, sluice_column_info(SLUICE_COLUMN_FRAME_STATUS)->name);
        file->arrival =
            sluice_follow_h5_dataset(group, sluice_column_info(SLUICE_COLUMN_ARRIVAL_TIME)->name);
        file->finished = sluice_follow_h5_dataset(file->file, "entry/finished");
        int64_t first;
        if (!file->base_known &&
            sluice_follow_h5_attribute_int(file->channels[0].images, "image_nr_low", &first) &&
            first >= 1) {
            file->base = (uint64_t)first - 1;
            file->base_known = true;
        }
    }
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

static bool refresh_once(struct sluice_follow_file *file, hid_t dataset, uint64_t *seen)
{
    if (*seen == file->looks)
        return true;
    if (!sluice_file_refresh(file, dataset))
        return false;
    *seen = file->looks;
    return true;
}

static bool read_chunk(hid_t images, uint64_t row, uint8_t **buffer, size_t *capacity, size_t limit,
                       hsize_t *bytes, uint32_t *filter_mask, bool *too_large)
{
    hsize_t offset[3] = {row, 0, 0};
    *bytes = 0;
    if (H5Dget_chunk_storage_size(images, offset, bytes) < 0 || *bytes == 0)
        return false;
    if (*bytes > limit) {
        *too_large = true;
        return false;
    }
    if (*bytes > *capacity) {
        size_t larger = (size_t)*bytes + (size_t)*bytes / 4;
        uint8_t *grown = realloc(*buffer, larger < limit ? larger : limit);
        if (!grown)
            return false;
        *buffer = grown;
        *capacity = larger < limit ? larger : limit;
    }
    return H5Dread_chunk(images, H5P_DEFAULT, offset, filter_mask, *buffer) >= 0;
}

enum sluice_status sluice_file_chunk(struct sluice_follow_file *file, uint64_t row,
                                     uint32_t channel, const struct sluice_follow_channel *shape,
                                     uint8_t **buffer, size_t *capacity, size_t *bytes,
                                     enum sluice_encoding *encoding, struct sluice_error *error)
{
    struct sluice_file_channel *c = &file->channels[channel];
    if (c->unreadable)
        return sluice_error_set(error, SLUICE_UNSUPPORTED, "%s: /entry/data/%s: %s", file->path,
                                shape->dataset, c->unreadable);
    size_t element_bytes = sluice_dtype_bytes(shape->dtype);
    size_t plane_bytes = (size_t)shape->width * shape->height * element_bytes;
    size_t limit = sluice_codec_payload_max(c->encoding, plane_bytes);
    hsize_t stored = 0;
    uint32_t filter_mask = 0;
    bool too_large = false, ok = false;
    for (int i = 0; i < CHUNK_TRIES && !ok && !too_large; i++) {
        ok = refresh_once(file, c->images, &c->images_seen) &&
             read_chunk(c->images, row, buffer, capacity, limit, &stored, &filter_mask, &too_large);
        if (!ok)
            c->images_seen = UINT64_MAX; /* refresh before the next try */
    }
    if (too_large)
        return sluice_error_set(error, SLUICE_MALFORMED,
                                "the chunk of row %llu holds %llu bytes, more than its plane can "
                                "need",
                                (unsigned long long)row, (unsigned long long)stored);
    if (!ok && stored == 0) {
        H5Eclear2(H5E_DEFAULT);
        return sluice_error_set(error, SLUICE_MALFORMED, "row %llu has its key but no chunk",
                                (unsigned long long)row);
    }
    if (!ok)
        return sluice_follow_h5_error(error, SLUICE_IO, "cannot read the chunk of row %llu",
                                      (unsigned long long)row);
    *bytes = (size_t)stored;
    *encoding = filter_mask & 1 ? SLUICE_ENCODING_NONE : c->encoding;
    return SLUICE_OK;
}

bool sluice_file_checksum(struct sluice_follow_file *file, uint64_t row, uint32_t channel,
                          uint64_t *checksum)
{
    struct sluice_file_channel *c = &file->channels[channel];
    if (c->checksum < 0)
        return false;
    bool ok = refresh_once(file, c->checksum, &c->checksum_seen) &&
              sluice_follow_h5_cells(c->checksum) > row &&
              sluice_follow_h5_read_cells(c->checksum, row, 1, H5T_NATIVE_UINT64, checksum);
    H5Eclear2(H5E_DEFAULT);
    return ok;
}
