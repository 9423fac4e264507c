/* SPDX-License-Identifier: Apache-2.0
 *
 * A data file that is being written (create.c makes it): chunks are added, extents grow, cells are
 * written, nothing else.
 *
 * After a failed write the same chunk is never tried again (a retry would report success and lose
 * it), and no further call is made on the file at all: HDF5's later flushes fail for good, and
 * closing it twice crashes. */
#include "writer/sink/datafile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/log.h"
#include "writer/driver/direct.h"
#include "writer/h5/h5.h"

struct sluice_datafile *sluice_datafile_new(struct sluice_slab *slab, uint64_t index,
                                            uint64_t capacity)
{
    struct sluice_datafile *file = sluice_slab_take(slab, sizeof(*file));
    uint64_t *written = sluice_slab_take(slab, (capacity + 63) / 64 * sizeof(uint64_t));
    if (file == NULL || written == NULL)
        return NULL;
    file->index = index;
    file->capacity = capacity;
    file->written = written;
    return file;
}

void sluice_datafile_mark(struct sluice_datafile *file, uint64_t row)
{
    file->written[row / 64] |= UINT64_C(1) << (row % 64);
    file->written_count++;
}

void sluice_datafile_unmark(struct sluice_datafile *file, uint64_t row)
{
    file->written[row / 64] &= ~(UINT64_C(1) << (row % 64));
    file->written_count--;
}

void sluice_datafile_mark_refused(struct sluice_slab *slab, struct sluice_datafile *file,
                                  uint64_t row)
{
    if (file->refused == NULL)
        file->refused = sluice_slab_take(slab, (file->capacity + 63) / 64 * sizeof(uint64_t));
    if (file->refused != NULL)
        file->refused[row / 64] |= UINT64_C(1) << (row % 64);
}

uint64_t sluice_datafile_rows_written(const struct sluice_datafile *file)
{
    for (uint64_t word = (file->capacity + 63) / 64; word-- > 0;)
        if (file->written[word] != 0)
            return word * 64 + 64 - (uint64_t)__builtin_clzll(file->written[word]);
    return 0;
}

static herr_t rewrite_attribute(hid_t object, const char *name, int32_t value)
{
    hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    if (attribute < 0 || H5Awrite(attribute, H5T_NATIVE_INT32, &value) < 0)
        return -1;
    return H5Aclose(attribute);
}

enum sluice_status sluice_datafile_extend(struct sluice_datafile *file, uint64_t rows,
                                          struct sluice_error *error)
{
    struct sluice_datafile_live *live = file->live;
    if (rows <= live->rows)
        return SLUICE_OK;
    if (live->append != NULL) { /* readers see it with the flush */
        live->rows = rows;
        return SLUICE_OK;
    }
    for (uint32_t c = 0; c < live->channel_count; c++) {
        const hsize_t dims[3] = {rows, live->height[c], live->width[c]};
        if (H5Dset_extent(live->images[c], dims) < 0)
            return sluice_h5_error(error, SLUICE_IO, "cannot extend %s", file->path);
    }
    live->rows = rows;
    return SLUICE_OK;
}

enum sluice_status sluice_datafile_write(const struct sluice_sink *sink,
                                         struct sluice_datafile *file, uint32_t channel,
                                         uint64_t row, struct sluice_span payload,
                                         enum sluice_lent lent, struct sluice_error *error)
{
    const hsize_t offset[3] = {row, 0, 0};
    herr_t result;
    if (file->live->append != NULL) {
        result = sluice_append_image(file->live->append, channel, row, payload, lent);
    } else {
        if (sink->direct != NULL)
            sluice_direct_expect(sink->direct, payload.data, payload.bytes, lent);
        result = H5Dwrite_chunk(file->live->images[channel], H5P_DEFAULT, 0, offset, payload.bytes,
                                payload.data);
        if (sink->direct != NULL)
            sluice_direct_expect(sink->direct, NULL, 0, SLUICE_LENT_NOT);
    }
    if (result < 0)
        return sluice_h5_error(error, SLUICE_IO, "cannot write row %llu of %s",
                               (unsigned long long)row, file->path);
    return SLUICE_OK;
}

