/* SPDX-License-Identifier: Apache-2.0
 *
 * One data file: which images it says it has, and whether their chunks are what was written.
 *
 * DESIGN. The key column is read first and everything else refreshed after it, as any reader does:
 * so a file that is growing is judged by what is visible, and nothing beyond. Rows are gone through
 * in blocks of keys. A row is there when its key is its image number + 1; in a file that was closed
 * every other row has to be marked as lost or refused and to have no chunk. Files without keys have
 * their rows taken as images, and a chunk that is not there is a fault: nothing says that it may be
 * missing. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "readers/verify/internal.h"

#define BLOCK_ROWS 4096u

/* What the functions below pass along. */
struct data {
    struct sluice_verify *verify;
    struct sluice_follow_file *file;
    struct sluice_verify_file *facts;
    uint64_t lost_from, lost_end; /* a range of lost images not said yet; empty: none */
    uint64_t visible;
};

static void dataset_path(const struct data *data, uint32_t channel, char *path, size_t bytes)
{
    const char *group = data->file->group;
    int length =
        snprintf(path, bytes, "/%s%s%s", strcmp(group, "/") == 0 ? "" : group,
                 strcmp(group, "/") == 0 ? "" : "/", data->verify->channels[channel].dataset);
    if (length < 0 || (size_t)length >= bytes)
        path[bytes - 1] = 0;
}

static void say_plane(const struct data *data, uint32_t channel, uint64_t row,
                      enum sluice_finding_kind kind, const char *text)
{
    char path[2 * SLUICE_NAME_BYTES + 4];
    uint64_t image = data->facts->base + row;
    dataset_path(data, channel, path, sizeof(path));
    sluice_verify_say(data->verify, kind, data->file->path, path, &image, "%s", text);
}

/* The stored chunk against its checksum, and decoded. */
static void check_chunk(struct data *data, uint64_t row, uint32_t channel)
{
    struct sluice_verify *verify = data->verify;
    const struct sluice_follow_channel *shape = &verify->channels[channel];
    struct sluice_error why = {0};
    enum sluice_encoding encoding;
    size_t bytes = 0, element_bytes = sluice_dtype_bytes(shape->dtype);
    enum sluice_status status = sluice_file_chunk(data->file, row, channel, shape, &verify->buffers,
                                                  &bytes, &encoding, &why);
    if (status != SLUICE_OK) {
        say_plane(data, channel, row,
                  status == SLUICE_NOT_FOUND ? SLUICE_FINDING_GAP : SLUICE_FINDING_CHUNK,
                  why.message);
        return;
    }
    struct sluice_span chunk = {verify->buffers.chunk, bytes};
    uint64_t expected, found = 0;
    bool differs = false;
    if (sluice_file_checksum(data->file, row, channel, &expected)) {
        found = sluice_checksum(chunk);
        differs = found != expected;
        verify->totals->checksums++;
    }
    status = sluice_codec_decode(encoding, chunk, element_bytes, verify->pixels,
                                 (size_t)shape->width * shape->height * element_bytes,
                                 &verify->buffers.scratch);
    char text[200];
    if (differs) {
        snprintf(text, sizeof(text),
                 "checksum of the stored chunk is %016llx, its column says %016llx; it %s",
                 (unsigned long long)found, (unsigned long long)expected,
                 status == SLUICE_OK ? "decodes" : "does not decode");
        say_plane(data, channel, row, SLUICE_FINDING_CHECKSUM, text);
    } else if (status != SLUICE_OK) {
        snprintf(text, sizeof(text), "the %s chunk of %zu bytes does not decode to an image: %s",
                 sluice_encoding_name(encoding), bytes, sluice_status_text(status));
        say_plane(data, channel, row, SLUICE_FINDING_CHUNK, text);
    }
    verify->totals->planes++;
    verify->totals->bytes += bytes;
    verify->bytes_done += bytes;
}

/* The same where a chunk is not a plane: HDF5 reads and decodes it. */
static void check_pixels(struct data *data, uint64_t row, uint32_t channel)
{
    struct sluice_verify *verify = data->verify;
    const struct sluice_follow_channel *shape = &verify->channels[channel];
    struct sluice_error why = {0};
    enum sluice_status status =
        sluice_file_pixels(data->file, row, channel, shape, verify->pixels, &verify->buffers, &why);
    size_t bytes = (size_t)shape->width * shape->height * sluice_dtype_bytes(shape->dtype);
    verify->totals->planes++;
    verify->totals->bytes += bytes;
    verify->bytes_done += bytes;
    if (status == SLUICE_OK)
        return;
    if (data->file->channels[channel].virtual_of && status == SLUICE_IO)
        return; /* said of the mapping, once */
    say_plane(data, channel, row,
              status == SLUICE_NOT_FOUND ? SLUICE_FINDING_GAP : SLUICE_FINDING_CHUNK, why.message);
}

