/* SPDX-License-Identifier: Apache-2.0
 *
 * Chunks and pixels of one row. A chunk is read as it is stored; what its size may be follows from
 * the plane and not from the file. What is not stored as planes of ours is read by H5Dread, which
 * gives fill values for chunks that are not there: so those are asked for first. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "readers/follow/file.h"

#define CHUNK_TRIES 3

void sluice_file_buffers_close(struct sluice_file_buffers *buffers)
{
    free(buffers->chunk);
    sluice_codec_scratch_close(&buffers->scratch);
    *buffers = (struct sluice_file_buffers){0};
}

static bool read_chunk(hid_t images, uint64_t row, struct sluice_file_buffers *buffers,
                       size_t limit, hsize_t *bytes, uint32_t *filter_mask, bool *too_large)
{
    hsize_t offset[3] = {row, 0, 0};
    *bytes = 0;
    if (H5Dget_chunk_storage_size(images, offset, bytes) < 0 || *bytes == 0)
        return false;
    if (*bytes > limit) {
        *too_large = true;
        return false;
    }
    if (*bytes > buffers->capacity) {
        size_t larger = (size_t)*bytes + (size_t)*bytes / 4;
        uint8_t *grown = realloc(buffers->chunk, larger < limit ? larger : limit);
        if (!grown)
            return false;
        buffers->chunk = grown;
        buffers->capacity = larger < limit ? larger : limit;
    }
    return H5Dread_chunk(images, H5P_DEFAULT, offset, filter_mask, buffers->chunk) >= 0;
}

static enum sluice_status not_there(const struct sluice_follow_file *file, uint64_t row,
                                    struct sluice_error *error)
{
    if (file->key < 0)
        return sluice_error_set(error, SLUICE_NOT_FOUND, "no chunk: it was never written");
    return sluice_error_set(error, SLUICE_MALFORMED, "row %llu has its key but no chunk",
                            (unsigned long long)row);
}

enum sluice_status sluice_file_chunk(struct sluice_follow_file *file, uint64_t row,
                                     uint32_t channel, const struct sluice_follow_channel *shape,
                                     struct sluice_file_buffers *buffers, size_t *bytes,
                                     enum sluice_encoding *encoding, struct sluice_error *error)
{
    struct sluice_file_channel *c = &file->channels[channel];
    if (c->indirect)
        return sluice_error_set(error, SLUICE_UNSUPPORTED, "%s: /%s/%s: %s", file->path,
                                file->group, shape->dataset, c->indirect);
    size_t element_bytes = sluice_dtype_bytes(shape->dtype);
    size_t plane_bytes = (size_t)shape->width * shape->height * element_bytes;
    size_t limit = sluice_codec_payload_max(c->encoding, plane_bytes);
    hsize_t stored = 0;
    uint32_t filter_mask = 0;
    bool too_large = false, ok = false;
    for (int i = 0; i < CHUNK_TRIES && !ok && !too_large; i++) {
        ok = sluice_file_refresh_once(file, c->images, &c->images_seen) &&
             read_chunk(c->images, row, buffers, limit, &stored, &filter_mask, &too_large);
        if (!ok)
            c->images_seen = UINT64_MAX; /* refresh before the next try */
        if (!ok && !file->live)
            break;
    }
    if (too_large)
        return sluice_error_set(error, SLUICE_MALFORMED,
                                "the chunk of row %llu holds %llu bytes, more than its plane can "
                                "need",
                                (unsigned long long)row, (unsigned long long)stored);
    if (!ok && stored == 0) {
        H5Eclear2(H5E_DEFAULT);
        return not_there(file, row, error);
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
    bool ok = sluice_file_refresh_once(file, c->checksum, &c->checksum_seen) &&
              sluice_follow_h5_cells(c->checksum) > row &&
              sluice_follow_h5_read_cells(c->checksum, row, 1, H5T_NATIVE_UINT64, checksum);
    H5Eclear2(H5E_DEFAULT);
    return ok;
}

/* --- through HDF5 -------------------------------------------------------------------------- */

/* Counts the chunks that the row's pixels lie in, and those that are stored. */
static void count_chunks(const struct sluice_file_channel *c, uint64_t row,
                         const struct sluice_follow_channel *shape, uint64_t *all, uint64_t *there)
{
    *all = *there = 0;
    for (hsize_t y = 0; y < shape->height; y += c->chunk[1]) {
        for (hsize_t x = 0; x < shape->width; x += c->chunk[2]) {
            hsize_t offset[3] = {row / c->chunk[0] * c->chunk[0], y, x}, bytes = 0;
            ++*all;
            *there += H5Dget_chunk_storage_size(c->images, offset + (3 - c->rank), &bytes) >= 0 &&
                      bytes > 0;
        }
    }
    H5Eclear2(H5E_DEFAULT);
}