enum sluice_status sluice_datafile_flush_values(struct sluice_datafile *file,
                                                struct sluice_error *error)
{
    struct sluice_datafile_live *live = file->live;
    if (live->columns.count == 0)
        return SLUICE_OK;
    if (sluice_columns_write_values(&live->columns, live->rows) < 0 ||
        (live->append != NULL ? sluice_append_flush_values(live->append, live->rows)
                              : H5Fflush(live->file, H5F_SCOPE_LOCAL)) < 0)
        return sluice_h5_error(error, SLUICE_IO, "cannot flush %s", file->path);
    return SLUICE_OK;
}

enum sluice_status sluice_datafile_flush_keys(const struct sluice_sink *sink,
                                              struct sluice_datafile *file,
                                              struct sluice_error *error)
{
    struct sluice_datafile_live *live = file->live;
    if (live->columns.count == 0)
        return SLUICE_OK;
    if (sluice_columns_write_keys(&live->columns) < 0 ||
        (live->append != NULL ? sluice_append_flush_keys(live->append, live->rows)
                              : H5Fflush(live->file, H5F_SCOPE_LOCAL)) < 0)
        return sluice_h5_error(error, SLUICE_IO, "cannot flush the keys of %s", file->path);
    if (sink->settings->durable == SLUICE_DURABLE_FLUSH && fdatasync(live->descriptor) != 0)
        return sluice_error_errno(error, SLUICE_IO, errno, "cannot sync %s", file->path);
    return SLUICE_OK;
}

/* frame_status of every row, where some rows have no image. NULL also when all have one. */
static enum sluice_status row_statuses(const struct sluice_datafile *file, uint64_t rows,
                                       uint8_t **statuses, struct sluice_error *error)
{
    *statuses = NULL;
    if (file->written_count == rows)
        return SLUICE_OK;
    *statuses = malloc(rows);
    if (*statuses == NULL)
        return sluice_error_set(error, SLUICE_NO_MEMORY, "no memory to mark the gaps of %s",
                                file->path);
    for (uint64_t row = 0; row < rows; row++) {
        bool refused = file->refused != NULL && (file->refused[row / 64] >> (row % 64) & 1);
        (*statuses)[row] = sluice_datafile_has(file, row) ? SLUICE_ROW_WRITTEN
                           : refused                      ? SLUICE_ROW_REFUSED
                                                          : SLUICE_ROW_LOST;
    }
    return SLUICE_OK;
}

/* Hands a file that grew past HDF5 back to it: the last rows, the marks of gaps, and then the
 * extents as HDF5 knows them. */
static herr_t leave_append(struct sluice_datafile_live *live, uint64_t rows,
                           const uint8_t *statuses)
{
    if ((statuses != NULL && sluice_columns_put_statuses(&live->columns, rows, statuses) < 0) ||
        sluice_append_flush_values(live->append, rows) < 0 ||
        sluice_append_flush_keys(live->append, rows) < 0)
        return -1;
    sluice_append_end(live->append);
    live->append = live->columns.append = NULL;
    for (uint32_t c = 0; c < live->channel_count; c++) {
        const hsize_t dims[3] = {rows, live->height[c], live->width[c]};
        if (H5Dset_extent(live->images[c], dims) < 0)
            return -1;
    }
    return 0;
}

/* Everything but closing: gap marks and attributes, flushed. */
static herr_t finish_objects(struct sluice_datafile *file, uint64_t rows, const uint8_t *statuses)
{
    struct sluice_datafile_live *live = file->live;
    uint64_t first = file->index * file->capacity;
    const bool past = live->append != NULL;
    if (past && leave_append(live, rows, statuses) < 0)
        return -1;
    if (sluice_columns_finish(&live->columns, rows, past ? NULL : statuses) < 0)
        return -1;
    for (uint32_t c = 0; c < live->channel_count; c++)
        if (rewrite_attribute(live->images[c], "image_nr_high",
                              sluice_datafile_image_number(first + rows - 1)) < 0)
            return -1;
    return H5Fflush(live->file, H5F_SCOPE_LOCAL);
}

