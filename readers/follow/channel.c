/* SPDX-License-Identifier: Apache-2.0
 *
 * What one image dataset is: shape, pixel type, and how its pixels are reached. The short way is
 * one chunk an image in an encoding of ours: the stored bytes are read and decoded here. Anything
 * else (several images or parts of one in a chunk, other filters, contiguous, virtual, big-endian)
 * goes through H5Dread; `indirect` says why. */
#include <stdio.h>
#include <string.h>

#include "readers/follow/file.h"

#define CACHE_BYTES_MAX   (UINT64_C(1) << 30)
#define CACHE_BYTES_OF_H5 (UINT64_C(1) << 20)
#define CACHE_SLOTS       4099

/* The first filter that HDF5 has neither built in nor as a plugin. */
static void find_missing_filter(hid_t created, char *missing, size_t bytes)
{
    for (int i = 0; i < H5Pget_nfilters(created); i++) {
        unsigned flags, config;
        size_t value_count = 0;
        char name[48] = "";
        H5Z_filter_t filter = H5Pget_filter2(created, (unsigned)i, &flags, &value_count, NULL,
                                             sizeof(name), name, &config);
        if (filter >= 0 && H5Zfilter_avail(filter) <= 0) {
            snprintf(missing, bytes, "its filter %d (%.32s) is not installed (HDF5_PLUGIN_PATH)",
                     (int)filter, name[0] ? name : "no name");
            return;
        }
    }
}

static void read_filters(hid_t created, struct sluice_file_channel *channel)
{
    unsigned flags, values[8] = {0}, config;
    size_t value_count = 8;
    char name[1];
    int count = H5Pget_nfilters(created);
    if (count == 0)
        return;
    H5Z_filter_t filter =
        H5Pget_filter2(created, 0, &flags, &value_count, values, 0, name, &config);
    bool bslz4 = filter == SLUICE_FILTER_BSLZ4 && value_count >= 5 && values[4] == 2;
    if (count > 1)
        channel->indirect = "it has several filters";
    else if (filter == SLUICE_FILTER_LZ4)
        channel->encoding = SLUICE_ENCODING_LZ4;
    else if (bslz4)
        channel->encoding = SLUICE_ENCODING_BSLZ4;
    else
        channel->indirect = "its filter is neither LZ4 nor bitshuffle with LZ4";
    if (filter == SLUICE_FILTER_BSLZ4 && !bslz4)
        snprintf(channel->missing, sizeof(channel->missing),
                 "bitshuffle without LZ4 (with zstd, or alone) cannot be read");
    else
        find_missing_filter(created, channel->missing, sizeof(channel->missing));
}

/* How the pixels are stored, and the ways to them. */
static void read_storage(hid_t images, const char *path, uint32_t width, uint32_t height,
                         struct sluice_file_channel *channel)
{
    hid_t created = H5Dget_create_plist(images);
    hsize_t *chunk = channel->chunk;
    H5D_layout_t layout = H5Pget_layout(created);
    channel->chunked = layout == H5D_CHUNKED;
    if (channel->chunked &&
        H5Pget_chunk(created, channel->rank, chunk + (3 - channel->rank)) != channel->rank)
        channel->chunked = false;
    if (channel->rank == 2)
        chunk[0] = 1;
    read_filters(created, channel);
    if (layout == H5D_VIRTUAL) {
        channel->indirect = "it is a virtual dataset";
        channel->virtual_of = sluice_virtual_open(images, path);
    } else if (!channel->chunked) {
        channel->indirect = "its images are not stored in chunks";
    } else if (channel->rank != 3 || chunk[0] != 1 || chunk[1] != height || chunk[2] != width) {
        channel->indirect = "a chunk is not one image";
    }
    H5Pclose(created);
}

bool sluice_file_channel_read(hid_t images, const char *path, const char *dataset,
                              struct sluice_file_channel *channel,
                              struct sluice_follow_channel *shape)
{
    memset(shape, 0, sizeof(*shape));
    *channel = (struct sluice_file_channel){.images = -1, .checksum = -1};
    hid_t space = H5Dget_space(images), type = H5Dget_type(images);
    hsize_t extent[3] = {1, 0, 0};
    bool swapped = false;
    channel->rank = H5Sget_simple_extent_ndims(space);
    bool ok = (channel->rank == 3 || (channel->rank == 2 && strcmp(dataset, "data") == 0)) &&
              H5Sget_simple_extent_dims(space, extent + (3 - channel->rank), NULL) > 0 &&
              sluice_follow_h5_dtype(type, &shape->dtype, &swapped);
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
    read_storage(images, path, shape->width, shape->height, channel);
    if (swapped)
        channel->indirect = "its numbers are big-endian";
    shape->encoding = channel->encoding;
    return true;
}

hid_t sluice_file_channel_cached(hid_t group, const char *dataset, hid_t images,
                                 const struct sluice_file_channel *channel,
                                 const struct sluice_follow_channel *shape)
{
    const hsize_t *chunk = channel->chunk;
    if (!channel->indirect || !channel->chunked || !chunk[0] || !chunk[1] || !chunk[2])
        return images;
    double tiles = (double)((shape->height + chunk[1] - 1) / chunk[1]) *
                   (double)((shape->width + chunk[2] - 1) / chunk[2]);
    double bytes = tiles * (double)chunk[0] * (double)chunk[1] * (double)chunk[2] *
                   (double)sluice_dtype_bytes(shape->dtype);
    if (bytes <= (double)CACHE_BYTES_OF_H5 || bytes > (double)CACHE_BYTES_MAX)
        return images;
    hid_t access = H5Pcreate(H5P_DATASET_ACCESS), cached = H5I_INVALID_HID;
    H5Dclose(images); /* a dataset is open once */
    if (access >= 0 && H5Pset_chunk_cache(access, CACHE_SLOTS, (size_t)bytes, 1.0) >= 0)
        cached = H5Dopen2(group, dataset, access);
    if (access >= 0)
        H5Pclose(access);
    return cached;
}