static void check_image(struct data *data, uint64_t row)
{
    struct sluice_verify *verify = data->verify;
    data->visible++;
    verify->totals->images++;
    if (verify->settings->without_pixels)
        return;
    for (uint32_t i = 0; i < verify->channel_count; i++) {
        const struct sluice_file_channel *channel = &data->file->channels[i];
        if (channel->missing[0])
            continue; /* said of the dataset, once */
        if (channel->indirect)
            check_pixels(data, row, i);
        else
            check_chunk(data, row, i);
    }
    if (verify->settings->progress)
        verify->settings->progress(verify->settings->context, verify->bytes_done,
                                   verify->bytes_total);
}

static void say_lost_range(struct data *data)
{
    uint64_t from = data->lost_from, end = data->lost_end;
    if (from == end)
        return;
    data->verify->totals->lost += end - from;
    if (end - from == 1)
        sluice_verify_say(data->verify, SLUICE_FINDING_LOST, data->file->path, NULL, &from,
                          "lost, and marked so");
    else
        sluice_verify_say(data->verify, SLUICE_FINDING_LOST, data->file->path, NULL, NULL,
                          "images %llu to %llu are lost, and marked so", (unsigned long long)from,
                          (unsigned long long)end - 1);
    data->lost_from = data->lost_end = 0;
}

static void add_lost(struct data *data, uint64_t image)
{
    if (data->lost_end != image || data->lost_from == data->lost_end) {
        say_lost_range(data);
        data->lost_from = image;
    }
    data->lost_end = image + 1;
}

/* A row without a key, in a file that was closed. */
static void check_gap(struct data *data, uint64_t row, uint8_t state)
{
    uint64_t image = data->facts->base + row;
    if (state != SLUICE_ROW_LOST && state != SLUICE_ROW_REFUSED) {
        sluice_verify_say(data->verify, SLUICE_FINDING_GAP, data->file->path,
                          "/entry/data/frame_status", &image,
                          "the image has no key, but frame_status %u says neither lost (2) nor "
                          "refused (3)",
                          state);
        return;
    }
    for (uint32_t i = 0; i < data->verify->channel_count; i++) {
        hsize_t offset[3] = {row, 0, 0}, bytes = 0;
        const struct sluice_file_channel *channel = &data->file->channels[i];
        if (!channel->indirect && H5Dget_chunk_storage_size(channel->images, offset, &bytes) >= 0 &&
            bytes > 0)
            say_plane(data, i, row, SLUICE_FINDING_GAP,
                      "it is marked as lost, but has a chunk: it does not read as the fill value");
    }
    H5Eclear2(H5E_DEFAULT);
    add_lost(data, image);
}

static void check_row(struct data *data, uint64_t row, uint64_t key, uint8_t state)
{
    uint64_t image = data->facts->base + row;
    if (key == image + 1) {
        if (data->file->status >= 0 && state != SLUICE_ROW_WRITTEN)
            sluice_verify_say(data->verify, SLUICE_FINDING_KEY, data->file->path,
                              "/entry/data/frame_status", &image,
                              "the key says that it is written, frame_status is %u", state);
        check_image(data, row);
    } else if (key != 0) {
        sluice_verify_say(
            data->verify, SLUICE_FINDING_KEY, data->file->path, "/entry/data/image_id", &image,
            "the key of row %llu is %llu, it has to be %llu or 0", (unsigned long long)row,
            (unsigned long long)key, (unsigned long long)image + 1);
    } else if (!data->file->live) {
        check_gap(data, row, state);
    }
}

static void read_cells(hid_t column, uint64_t first, uint64_t count, hid_t type, void *cells,
                       size_t cell_bytes)
{
    memset(cells, 0, count * cell_bytes);
    uint64_t have = column >= 0 ? sluice_follow_h5_cells(column) : 0;
    if (have > first)
        sluice_follow_h5_read_cells(column, first, have - first < count ? have - first : count,
                                    type, cells);
}