static herr_t say_finished(struct sluice_datafile_live *live)
{
    const int32_t yes = 1;
    if (H5Dwrite(live->finished, H5T_NATIVE_INT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, &yes) < 0 ||
        H5Dclose(live->finished) < 0)
        return -1;
    for (uint32_t c = 0; c < live->channel_count; c++)
        if (H5Dclose(live->images[c]) < 0)
            return -1;
    return sluice_columns_close(&live->columns);
}

/* H5Fclose writes too, so the bytes are synced after it, through a descriptor of our own. */
static enum sluice_status close_and_sync(const struct sluice_sink *sink,
                                         struct sluice_datafile *file, struct sluice_error *error)
{
    bool sync = sink->settings->durable != SLUICE_DURABLE_NONE;
    int fd = sync ? fcntl(file->live->descriptor, F_DUPFD_CLOEXEC, 0) : -1;
    enum sluice_status status = SLUICE_OK;
    if (H5Fclose(file->live->file) < 0)
        status = sluice_h5_error(error, SLUICE_IO, "cannot close %s", file->path);
    else if (sync && (fd < 0 || fdatasync(fd) != 0))
        status = sluice_error_errno(error, SLUICE_IO, errno, "cannot sync %s", file->path);
    if (fd >= 0)
        close(fd);
    if (status == SLUICE_OK && sink->settings->durable == SLUICE_DURABLE_CLOSE)
        status = sluice_sink_sync_names(sink, file->path, error);
    if (status == SLUICE_OK && chmod(file->path, sink->settings->mode & ~0222u) != 0)
        sluice_log_warning("writer", "cannot make the finished file read-only: %s file=%s",
                           strerror(errno), file->path);
    return status;
}

enum sluice_status sluice_datafile_close(const struct sluice_sink *sink,
                                         struct sluice_datafile *file, uint64_t rows,
                                         struct sluice_error *error)
{
    int64_t begin_ns = sluice_now_ns(sink->clock);
    uint8_t *statuses = NULL;
    enum sluice_status status = row_statuses(file, rows, &statuses, error);
    if (status == SLUICE_OK)
        status = sluice_datafile_extend(file, rows, error);
    if (status == SLUICE_OK && finish_objects(file, rows, statuses) < 0)
        status = sluice_h5_error(error, SLUICE_IO, "cannot finish %s", file->path);
    free(statuses);
    /* After a loss of power too, a file that says that it is finished has all that it had. */
    if (status == SLUICE_OK && sink->settings->durable != SLUICE_DURABLE_NONE &&
        fdatasync(file->live->descriptor) != 0)
        status = sluice_error_errno(error, SLUICE_IO, errno, "cannot sync %s", file->path);
    if (status == SLUICE_OK && say_finished(file->live) < 0)
        status = sluice_h5_error(error, SLUICE_IO, "cannot close the objects of %s", file->path);
    if (status == SLUICE_OK && sink->direct != NULL)
        sluice_direct_trim(sink->direct, file->live->descriptor);
    if (status == SLUICE_OK)
        status = close_and_sync(sink, file, error);
    if (status != SLUICE_OK)
        return status;
    free(file->live);
    file->live = NULL;
    file->state = SLUICE_DATAFILE_CLOSED;
    file->rows_closed = rows;
    sluice_sink_took(sink, SLUICE_COUNTER_WRITER_CLOSE_MAX, begin_ns, "closing a data file",
                     file->path);
    return SLUICE_OK;
}

void sluice_datafile_abandon(const struct sluice_sink *sink, struct sluice_datafile *file)
{
    if (file->state != SLUICE_DATAFILE_OPEN)
        return;
    if (sink->direct != NULL)
        sluice_direct_abandon(sink->direct, file->live->descriptor);
    sluice_columns_abandon(&file->live->columns);
    sluice_append_end(file->live->append);
    free(file->live);
    file->live = NULL;
    file->state = SLUICE_DATAFILE_ABANDONED;
}
