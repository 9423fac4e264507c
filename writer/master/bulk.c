/* SPDX-License-Identifier: Apache-2.0
 *
 * Design: O_DIRECT asks for whole blocks of memory, position and length. The master's arrays begin
 * at whole blocks (master.c asks HDF5 for that), and most of their values do in memory
 * (sluice_series_array); others are copied into a buffer of ours, a piece at a time. Whole blocks
 * go to the disk, what is left of the last one through the page cache.
 *
 * A file system that opens with O_DIRECT and then refuses the write gets all through the cache. */
#include "writer/master/bulk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "writer/master/master.h"

_Static_assert(SLUICE_MASTER_PIECE_BYTES % SLUICE_MASTER_BLOCK_BYTES == 0, "pieces end at blocks");

enum sluice_status sluice_master_bulk_open(struct sluice_master_bulk *file, const char *path,
                                           bool direct, struct sluice_error *error)
{
    file->fd = open(path, O_RDWR | O_CLOEXEC);
    if (file->fd < 0)
        return sluice_error_errno(error, SLUICE_IO, errno, "cannot open the file again");
    file->direct_fd = direct ? open(path, O_WRONLY | O_DIRECT | O_CLOEXEC) : -1;
    return SLUICE_OK;
}

void sluice_master_bulk_close(struct sluice_master_bulk *file)
{
    if (file->direct_fd >= 0)
        close(file->direct_fd);
    if (file->fd >= 0)
        close(file->fd);
    file->fd = file->direct_fd = -1;
}

void sluice_master_bulk_free(struct sluice_master_bulk *file)
{
    sluice_master_bulk_close(file);
    free(file->buffer);
    file->buffer = NULL;
}

/* Values that are computed, in the buffer. */
static const uint8_t *compute(struct sluice_master_bulk *file, struct sluice_tree_bulk *bulk,
                              size_t bytes)
{
    const size_t count = bytes / sizeof(double);
    for (size_t i = 0; i < count; i++) {
        const double value = bulk->line.first + (double)(bulk->done + i) * bulk->line.step;
        memcpy(file->buffer + i * sizeof value, &value, sizeof value);
    }
    bulk->done += count;
    return file->buffer;
}

/* Bytes that went past the page cache: whole blocks, or nothing. 0 or errno in `code`. */
static size_t write_past(struct sluice_master_bulk *file, const uint8_t *values, size_t bytes,
                         uint64_t offset, int *code)
{
    const size_t whole = bytes / SLUICE_MASTER_BLOCK_BYTES * SLUICE_MASTER_BLOCK_BYTES;
    if (file->direct_fd < 0 || whole == 0 || offset % SLUICE_MASTER_BLOCK_BYTES != 0)
        return 0;
    const void *from = values;
    if ((uintptr_t)values % SLUICE_MASTER_BLOCK_BYTES != 0)
        from = memcpy(file->buffer, values, whole);
    *code = sluice_write_fully(file->direct_fd, from, whole, offset);
    if (*code != EINVAL && *code != EOPNOTSUPP)
        return whole;
    *code = 0;
    close(file->direct_fd);
    file->direct_fd = -1;
    return 0;
}

enum sluice_status sluice_master_bulk_write(struct sluice_master_bulk *file,
                                            struct sluice_tree_bulk *bulk,
                                            struct sluice_error *error)
{
    const size_t bytes =
        bulk->bytes < SLUICE_MASTER_PIECE_BYTES ? bulk->bytes : SLUICE_MASTER_PIECE_BYTES;
    if (file->buffer == NULL && (file->buffer = aligned_alloc(SLUICE_MASTER_BLOCK_BYTES,
                                                              SLUICE_MASTER_PIECE_BYTES)) == NULL)
        return sluice_error_set(error, SLUICE_NO_MEMORY, "no memory for a piece of an array");
    const uint8_t *values = bulk->values != NULL ? bulk->values : compute(file, bulk, bytes);
    int code = 0;
    const size_t past = write_past(file, values, bytes, bulk->offset, &code);
    if (code == 0 && past < bytes)
        code = sluice_write_fully(file->fd, values + past, bytes - past, bulk->offset + past);
    if (code != 0)
        return sluice_error_errno(error, SLUICE_IO, code, "cannot write the file");
    if (bulk->values != NULL)
        bulk->values += bytes;
    bulk->bytes -= bytes;
    bulk->offset += bytes;
    return SLUICE_OK;
}