static void check_rows(struct data *data)
{
    struct sluice_follow_file *file = data->file;
    uint64_t keys[BLOCK_ROWS];
    uint8_t states[BLOCK_ROWS];
    for (uint64_t first = 0; first < data->facts->rows; first += BLOCK_ROWS) {
        uint64_t left = data->facts->rows - first, count = left < BLOCK_ROWS ? left : BLOCK_ROWS;
        if (file->key >= 0) {
            read_cells(file->key, first, count, H5T_NATIVE_UINT64, keys, sizeof(keys[0]));
            if (first == 0 && file->status >= 0)
                sluice_file_refresh(file, file->status);
            read_cells(file->status, first, count, H5T_NATIVE_UINT8, states, sizeof(states[0]));
        }
        for (uint64_t i = 0; i < count && !sluice_verify_stopped(data->verify); i++) {
            if (file->key >= 0)
                check_row(data, first + i, keys[i], states[i]);
            else
                check_image(data, first + i);
        }
    }
    say_lost_range(data);
}

/* Extent of the key, or the shortest of the images. */
static uint64_t count_rows(const struct sluice_follow_file *file)
{
    uint64_t rows = UINT64_MAX;
    if (file->key >= 0)
        return sluice_follow_h5_cells(file->key);
    for (uint32_t i = 0; i < file->channel_count; i++) {
        hsize_t extent[3] = {1, 0, 0};
        hid_t space = H5Dget_space(file->channels[i].images);
        if (file->channels[i].rank == 3)
            H5Sget_simple_extent_dims(space, extent, NULL);
        H5Sclose(space);
        rows = extent[0] < rows ? extent[0] : rows;
    }
    return rows;
}

static void say_missing_filters(const struct data *data)
{
    char path[2 * SLUICE_NAME_BYTES + 4];
    for (uint32_t i = 0; i < data->verify->channel_count; i++) {
        const struct sluice_file_channel *channel = &data->file->channels[i];
        dataset_path(data, i, path, sizeof(path));
        if (channel->missing[0])
            sluice_verify_say(data->verify, SLUICE_FINDING_CHUNK, data->file->path, path, NULL,
                              "no image of it can be read: %s", channel->missing);
    }
}

/* Growing or abandoned. */
static void judge_live(struct data *data)
{
    char who[96];
    struct sluice_verify *verify = data->verify;
    data->facts->growing = sluice_verify_is_growing(data->file->path, who, sizeof(who));
    if (!data->facts->growing && sluice_follow_h5_flag(data->file->path) == SLUICE_H5_CLOSED) {
        snprintf(who, sizeof(who), "it was closed while it was looked at");
        data->facts->growing = true;
    }
    data->facts->abandoned = !data->facts->growing;
    verify->growing = verify->growing || data->facts->growing;
    verify->abandoned = verify->abandoned || data->facts->abandoned;
    if (data->facts->growing)
        sluice_verify_say(verify, SLUICE_FINDING_UNFINISHED, data->file->path, NULL, NULL,
                          "the series is unfinished (%s): %llu images are visible and were checked",
                          who, (unsigned long long)data->visible);
    else
        sluice_verify_say(verify, SLUICE_FINDING_ABANDONED, data->file->path, NULL, NULL,
                          "its writer died before closing it (%s): %llu images are visible and "
                          "were checked; plain opens are refused until it is recovered",
                          who, (unsigned long long)data->visible);
}

/* A file that does not open, and why. */
static void say_unopened(struct sluice_verify *verify, const char *path,
                         const struct sluice_error *error)
{
    char who[96];
    struct stat file;
    long long bytes = stat(path, &file) == 0 ? (long long)file.st_size : -1;
    if (bytes < 0)
        sluice_verify_say(verify, SLUICE_FINDING_MISSING, path, NULL, NULL, "it is not there");
    else if (sluice_follow_h5_flag(path) != SLUICE_H5_CREATED)
        sluice_verify_say(verify, SLUICE_FINDING_OPEN, path, NULL, NULL, "%s (it has %lld bytes)",
                          error->message, bytes);
    else if (H5Fis_hdf5(path) <= 0)
        sluice_verify_say(verify, SLUICE_FINDING_OPEN, path, NULL, NULL,
                          "it is not an HDF5 file, or its beginning is damaged (%lld bytes)",
                          bytes);
    else if (sluice_verify_is_growing(path, who, sizeof(who)))
        sluice_verify_say(verify, SLUICE_FINDING_UNFINISHED, path, NULL, NULL,
                          "it is being written without SWMR (%s): nothing of it can be read yet",
                          who);
    else
        sluice_verify_say(verify, SLUICE_FINDING_ABANDONED, path, NULL, NULL,
                          "its writer died before closing it, and wrote without SWMR (%s)", who);
    H5Eclear2(H5E_DEFAULT);
}

