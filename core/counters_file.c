/* SPDX-License-Identifier: Apache-2.0
 *
 * Making and mapping the counters file (counters_layout.h). Design: the owner holds flock on the
 * file that has the name, and the kernel drops that lock however the owner ends; so a file without
 * a lock is a leftover. It is replaced, not cleared: a reader that still looks at the dead run's
 * numbers keeps them, and a new reader finds a file that is complete.
 *
 * To take the name: open (or create) it, lock it, make sure that the name still means the file that
 * was locked, then fill a file beside it, lock that one too, and rename it over the name. Only the
 * holder of the lock renames, so two that start at once cannot both win. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/counters_layout.h"

#define MODE          0644
#define TAKE_ATTEMPTS 100

static void fill(struct sluice_counters_image *image)
{
    struct sluice_counters_header *header = &image->header;

    memcpy(header->magic, SLUICE_COUNTERS_MAGIC, sizeof header->magic);
    header->version = SLUICE_COUNTERS_VERSION;
    header->counter_count = SLUICE_COUNTER_COUNT;
    header->pid = getpid();
    header->start_real_ns = sluice_clock_system()->real_ns(sluice_clock_system());
    header->table_offset = offsetof(struct sluice_counters_image, table);
    header->table_stride = sizeof image->table[0];
    header->values_offset = offsetof(struct sluice_counters_image, values);
    header->values_stride = sizeof image->values[0];
    header->errors_offset = offsetof(struct sluice_counters_image, errors);
    header->errors_stride = sizeof image->errors[0];
    header->errors_max = SLUICE_COUNTERS_ERROR_ROWS;
    for (int i = 0; i < SLUICE_COUNTER_COUNT; i++) {
        const struct sluice_counter_info *info = sluice_counter_info((enum sluice_counter)i);
        struct sluice_counters_row *row = &image->table[i];

        snprintf(row->name, sizeof row->name, "%s", info->name);
        snprintf(row->unit, sizeof row->unit, "%s", info->unit);
        snprintf(row->owner, sizeof row->owner, "%s", info->owner);
        snprintf(row->help, sizeof row->help, "%s", info->help);
        row->kind = info->is_gauge ? 1 : 0;
    }
}

/* Maps `bytes` of fd, or as much private memory when fd is -1. */
static enum sluice_status map_create(int fd, size_t bytes, bool writable, const char *path,
                                     struct sluice_counters **counters, struct sluice_error *error)
{
    int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
    struct sluice_counters *made = calloc(1, sizeof *made);
    void *map;

    if (made == NULL)
        return sluice_error_set(error, SLUICE_NO_MEMORY, "no memory for the counters");
    map = fd < 0 ? mmap(NULL, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
                 : mmap(NULL, bytes, protection, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) {
        int code = errno;

        free(made);
        return sluice_error_errno(error, SLUICE_SYSTEM, code, "cannot map the counters file %s",
                                  path);
    }
    made->map = map;
    made->map_bytes = bytes;
    made->header = map;
    made->fd = -1;
    made->read_only = !writable;
    pthread_mutex_init(&made->error_lock, NULL);
    *counters = made;
    return SLUICE_OK;
}

static void own_values(struct sluice_counters *counters)
{
    struct sluice_counters_image *image = (struct sluice_counters_image *)counters->map;

    fill(image);
    for (int i = 0; i < SLUICE_COUNTER_COUNT; i++)
        counters->values[i] = &image->values[i].value;
}

static bool names_same_file(const char *path, int fd)
{
    struct stat by_name, by_fd;

    return stat(path, &by_name) == 0 && fstat(fd, &by_fd) == 0 && by_name.st_dev == by_fd.st_dev &&
           by_name.st_ino == by_fd.st_ino;
}

/* Opens and locks what has the name now; the lock says that nobody alive owns it. */
static enum sluice_status take_name(const char *path, int *fd, struct sluice_error *error)
{
    for (int attempt = 0; attempt < TAKE_ATTEMPTS; attempt++) {
        *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, MODE);
        if (*fd < 0)
            return sluice_error_errno(error, SLUICE_IO, errno, "cannot create the counters file %s",
                                      path);
        if (flock(*fd, LOCK_EX | LOCK_NB) != 0) {
            int code = errno;
            struct sluice_counters_header header = {0};
            bool known = pread(*fd, &header, sizeof header, 0) == (ssize_t)sizeof header;

            close(*fd);
            if (code != EWOULDBLOCK)
                return sluice_error_errno(error, SLUICE_SYSTEM, code,
                                          "cannot lock the counters file %s", path);
            return sluice_error_set(error, SLUICE_EXISTS,
                                    "the counters file %s belongs to a running instance (process "
                                    "%lld): stop it, or give this one another instance.name",
                                    path, known ? (long long)header.pid : 0LL);
        }
        if (names_same_file(path, *fd))
            return SLUICE_OK;
        close(*fd); /* replaced between our open and our lock: look at the new one */
    }
    return sluice_error_set(error, SLUICE_EXISTS,
                            "the counters file %s is being replaced again and again by others",
                            path);
}

/* Makes the new file under a name of this process and lays it over `path`. */
static enum sluice_status replace(const char *path, struct sluice_counters **counters,
                                  struct sluice_error *error)
{
    const size_t bytes = sizeof(struct sluice_counters_image);
    struct sluice_counters *made = NULL;
    enum sluice_status status;
    char beside[PATH_MAX];
    int fd = -1;

