/* SPDX-License-Identifier: Apache-2.0
 *
 * Where files would go. Whether a directory can be written is found out by making a file there as
 * the writer would, with its mode and group, and removing it; a directory that is not there yet is
 * not made, but its parent is asked. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "cli/check.h"
#include "core/clock.h"
#include "core/file.h"
#include "core/series.h"
#include "writer/h5/h5.h"
#include "writer/layout/layout.h"

#define KEY     "writer.directory"
#define GB      1e9
#define CIFS    0xFF534D42
#define SMB2    0xFE534D42
#define HINT_RO " (under systemd: ReadWritePaths=)"

static void check_pattern(struct sluice_checks *checks, const struct sluice_config *config)
{
    char name[SLUICE_NAME_BYTES * 4 - 32];
    struct sluice_error error = {0};
    const struct sluice_clock *clock = sluice_clock_system();
    struct sluice_series *series = sluice_series_create();
    if (series != NULL &&
        sluice_layout_series_name(config->writer.name, series, clock->real_ns(clock), name,
                                  sizeof name, &error) == SLUICE_OK)
        sluice_check_say(checks, SLUICE_CHECK_OK, "writer.name", "gives names such as %s", name);
    else
        sluice_check_say(checks, SLUICE_CHECK_FAILED, "writer.name", "%s", error.message);
    sluice_series_destroy(series);
}

/* True when there is none to be looked up, or it is known. */
static bool find_group(struct sluice_checks *checks, const char *name, bool *wanted, gid_t *gid)
{
    *wanted = name != NULL && name[0] != '\0';
    if (!*wanted || sluice_find_group(name, gid))
        return true;
    sluice_check_say(checks, SLUICE_CHECK_FAILED, "writer.group", "there is no group %s", name);
    return false;
}

/* Makes a file as the writer would. */
static void try_file(struct sluice_checks *checks, const struct sluice_config *config,
                     const char *directory, bool has_group, gid_t gid)
{
    char path[4096];
    struct statvfs space;
    snprintf(path, sizeof path, "%s/.sluice-check.%ld", directory, (long)getpid());
    const int fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) {
        sluice_check_say(checks, SLUICE_CHECK_FAILED, KEY, "%s: cannot make a file: %s%s",
                         directory, strerror(errno), errno == EROFS ? HINT_RO : "");
        return;
    }
    if (has_group && fchown(fd, (uid_t)-1, gid) != 0)
        sluice_check_say(checks, SLUICE_CHECK_FAILED, "writer.group",
                         "%s: cannot give a file to group %s: %s (is this user in it?)", directory,
                         config->writer.group, strerror(errno));
    else if (fchmod(fd, config->writer.mode) != 0)
        sluice_check_say(checks, SLUICE_CHECK_FAILED, "writer.mode", "%s: cannot set mode %04o: %s",
                         directory, config->writer.mode, strerror(errno));
    else if (fstatvfs(fd, &space) == 0 && space.f_files > 0 && space.f_favail == 0)
        sluice_check_say(checks, SLUICE_CHECK_FAILED, KEY,
                         "%s: no file can be made any more: the "
                         "file system has no inodes left",
                         directory);
    else
        sluice_check_say(checks, SLUICE_CHECK_OK, KEY, "%s: files can be made there", directory);
    close(fd);
    unlink(path);
}

static void check_kind(struct sluice_checks *checks, const char *directory)
{
    struct statfs about;
    if (statfs(directory, &about) != 0)
        return;
    const uint32_t kind = (uint32_t)about.f_type;
    if (kind == NFS_SUPER_MAGIC || kind == SMB_SUPER_MAGIC || kind == CIFS || kind == SMB2)
        sluice_check_say(checks, SLUICE_CHECK_WARNING, KEY,
                         "%s is on a network file system that does not keep the order of writes: "
                         "readers on other machines may see broken files while they grow",
                         directory);
}

