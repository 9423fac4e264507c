/* SPDX-License-Identifier: Apache-2.0
 *
 * Creates a data file: all objects, attributes included, are made before SWMR starts, since nothing
 * can be created afterwards.
 *
 * The file is made under a name of its own and gets its path, which must be free, when SWMR has
 * started: so whoever finds it can open it, also after a kill at any moment. HDF5 truncates a file
 * that was made here before: so the reason of a refusal is an errno, and mode and group stand
 * before the first byte. The chunk cache is set on the file, because SWMR's start resets what was
 * set on a dataset. `finished` is allocated early: a cell that exists before SWMR starts can be
 * rewritten, while a contiguous one would read as 0. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/log.h"
#include "writer/append/pages.h"
#include "writer/driver/direct.h"
#include "writer/h5/h5.h"
#include "writer/layout/layout.h"
#include "writer/sink/datafile.h"

#define CHUNK_CACHE_SLOTS 127
#define CHUNK_CACHE_BYTES (512 * 1024)

/* `.BASE.<pid>` beside `path`. */
static enum sluice_status hidden_name(const char *path, char *hidden, size_t bytes,
                                      struct sluice_error *error)
{
    const char *base = sluice_layout_base_name(path);
    int length =
        snprintf(hidden, bytes, "%.*s.%s.%ld", (int)(base - path), path, base, (long)getpid());
    if (length < 0 || (size_t)length >= bytes)
        return sluice_error_set(error, SLUICE_LIMIT, "the path %s is too long", path);
    return SLUICE_OK;
}

/* Gives the file its path without ever replacing another. */
static enum sluice_status appear(const char *hidden, const char *path, struct sluice_error *error)
{
    if (renameat2(AT_FDCWD, hidden, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
        return SLUICE_OK;
    if (errno == EINVAL || errno == ENOSYS) { /* a file system that does not know it */
        if (link(hidden, path) == 0) {
            unlink(hidden);
            return SLUICE_OK;
        }
    }
    return sluice_error_errno(error, errno == EEXIST ? SLUICE_EXISTS : SLUICE_IO, errno,
                              "cannot create %s", path);
}

static enum sluice_status make_empty(const struct sluice_sink *sink, const char *path,
                                     struct sluice_error *error)
{
    int fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST && unlink(path) == 0) /* of a dead process with our number */
        fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0)
        return sluice_error_errno(error, SLUICE_IO, errno, "cannot create %s", path);
    enum sluice_status status = SLUICE_OK;
    if (sink->has_gid && fchown(fd, (uid_t)-1, sink->gid) != 0)
        status = sluice_error_errno(error, SLUICE_SYSTEM, errno, "cannot give %s to group %s", path,
                                    sink->settings->group);
    else if (fchmod(fd, sink->settings->mode) != 0)
        status = sluice_error_errno(error, SLUICE_SYSTEM, errno, "cannot set the mode of %s", path);
    close(fd);
    if (status != SLUICE_OK)
        unlink(path);
    return status;
}

/* ext4 (auto_da_alloc) begins to write a whole file back when it is closed after it was truncated
 * to nothing, as HDF5 just did: the writer would hand half a gigabyte to the disk at each close,
 * while images wait. Any close takes that mark away, and now there is nothing to write. */
static void forget_truncation(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0)
        close(fd);
}

static hid_t create_file(const struct sluice_sink *sink, const char *path, int *descriptor)
{
    void *handle = NULL;
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    hid_t file = H5I_INVALID_HID;
    if (access >= 0 && H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110) >= 0 &&
        H5Pset_cache(access, 0, CHUNK_CACHE_SLOTS, CHUNK_CACHE_BYTES, 0.75) >= 0 &&
        (sink->direct == NULL || sluice_direct_select(sink->direct, access) >= 0))
        file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    *descriptor = -1;
    if (file >= 0) {
        if (H5Fget_vfd_handle(file, H5P_DEFAULT, &handle) >= 0)
            *descriptor = *(const int *)handle;
        H5Pclose(access); /* on a failure it stays, so that the reason does */
        forget_truncation(path);
    }
    return file;
}