    if ((size_t)snprintf(beside, sizeof beside, "%s.%d", path, (int)getpid()) >= sizeof beside)
        return sluice_error_set(error, SLUICE_LIMIT, "the counters file's path is too long: %s",
                                path);
    unlink(beside); /* of a dead process with our number */
    fd = open(beside, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, MODE);
    if (fd < 0)
        return sluice_error_errno(error, SLUICE_IO, errno, "cannot create the counters file %s",
                                  beside);
    /* Allocated for real: a store into a hole of a full file system would be a SIGBUS later. */
    int code = posix_fallocate(fd, 0, (off_t)bytes);
    if (code != 0) {
        status = sluice_error_errno(error, SLUICE_IO, code, "cannot make room for %zu bytes in %s",
                                    bytes, beside);
        goto fail;
    }
    status = map_create(fd, bytes, true, beside, &made, error);
    if (status != SLUICE_OK)
        goto fail;
    own_values(made);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0 || rename(beside, path) != 0) {
        status = sluice_error_errno(error, SLUICE_IO, errno,
                                    "cannot put the counters file %s in "
                                    "place",
                                    path);
        goto fail;
    }
    made->fd = fd;
    *counters = made;
    return SLUICE_OK;
fail:
    sluice_counters_destroy(made);
    close(fd);
    unlink(beside);
    return status;
}

enum sluice_status sluice_counters_create(const char *path, struct sluice_counters **counters,
                                          struct sluice_error *error)
{
    enum sluice_status status;
    int old_fd;

    *counters = NULL;
    if (path == NULL) {
        status = map_create(-1, sizeof(struct sluice_counters_image), true, "in memory", counters,
                            error);
        if (status == SLUICE_OK)
            own_values(*counters);
        return status;
    }
    status = take_name(path, &old_fd, error);
    if (status != SLUICE_OK)
        return status;
    status = replace(path, counters, error);
    close(old_fd);
    return status;
}

static bool area_fits(uint64_t file_bytes, uint32_t offset, uint32_t count, uint32_t stride,
                      size_t smallest_stride)
{
    return offset % 8 == 0 && offset <= file_bytes && stride >= smallest_stride &&
           (uint64_t)count * stride <= file_bytes - offset;
}

/* A file of anybody: nothing in it is believed before it was compared with the file's size. */
static bool header_is_sound(const struct sluice_counters_header *header, uint64_t file_bytes)
{
    return memcmp(header->magic, SLUICE_COUNTERS_MAGIC, sizeof header->magic) == 0 &&
           header->version == SLUICE_COUNTERS_VERSION &&
           area_fits(file_bytes, header->table_offset, header->counter_count, header->table_stride,
                     sizeof(struct sluice_counters_row)) &&
           area_fits(file_bytes, header->values_offset, header->counter_count,
                     header->values_stride, sizeof(uint64_t)) &&
           header->values_stride % 8 == 0 &&
           area_fits(file_bytes, header->errors_offset, header->errors_max, header->errors_stride,
                     sizeof(struct sluice_counters_error_row)) &&
           header->errors_stride % 8 == 0;
}

static void find_values(struct sluice_counters *counters)
{
    const struct sluice_counters_header *header = counters->header;

    for (int i = 0; i < SLUICE_COUNTER_COUNT; i++) {
        const char *name = sluice_counter_info((enum sluice_counter)i)->name;

        counters->values[i] = &counters->absent;
        for (uint32_t k = 0; k < header->counter_count; k++) {
            const char *row = (const char *)counters->map + header->table_offset +
                              (size_t)k * header->table_stride;

            if (strncmp(row, name, SLUICE_COUNTERS_NAME_BYTES) == 0) {
                counters->values[i] = (_Atomic uint64_t *)(counters->map + header->values_offset +
                                                           (size_t)k * header->values_stride);
                break;
            }
        }
    }
}

enum sluice_status sluice_counters_attach(const char *path, struct sluice_counters **counters,
                                          struct sluice_error *error)
{
    struct stat file;
    enum sluice_status status;
    int fd;

    *counters = NULL;
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return sluice_error_errno(error, errno == ENOENT ? SLUICE_NOT_FOUND : SLUICE_IO, errno,
                                  "cannot open the counters file %s", path);
    if (fstat(fd, &file) != 0 || !S_ISREG(file.st_mode) ||
        (size_t)file.st_size < sizeof(struct sluice_counters_header)) {
        close(fd);
        return sluice_error_set(error, SLUICE_TRUNCATED,
                                "%s is too short for a counters file: its owner may just be "
                                "starting, try again",
                                path);
    }
    status = map_create(fd, (size_t)file.st_size, false, path, counters, error);
    close(fd);
    if (status != SLUICE_OK)
        return status;
    if (!header_is_sound((*counters)->header, (uint64_t)file.st_size)) {
        sluice_counters_destroy(*counters);
        *counters = NULL;
        return sluice_error_set(error, SLUICE_MALFORMED,
                                "%s is not a counters file of this version of Sluice", path);
    }
    find_values(*counters);
    return SLUICE_OK;
}

void sluice_counters_destroy(struct sluice_counters *counters)
{
    if (counters == NULL)
        return;
    munmap(counters->map, counters->map_bytes);
    if (counters->fd >= 0)
        close(counters->fd); /* and with it the lock */
    pthread_mutex_destroy(&counters->error_lock);
    free(counters);
}