/* True when `path` is there; else its parents are asked. */
static bool is_there(struct sluice_checks *checks, const char *path)
{
    struct stat about;
    char part[4096];
    if (stat(path, &about) == 0) {
        if (S_ISDIR(about.st_mode))
            return true;
        sluice_check_say(checks, SLUICE_CHECK_FAILED, KEY, "%s is not a directory", path);
        return false;
    }
    if (errno != ENOENT || (size_t)snprintf(part, sizeof part, "%s", path) >= sizeof part) {
        sluice_check_say(checks, SLUICE_CHECK_FAILED, KEY, "%s: %s", path, strerror(errno));
        return false;
    }
    do {
        char *slash = strrchr(part, '/');
        if (slash == NULL)
            strcpy(part, ".");
        else
            slash[slash == part] = '\0';
    } while (stat(part, &about) != 0 && strcmp(part, "/") != 0 && strcmp(part, ".") != 0);
    if (access(part, W_OK | X_OK) == 0 && S_ISDIR(about.st_mode))
        sluice_check_say(checks, SLUICE_CHECK_OK, KEY, "%s will be made in %s", path, part);
    else
        sluice_check_say(checks, SLUICE_CHECK_FAILED, KEY, "%s cannot be made in %s: %s%s", path,
                         part, strerror(errno), errno == EROFS ? HINT_RO : "");
    return false;
}

static void check_space(struct sluice_checks *checks, const struct sluice_config *config,
                        uint64_t need_bytes)
{
    const uint64_t alarm = config->writer.free_space_alarm_bytes;
    uint64_t free_bytes = 0, devices[SLUICE_DIRECTORIES_MAX];
    size_t device_count = 0;
    for (size_t i = 0; i < config->writer.directory_count; i++) {
        struct statvfs space;
        struct stat about;
        bool counted = stat(config->writer.directories[i], &about) != 0 ||
                       statvfs(config->writer.directories[i], &space) != 0;
        for (size_t k = 0; k < device_count && !counted; k++)
            counted = devices[k] == about.st_dev;
        if (counted)
            continue;
        devices[device_count++] = about.st_dev;
        free_bytes += (uint64_t)space.f_bavail * space.f_frsize;
    }
    if (device_count == 0)
        return; /* nothing is there yet */
    const bool short_of = need_bytes > 0 && free_bytes < need_bytes;
    const bool low = free_bytes < alarm;
    char needed[80] = "";
    if (need_bytes > 0)
        snprintf(needed, sizeof needed, " of %.2f GB needed", (double)need_bytes / GB);
    sluice_check_say(checks,
                     short_of ? SLUICE_CHECK_FAILED
                     : low    ? SLUICE_CHECK_WARNING
                              : SLUICE_CHECK_OK,
                     "free space", "%.2f GB%s%s", (double)free_bytes / GB, needed,
                     short_of ? ": make room"
                     : low    ? ", less than writer.free_space_alarm_bytes: make room"
                              : "");
}

static void check_filters(struct sluice_checks *checks)
{
    const bool bitshuffle = sluice_h5_plugin_found(SLUICE_FILTER_BSLZ4);
    const bool lz4 = sluice_h5_plugin_found(SLUICE_FILTER_LZ4);
    if (bitshuffle && lz4)
        sluice_check_say(checks, SLUICE_CHECK_OK, "HDF5 filters",
                         "readers on this machine find bitshuffle and lz4");
    else
        sluice_check_say(checks, SLUICE_CHECK_WARNING, "HDF5 filters",
                         "h5dump and others on this machine find no plugin for %s%s%s: files are "
                         "right, but cannot be read here (packages bitshuffle and "
                         "hdf5-filter-plugin, or HDF5_PLUGIN_PATH; h5py: hdf5plugin)",
                         bitshuffle ? "" : "bitshuffle", !bitshuffle && !lz4 ? " and " : "",
                         lz4 ? "" : "lz4");
}

void sluice_check_storage(struct sluice_checks *checks, const struct sluice_config *config,
                          uint64_t need_bytes)
{
    bool has_group;
    gid_t gid = 0;
    check_pattern(checks, config);
    const bool known = find_group(checks, config->writer.group, &has_group, &gid);
    for (size_t i = 0; i < config->writer.directory_count; i++) {
        const char *directory = config->writer.directories[i];
        if (!is_there(checks, directory))
            continue;
        try_file(checks, config, directory, has_group && known, gid);
        check_kind(checks, directory);
    }
    check_space(checks, config, need_bytes);
    check_filters(checks);
}