/* Whether the row's pixels are stored at all. */
static enum sluice_status check_stored(const struct sluice_follow_file *file, uint64_t row,
                                       const struct sluice_file_channel *c,
                                       const struct sluice_follow_channel *shape,
                                       struct sluice_error *error)
{
    H5D_space_status_t space;
    if (c->virtual_of)
        return sluice_virtual_row(c->virtual_of, row, error);
    if (!c->chunked) {
        if (H5Dget_space_status(c->images, &space) >= 0 && space == H5D_SPACE_STATUS_NOT_ALLOCATED)
            return not_there(file, row, error);
        return SLUICE_OK;
    }
    uint64_t all, there;
    count_chunks(c, row, shape, &all, &there);
    if (there == all)
        return SLUICE_OK;
    if (there == 0)
        return not_there(file, row, error);
    return sluice_error_set(error, SLUICE_MALFORMED, "%llu of its %llu chunks are not there",
                            (unsigned long long)(all - there), (unsigned long long)all);
}

static enum sluice_status read_row(const struct sluice_file_channel *c, uint64_t row,
                                   const struct sluice_follow_channel *shape, void *pixels,
                                   struct sluice_error *error)
{
    hsize_t start[3] = {row, 0, 0}, count[3] = {1, shape->height, shape->width};
    const int skip = 3 - c->rank;
    enum sluice_status status = SLUICE_OK;
    hid_t space = H5Dget_space(c->images);
    hid_t memory = H5Screate_simple(3, count, NULL);
    if (space < 0 || memory < 0 ||
        H5Sselect_hyperslab(space, H5S_SELECT_SET, start + skip, NULL, count + skip, NULL) < 0 ||
        H5Dread(c->images, sluice_follow_h5_memory_type(shape->dtype), memory, space, H5P_DEFAULT,
                pixels) < 0)
        status = sluice_follow_h5_error(error, SLUICE_MALFORMED, "row %llu cannot be read (%s)",
                                        (unsigned long long)row, c->indirect);
    if (memory >= 0)
        H5Sclose(memory);
    if (space >= 0)
        H5Sclose(space);
    return status;
}

static enum sluice_status read_indirect(struct sluice_follow_file *file, uint64_t row,
                                        uint32_t channel, const struct sluice_follow_channel *shape,
                                        void *pixels, struct sluice_error *error)
{
    struct sluice_file_channel *c = &file->channels[channel];
    if (c->missing[0])
        return sluice_error_set(error, SLUICE_UNSUPPORTED, "%s", c->missing);
    if (!c->chunked && !c->virtual_of && file->live)
        return sluice_error_set(error, SLUICE_UNSUPPORTED,
                                "contiguous images cannot be read while they are written");
    if (!sluice_file_refresh_once(file, c->images, &c->images_seen))
        return sluice_follow_h5_error(error, SLUICE_IO, "cannot refresh /%s/%s", file->group,
                                      shape->dataset);
    enum sluice_status status = check_stored(file, row, c, shape, error);
    return status == SLUICE_OK ? read_row(c, row, shape, pixels, error) : status;
}

enum sluice_status sluice_file_payload(struct sluice_follow_file *file, uint64_t row,
                                       uint32_t channel, const struct sluice_follow_channel *shape,
                                       struct sluice_file_buffers *buffers,
                                       struct sluice_span *payload, enum sluice_encoding *encoding,
                                       struct sluice_error *error)
{
    size_t bytes;
    enum sluice_status status =
        sluice_file_chunk(file, row, channel, shape, buffers, &bytes, encoding, error);
    if (status != SLUICE_OK)
        return status;
    *payload = (struct sluice_span){buffers->chunk, bytes};
    uint64_t expected, found;
    if (sluice_file_checksum(file, row, channel, &expected) &&
        (found = sluice_checksum(*payload)) != expected)
        return sluice_error_set(error, SLUICE_MALFORMED,
                                "checksum of the stored chunk is %016llx, its column says %016llx",
                                (unsigned long long)found, (unsigned long long)expected);
    return SLUICE_OK;
}

enum sluice_status sluice_follow_undecodable(struct sluice_span payload,
                                             enum sluice_encoding encoding,
                                             enum sluice_status status, struct sluice_error *error)
{
    return sluice_error_set(error, status, "the %s chunk of %zu bytes does not decode: %s",
                            sluice_encoding_name(encoding), payload.bytes,
                            sluice_status_text(status));
}

enum sluice_status sluice_file_pixels(struct sluice_follow_file *file, uint64_t row,
                                      uint32_t channel, const struct sluice_follow_channel *shape,
                                      void *pixels, struct sluice_file_buffers *buffers,
                                      struct sluice_error *error)
{
    if (file->channels[channel].indirect)
        return read_indirect(file, row, channel, shape, pixels, error);
    struct sluice_span chunk;
    enum sluice_encoding encoding;
    enum sluice_status status =
        sluice_file_payload(file, row, channel, shape, buffers, &chunk, &encoding, error);
    if (status != SLUICE_OK)
        return status;
    size_t element_bytes = sluice_dtype_bytes(shape->dtype);
    status = sluice_codec_decode(encoding, chunk, element_bytes, pixels,
                                 (size_t)shape->width * shape->height * element_bytes,
                                 &buffers->scratch);
    return status == SLUICE_OK ? status : sluice_follow_undecodable(chunk, encoding, status, error);
}