static herr_t set_filter(hid_t plist, enum sluice_encoding encoding, size_t element_bytes)
{
    /* What the stock bitshuffle filter stores: its version (0, 3), element size, default block
     * size, 2 for LZ4. With fewer values it fails to decode. */
    const unsigned bitshuffle[] = {0, 3, (unsigned)element_bytes, 0, 2};
    switch (encoding) {
    case SLUICE_ENCODING_BSLZ4:
        return H5Pset_filter(plist, SLUICE_FILTER_BSLZ4, H5Z_FLAG_OPTIONAL, 5, bitshuffle);
    case SLUICE_ENCODING_LZ4:
    case SLUICE_ENCODING_LZ4_BLOCK:
        return H5Pset_filter(plist, SLUICE_FILTER_LZ4, H5Z_FLAG_OPTIONAL, 0, NULL);
    case SLUICE_ENCODING_NONE:
        return 0;
    }
    return -1;
}

/* Finite maxdims, and never 1: readers of the field know neither an unlimited nor a single-chunk
 * index. */
static hid_t create_images(hid_t group, const struct sluice_file_channel *channel,
                           uint64_t capacity)
{
    hid_t type = sluice_h5_file_type(channel->dtype);
    hsize_t dims[3] = {0, channel->height, channel->width};
    hsize_t most[3] = {capacity > 1 ? capacity : 2, channel->height, channel->width};
    hsize_t chunk[3] = {1, channel->height, channel->width};
    hid_t space = H5Screate_simple(3, dims, most);
    hid_t plist = H5Pcreate(H5P_DATASET_CREATE);
    hid_t dataset = H5I_INVALID_HID;
    if (space >= 0 && plist >= 0 && H5Pset_chunk(plist, 3, chunk) >= 0 &&
        H5Pset_fill_value(plist, sluice_h5_memory_type(channel->dtype),
                          sluice_h5_fill_value(channel->dtype)) >= 0 &&
        H5Pset_alloc_time(plist, H5D_ALLOC_TIME_INCR) >= 0 &&
        H5Pset_fill_time(plist, H5D_FILL_TIME_IFSET) >= 0 &&
        H5Pset_obj_track_times(plist, false) >= 0 &&
        set_filter(plist, channel->encoding, sluice_dtype_bytes(channel->dtype)) >= 0)
        dataset = H5Dcreate2(group, channel->dataset, type, space, H5P_DEFAULT, plist, H5P_DEFAULT);
    if (dataset < 0)
        return dataset;
    H5Pclose(plist);
    H5Sclose(space);
    return dataset;
}

static enum sluice_status put_number(hid_t object, const char *name, uint64_t id,
                                     struct sluice_error *error)
{
    const int32_t number = sluice_datafile_image_number(id);
    return sluice_h5_attribute(object, name, SLUICE_I32, 0, &number, error);
}

static herr_t create_finished(hid_t entry, hid_t *dataset)
{
    const hsize_t one = 1;
    const int32_t no = 0;
    hid_t space = H5Screate_simple(1, &one, NULL);
    hid_t plist = H5Pcreate(H5P_DATASET_CREATE);
    if (space < 0 || plist < 0 || H5Pset_chunk(plist, 1, &one) < 0 ||
        H5Pset_alloc_time(plist, H5D_ALLOC_TIME_EARLY) < 0 ||
        H5Pset_obj_track_times(plist, false) < 0)
        return -1;
    *dataset = H5Dcreate2(entry, "finished", H5T_STD_I32LE, space, H5P_DEFAULT, plist, H5P_DEFAULT);
    if (*dataset < 0 ||
        H5Dwrite(*dataset, H5T_NATIVE_INT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, &no) < 0)
        return -1;
    H5Pclose(plist);
    H5Sclose(space);
    return 0;
}

static enum sluice_status create_channel(struct sluice_datafile *file,
                                         struct sluice_datafile_live *live, uint32_t index,
                                         const struct sluice_file_channel *channel, hid_t group,
                                         struct sluice_error *error)
{
    uint64_t first = file->index * file->capacity;
    hid_t images = create_images(group, channel, file->capacity);
    if (images < 0)
        return sluice_h5_error(error, SLUICE_IO, "cannot create dataset %s", channel->dataset);
    live->images[index] = images;
    live->encoding[index] = channel->encoding;
    live->height[index] = channel->height;
    live->width[index] = channel->width;
    enum sluice_status status = put_number(images, "image_nr_low", first, error);
    if (status == SLUICE_OK)
        status = put_number(images, "image_nr_high", first + file->capacity - 1, error);
    if (status == SLUICE_OK)
        status = sluice_h5_attribute_text(images, "channel", channel->name, error);
    return status;
}

