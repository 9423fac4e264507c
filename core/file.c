/* SPDX-License-Identifier: Apache-2.0
 *
 * Directories are looked at before they are made: where one is there already, file systems that
 * cannot be written to answer mkdir with another error than EEXIST. */
#include "core/file.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES         4096
#define GROUP_BYTES        65536 /* of an entry: a group may have many members */
#define CLOSER_STACK_BYTES ((size_t)256 * 1024)

int sluice_write_fully(int fd, const void *data, size_t bytes, uint64_t position)
{
    const uint8_t *from = data;
    while (bytes > 0) {
        ssize_t written = pwrite(fd, from, bytes, (off_t)position);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return written < 0 ? errno : ENOSPC;
        from += written;
        position += (uint64_t)written;
        bytes -= (size_t)written;
    }
    return 0;
}

int sluice_sync_entry(const char *path)
{
    char directory[PATH_BYTES];
    const char *slash = strrchr(path, '/');
    const int length = slash != NULL ? (int)(slash - path + 1) : 0;
    const int needed = snprintf(directory, sizeof(directory), "%.*s.", length, path);
    if (needed < 0 || (size_t)needed >= sizeof(directory))
        return ENAMETOOLONG;
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    const int code = fsync(fd) != 0 ? errno : 0;
    close(fd);
    return code;
}

static void *close_it(void *fd)
{
    close((int)(intptr_t)fd);
    return NULL;
}

void sluice_close_aside(int fd)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;
    if (pthread_attr_init(&attributes) != 0) {
        close(fd);
        return;
    }
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, CLOSER_STACK_BYTES);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* inherited: signals are for others */
    if (pthread_create(&thread, &attributes, close_it, (void *)(intptr_t)fd) != 0)
        close(fd);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
}

static bool is_directory(const char *path)
{
    struct stat there;
    return stat(path, &there) == 0 && S_ISDIR(there.st_mode);
}

static enum sluice_status make_one(const char *path, mode_t mode, const gid_t *group,
                                   struct sluice_error *error)
{
    if (is_directory(path))
        return SLUICE_OK;
    if (mkdir(path, mode) != 0) {
        const int code = errno;
        if (code == EEXIST && is_directory(path)) /* somebody was faster */
            return SLUICE_OK;
        return sluice_error_errno(error, SLUICE_IO, code == EEXIST ? ENOTDIR : code,
                                  "cannot make the directory %s", path);
    }
    if (group != NULL && chown(path, (uid_t)-1, *group) != 0)
        return sluice_error_errno(error, SLUICE_SYSTEM, errno, "cannot give %s to group %lu", path,
                                  (unsigned long)*group);
    if (chmod(path, mode) != 0)
        return sluice_error_errno(error, SLUICE_SYSTEM, errno, "cannot set the mode of %s", path);
    return SLUICE_OK;
}

enum sluice_status sluice_make_directories(const char *path, mode_t mode, const gid_t *group,
                                           struct sluice_error *error)
{
    char part[PATH_BYTES];
    const size_t length = strlen(path);
    if (length >= sizeof(part))
        return sluice_error_set(error, SLUICE_LIMIT, "the path %s is too long", path);
    if (is_directory(path))
        return SLUICE_OK;
    for (size_t i = 1; i <= length; i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        memcpy(part, path, i);
        part[i] = '\0';
        enum sluice_status status = make_one(part, mode, group, error);
        if (status != SLUICE_OK)
            return status;
    }
    return SLUICE_OK;
}

bool sluice_find_group(const char *name, gid_t *group)
{
    struct group entry, *found = NULL;
    char *end, *buffer = malloc(GROUP_BYTES);
    if (buffer != NULL && getgrnam_r(name, &entry, buffer, GROUP_BYTES, &found) == 0 &&
        found != NULL)
        *group = found->gr_gid;
    free(buffer);
    if (found != NULL)
        return true;
    const unsigned long number = strtoul(name, &end, 10);
    *group = (gid_t)number;
    return name[0] >= '0' && name[0] <= '9' && *end == '\0' && number < (gid_t)-1;
}
