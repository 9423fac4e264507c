/* SPDX-License-Identifier: Apache-2.0
 *
 * DESIGN. As HDF5's own driver, but for one question before large reads of raw data. Columns and
 * metadata are not asked for: they go through the page cache, and so they are there. Which bytes
 * an image has is said by the file's metadata alone, so memory shows nothing earlier than the file
 * does. */
#include "readers/follow/driver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "readers/follow/feed.h"

#define LEAST_BYTES 4096u /* of a read that is worth the question */

struct live_file {
    H5FD_t head; /* HDF5's: first */
    int fd;
    dev_t device;
    ino_t inode;
    haddr_t allocated, size;
    struct sluice_fed fed;
};

static hid_t driver = H5I_INVALID_HID;

/* Onto HDF5's stack, in its own drivers' form. */
static herr_t fail(hid_t minor, const char *what, int code)
{
    H5Epush2(H5E_DEFAULT, __FILE__, "sluice_live", __LINE__, H5E_ERR_CLS, H5E_IO, minor,
             "%s: errno = %d, error message = '%s'", what, code, strerror(code));
    return -1;
}

/* The head is the first member. */
static struct live_file *of(H5FD_t *file)
{
    return (struct live_file *)file;
}
static const struct live_file *of_const(const H5FD_t *file)
{
    return (const struct live_file *)file;
}

static H5FD_t *open_file(const char *path, unsigned flags, hid_t access, haddr_t most)
{
    struct stat there;
    struct live_file *file = calloc(1, sizeof(*file));
    (void)access, (void)most;
    int fd = -1;
    errno = file == NULL ? ENOMEM : EROFS;
    if (file != NULL && (flags & (H5F_ACC_RDWR | H5F_ACC_CREAT)) == 0)
        fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &there) != 0) {
        fail(H5E_CANTOPENFILE, path, errno);
        if (fd >= 0)
            close(fd);
        free(file);
        return NULL;
    }
    file->fd = fd;
    file->device = there.st_dev;
    file->inode = there.st_ino;
    file->size = (haddr_t)there.st_size;
    sluice_fed_open(&file->fed, SLUICE_FEED_DIRECTORY, fd);
    return &file->head;
}

static herr_t close_file(H5FD_t *head)
{
    struct live_file *file = of(head);
    sluice_fed_close(&file->fed);
    close(file->fd);
    free(file);
    return 0;
}

static int compare(const H5FD_t *a, const H5FD_t *b)
{
    const struct live_file *first = of_const(a), *second = of_const(b);
    if (first->device != second->device)
        return first->device < second->device ? -1 : 1;
    return first->inode < second->inode ? -1 : first->inode > second->inode;
}

static herr_t query(const H5FD_t *head, unsigned long *flags)
{
    (void)head;
    *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
             H5FD_FEAT_AGGREGATE_SMALLDATA | H5FD_FEAT_POSIX_COMPAT_HANDLE |
             H5FD_FEAT_SUPPORTS_SWMR_IO | H5FD_FEAT_DEFAULT_VFD_COMPATIBLE;
    return 0;
}

static haddr_t get_end(const H5FD_t *head, H5FD_mem_t type)
{
    (void)type;
    return of_const(head)->allocated;
}

static herr_t set_end(H5FD_t *head, H5FD_mem_t type, haddr_t end)
{
    (void)type;
    of(head)->allocated = end;
    return 0;
}

static haddr_t get_size(const H5FD_t *head, H5FD_mem_t type)
{
    (void)type;
    return of_const(head)->size;
}

static herr_t get_descriptor(H5FD_t *head, hid_t access, void **descriptor)
{
    (void)access;
    *descriptor = &of(head)->fd;
    return 0;
}

static herr_t read_bytes(H5FD_t *head, H5FD_mem_t type, hid_t transfer, haddr_t position,
                         size_t bytes, void *buffer)
{
    struct live_file *file = of(head);
    uint8_t *to = buffer;
    (void)transfer;
    if (type == H5FD_MEM_DRAW && bytes >= LEAST_BYTES) {
        size_t fed = sluice_fed_read(&file->fed, position, to, bytes);
        to += fed;
        position += fed;
        bytes -= fed;
    }
    while (bytes > 0) {
        ssize_t got = pread(file->fd, to, bytes, (off_t)position);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail(H5E_READERROR, "read failed", errno);
        if (got == 0) { /* beyond the end, as HDF5's own driver: nothing was written there yet */
            memset(to, 0, bytes);
            break;
        }
        to += got;
        position += (haddr_t)got;
        bytes -= (size_t)got;
    }
    return 0;
}

static herr_t write_bytes(H5FD_t *head, H5FD_mem_t type, hid_t transfer, haddr_t position,
                          size_t bytes, const void *buffer)
{
    (void)head, (void)type, (void)transfer, (void)position, (void)bytes, (void)buffer;
    return fail(H5E_WRITEERROR, "it is only read", EROFS);
}

/* As HDF5's own driver: a file system without locks is no error. */
static herr_t lock(H5FD_t *head, hbool_t exclusive)
{
    if (flock(of(head)->fd, (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB) != 0 && errno != ENOSYS)
        return fail(H5E_CANTLOCKFILE, "cannot lock the file", errno);
    return 0;
}

static herr_t unlock(H5FD_t *head)
{
    if (flock(of(head)->fd, LOCK_UN) != 0 && errno != ENOSYS)
        return fail(H5E_CANTUNLOCKFILE, "cannot unlock the file", errno);
    return 0;
}

static const H5FD_class_t driver_class = {
    .name = "sluice_live",
    .maxaddr = (haddr_t)INT64_MAX,
    .fc_degree = H5F_CLOSE_WEAK,
    .open = open_file,
    .close = close_file,
    .cmp = compare,
    .query = query,
    .get_eoa = get_end,
    .set_eoa = set_end,
    .get_eof = get_size,
    .get_handle = get_descriptor,
    .read = read_bytes,
    .write = write_bytes,
    .lock = lock,
    .unlock = unlock,
    .fl_map = H5FD_FLMAP_DICHOTOMY,
};

herr_t sluice_follow_driver_select(hid_t access)
{
    if (H5Iis_valid(driver) <= 0) /* also after an H5close of the program's */
        driver = H5FDregister(&driver_class);
    return driver < 0 ? -1 : H5Pset_driver(access, driver, NULL);
}

struct sluice_fed *sluice_follow_driver_fed(hid_t file)
{
    void *handle = NULL;
    hid_t access = H5Fget_access_plist(file);
    bool ours = access >= 0 && driver >= 0 && H5Pget_driver(access) == driver &&
                H5Fget_vfd_handle(file, H5P_DEFAULT, &handle) >= 0 && handle != NULL;
    if (access >= 0)
        H5Pclose(access);
    if (!ours)
        return NULL;
    return &((struct live_file *)(void *)((char *)handle - offsetof(struct live_file, fd)))->fed;
}