static enum sluice_status create_data(struct sluice_datafile *file,
                                      struct sluice_datafile_live *live,
                                      const struct sluice_datafile_plan *plan, hid_t group,
                                      struct sluice_error *error)
{
    char names[SLUICE_PLANES_MAX][SLUICE_NAME_BYTES + 16];
    const char *checksums[SLUICE_PLANES_MAX];
    enum sluice_status status =
        sluice_h5_attribute_text(group, "signal", plan->channels[0].dataset, error);
    for (uint32_t c = 0; status == SLUICE_OK && c < plan->channel_count; c++) {
        status = create_channel(file, live, c, &plan->channels[c], group, error);
        bool single = plan->channel_count == 1;
        snprintf(names[c], sizeof(names[c]), "checksum%s%s", single ? "" : "_",
                 single ? "" : plan->channels[c].dataset);
        checksums[c] = names[c];
    }
    if (status == SLUICE_OK &&
        sluice_columns_init(&live->columns, group, file->capacity > 1 ? file->capacity : 2,
                            plan->cell_capacity, plan->user_data_bytes, checksums,
                            plan->channel_count) < 0)
        status = sluice_h5_error(error, SLUICE_IO, "cannot create the columns");
    return status;
}

/* One row in every dataset; the chunk of an image is one byte, which nobody will read. */
static herr_t prepare_append(struct sluice_datafile_live *live)
{
    const hsize_t first[3] = {0, 0, 0};
    const uint8_t nothing = 0;
    for (uint32_t c = 0; c < live->channel_count; c++) {
        const hsize_t dims[3] = {1, live->height[c], live->width[c]};
        if (H5Dset_extent(live->images[c], dims) < 0 ||
            H5Dwrite_chunk(live->images[c], H5P_DEFAULT, 0, first, 1, &nothing) < 0)
            return -1;
    }
    return sluice_columns_prepare(&live->columns);
}

static herr_t shorten_pages(const struct sluice_sink *sink, const struct sluice_datafile_live *live)
{
    if (sink->settings->index_page == 0)
        return 0;
    return H5Fflush(live->file, H5F_SCOPE_LOCAL) < 0
               ? -1
               : sluice_pages_shorten(sink->direct, live->descriptor, live->images,
                                      live->channel_count, sink->settings->index_page);
}

/* HDF5 keeps the rows: there are none again. */
static herr_t empty_again(struct sluice_datafile_live *live)
{
    for (uint32_t c = 0; c < live->channel_count; c++) {
        const hsize_t dims[3] = {0, live->height[c], live->width[c]};
        if (H5Dset_extent(live->images[c], dims) < 0)
            return -1;
    }
    return sluice_columns_empty(&live->columns) < 0 ? -1 : H5Fflush(live->file, H5F_SCOPE_LOCAL);
}

static herr_t begin_append(const struct sluice_sink *sink, struct sluice_datafile_live *live)
{
    struct sluice_append_column columns[SLUICE_COLUMNS_MOST];
    const struct sluice_append_plan plan = {.images = live->images,
                                            .image_count = live->channel_count,
                                            .columns = columns,
                                            .column_count =
                                                sluice_columns_plan(&live->columns, columns)};
    live->append = sluice_append_begin(sink->direct, live->descriptor, &plan);
    live->columns.append = live->append;
    if (live->append != NULL)
        return 0;
    sluice_log_info("writer",
                    "HDF5 %u.%u.%u makes this file in another way than is known here, and writes "
                    "all rows itself, which costs time",
                    H5_VERS_MAJOR, H5_VERS_MINOR, H5_VERS_RELEASE);
    return empty_again(live);
}

/* Rows go past HDF5 where the driver is ours and every image dataset has a filter: without one,
 * HDF5 takes whole chunks only. */
