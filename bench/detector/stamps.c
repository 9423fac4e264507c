/* SPDX-License-Identifier: Apache-2.0
 *
 * Space is reserved before the file is mapped: a full file system is an error here and no SIGBUS
 * later. [edge SENT]: a reader that sees `sent` sees the stamps of so many images. */
#include "bench/detector/stamps.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/atomics.h"

static size_t bytes_of(uint64_t count)
{
    return sizeof(struct sluice_stamps) + count * sizeof(int64_t);
}

static enum sluice_status map(int fd, size_t bytes, const char *path, struct sluice_stamps **stamps,
                              struct sluice_error *error)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    const int code = errno;
    close(fd);
    *stamps = memory != MAP_FAILED ? memory : NULL;
    return *stamps != NULL ? SLUICE_OK
                           : sluice_error_errno(error, SLUICE_IO, code, "cannot map %s", path);
}

enum sluice_status sluice_stamps_create(const char *path, uint64_t count,
                                        struct sluice_stamps **stamps, struct sluice_error *error)
{
    *stamps = NULL;
    const int fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0640);
    if (fd < 0)
        return sluice_error_errno(error, errno == EEXIST ? SLUICE_EXISTS : SLUICE_IO, errno,
                                  "cannot create %s", path);
    const int code = posix_fallocate(fd, 0, (off_t)bytes_of(count));
    if (code != 0) {
        close(fd);
        unlink(path);
        return sluice_error_errno(error, SLUICE_IO, code, "cannot reserve %s", path);
    }
    const enum sluice_status status = map(fd, bytes_of(count), path, stamps, error);
    if (status == SLUICE_OK)
        (*stamps)->count = count;
    return status;
}

enum sluice_status sluice_stamps_open(const char *path, struct sluice_stamps **stamps,
                                      struct sluice_error *error)
{
    struct stat info;
    *stamps = NULL;
    const int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &info) != 0) {
        const int code = errno;
        if (fd >= 0)
            close(fd);
        return sluice_error_errno(error, SLUICE_IO, code, "cannot open %s", path);
    }
    if ((size_t)info.st_size < sizeof(struct sluice_stamps)) {
        close(fd);
        return sluice_error_set(error, SLUICE_MALFORMED, "%s holds no stamps", path);
    }
    const enum sluice_status status = map(fd, (size_t)info.st_size, path, stamps, error);
    if (status == SLUICE_OK && bytes_of((*stamps)->count) != (size_t)info.st_size) {
        munmap(*stamps, (size_t)info.st_size);
        *stamps = NULL;
        return sluice_error_set(error, SLUICE_MALFORMED, "%s holds no stamps", path);
    }
    return status;
}

void sluice_stamps_close(struct sluice_stamps *stamps)
{
    if (stamps != NULL)
        munmap(stamps, bytes_of(stamps->count));
}

void sluice_stamps_put(struct sluice_stamps *stamps, uint64_t id, int64_t at_ns)
{
    if (id < stamps->count)
        stamps->sent_ns[id] = at_ns;
    sluice_store_release(&stamps->sent, sluice_load_relaxed(&stamps->sent) + 1); /* [edge SENT] */
}