static void check_open_file(struct data *data, uint64_t next_base)
{
    struct sluice_verify *verify = data->verify;
    struct sluice_follow_file *file = data->file;
    struct sluice_verify_file *facts = data->facts;
    size_t plane_bytes = 1;
    facts->opened = true;
    facts->ours = file->key >= 0 && file->status >= 0 && file->finished >= 0;
    facts->rows = count_rows(file);
    facts->base = file->base_known ? file->base : next_base;
    verify->ours = verify->ours || facts->ours;
    verify->lacks |= file->has_key ? 0 : SLUICE_LACK_IMAGE_ID;
    verify->lacks |= file->has_checksum ? 0 : SLUICE_LACK_CHECKSUM;
    verify->totals->data_files++;
    for (uint32_t i = 0; i < verify->channel_count; i++) {
        const struct sluice_follow_channel *c = &verify->channels[i];
        size_t bytes = (size_t)c->width * c->height * sluice_dtype_bytes(c->dtype);
        plane_bytes = bytes > plane_bytes ? bytes : plane_bytes;
    }
    if (!sluice_verify_reserve(verify, plane_bytes)) {
        sluice_verify_say(verify, SLUICE_FINDING_CHUNK, file->path, NULL, NULL,
                          "no memory for an image of %zu bytes", plane_bytes);
        return;
    }
    if (facts->rows > SLUICE_FOLLOW_ROWS_MAX) {
        sluice_verify_say(verify, SLUICE_FINDING_STRUCTURE, file->path, NULL, NULL,
                          "it claims to hold %llu images", (unsigned long long)facts->rows);
        return;
    }
    say_missing_filters(data);
    check_rows(data);
    if (file->live)
        judge_live(data);
    if (facts->ours)
        sluice_verify_data_rules(verify, file, facts);
}

/* What `sluice stats --running` made of a series (readers/images) may lie beside it. */
static bool is_made_of_a_series(const char *path)
{
    static const char *const needed[] = {"mean", "variance", "maximum", "image_count"};
    char group[SLUICE_NAME_BYTES], name[SLUICE_NAME_BYTES + 32] = "";
    hid_t file = sluice_follow_h5_open(path, false);
    hid_t entry = file < 0 ? file : H5Gopen2(file, "entry", H5P_DEFAULT);
    bool made = entry >= 0 &&
                sluice_follow_h5_attribute_text(entry, "default", group, sizeof(group)) &&
                sluice_follow_h5_exists(entry, "source") && sluice_follow_h5_exists(entry, group);
    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]) && made; i++) {
        snprintf(name, sizeof(name), "%s/%s", group, needed[i]);
        made = sluice_follow_h5_exists(entry, name);
    }
    if (entry >= 0)
        H5Gclose(entry);
    if (file >= 0)
        H5Fclose(file);
    H5Eclear2(H5E_DEFAULT);
    return made;
}

static void say_without_images(struct sluice_verify *verify, const char *path,
                               const struct sluice_error *error)
{
    verify->totals->data_files++;
    if (is_made_of_a_series(path))
        sluice_verify_say(verify, SLUICE_FINDING_NOT_CHECKED, path, NULL, NULL,
                          "it holds mean and variance over a series (sluice stats --running) and "
                          "none of its images: nothing is checked");
    else
        sluice_verify_say(verify, SLUICE_FINDING_STRUCTURE, path, NULL, NULL, "%s", error->message);
}

void sluice_verify_data(struct sluice_verify *verify, size_t index)
{
    struct sluice_set_file *named = &verify->set.files[index];
    struct sluice_follow_file file = {.path = named->path, .number = named->number};
    struct sluice_error error = {0};
    struct stat stated;
    uint64_t done = verify->bytes_done, next_base = 0;
    if (index > 0)
        next_base = verify->files[index - 1].base + verify->files[index - 1].rows;
    struct data data = {.verify = verify, .file = &file, .facts = &verify->files[index]};
    for (int i = 0; i < SLUICE_VERIFY_TRIES; i++) { /* its writer may be closing it */
        sluice_error_clear(&error);
        if (sluice_file_open(&file, verify->channels, &verify->channel_count, &error) !=
                SLUICE_AGAIN ||
            verify->set.state != SLUICE_SET_WRITING)
            break;
        sluice_verify_pause();
    }
    if (file.is_open) {
        check_open_file(&data, next_base);
    } else if (error.status == SLUICE_MISMATCH) {
        say_without_images(verify, file.path, &error);
    } else {
        say_unopened(verify, file.path, &error);
    }
    file.path = NULL; /* the set's */
    sluice_file_close(&file);
    if (stat(named->path, &stated) == 0)
        verify->bytes_done = done + (uint64_t)stated.st_size;
}