static bool may_append(const struct sluice_sink *sink, const struct sluice_datafile_live *live)
{
    for (uint32_t c = 0; c < live->channel_count; c++)
        if (live->encoding[c] == SLUICE_ENCODING_NONE)
            return false;
    return sink->direct != NULL && sink->settings->index == SLUICE_INDEX_OWN;
}

/* On a failure what is open stays open: the file is abandoned. */
static enum sluice_status create_objects(const struct sluice_sink *sink,
                                         struct sluice_datafile *file,
                                         struct sluice_datafile_live *live,
                                         const struct sluice_datafile_plan *plan,
                                         struct sluice_error *error)
{
    hid_t entry, data;
    if (live->descriptor < 0)
        return sluice_h5_error(error, SLUICE_IO, "cannot reach the descriptor");
    enum sluice_status status = sluice_h5_make_group(live->file, "entry", "NXentry", &entry, error);
    if (status == SLUICE_OK)
        status = sluice_h5_make_group(entry, "data", "NXdata", &data, error);
    if (status == SLUICE_OK)
        status = create_data(file, live, plan, data, error);
    if (status != SLUICE_OK)
        return status;
    if (create_finished(entry, &live->finished) < 0)
        return sluice_h5_error(error, SLUICE_IO, "cannot create /entry/finished");
    H5Gclose(data);
    H5Gclose(entry);
    const bool append = may_append(sink, live);
    if (append && (prepare_append(live) < 0 || shorten_pages(sink, live) < 0))
        return sluice_h5_error(error, SLUICE_IO, "cannot prepare its datasets");
    if (H5Fstart_swmr_write(live->file) < 0)
        return sluice_h5_error(error, SLUICE_IO, "cannot start SWMR");
    if (append && begin_append(sink, live) < 0)
        return sluice_h5_error(error, SLUICE_IO, "cannot empty its datasets");
    return SLUICE_OK;
}

enum sluice_status sluice_datafile_create(const struct sluice_sink *sink, struct sluice_slab *slab,
                                          struct sluice_datafile *file,
                                          const struct sluice_datafile_plan *plan,
                                          struct sluice_error *error)
{
    int64_t begin_ns = sluice_now_ns(sink->clock);
    struct sluice_datafile_live *live = calloc(1, sizeof(*live));
    char *path = sluice_slab_text(slab, plan->path);
    char hidden[SLUICE_PATH_BYTES + 32];
    enum sluice_status status;
    if (live == NULL || path == NULL) {
        status =
            sluice_error_set(error, SLUICE_NO_MEMORY, "no memory for data file %s", plan->path);
        goto fail;
    }
    status = hidden_name(path, hidden, sizeof(hidden), error);
    if (status == SLUICE_OK)
        status = make_empty(sink, hidden, error);
    if (status != SLUICE_OK)
        goto fail;
    live->channel_count = plan->channel_count;
    live->file = create_file(sink, hidden, &live->descriptor);
    status = live->file < 0 ? sluice_h5_error(error, SLUICE_IO, "cannot create it")
                            : create_objects(sink, file, live, plan, error);
    if (status == SLUICE_OK)
        status = appear(hidden, path, error);
    if (status == SLUICE_OK && sink->settings->durable == SLUICE_DURABLE_FLUSH &&
        (status = sluice_sink_sync_names(sink, path, error)) != SLUICE_OK)
        unlink(path);
    if (status != SLUICE_OK) {
        if (status != SLUICE_EXISTS)
            sluice_error_prefix(error, "data file %s", path);
        if (live->file >= 0 && sink->direct != NULL)
            sluice_direct_abandon(sink->direct, live->descriptor);
        unlink(hidden);
        goto fail;
    }
    file->path = path;
    file->live = live;
    file->state = SLUICE_DATAFILE_OPEN;
    sluice_counter_add(sink->counters, SLUICE_COUNTER_WRITER_FILES_OPENED, 1);
    sluice_sink_took(sink, SLUICE_COUNTER_WRITER_CREATE_MAX, begin_ns, "creating a data file",
                     path);
    return SLUICE_OK;
fail:
    if (live != NULL) {
        sluice_columns_abandon(&live->columns);
        sluice_append_end(live->append);
    }
    free(live);
    return status;
}
