/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether a file that is marked as being written has a writer: SWMR writers hold no lock, so the
 * open descriptors of all processes are looked at. That says nothing where another machine may
 * write (network file systems) or where we may not look into the owner's processes: then a file
 * that was written to within a minute counts as growing. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>

#include "readers/verify/internal.h"

#define RECENT_S 60

static bool is_remote(const char *path)
{
    static const unsigned long remote[] = {
        0x6969,     /* NFS */
        0xff534d42, /* CIFS */
        0xfe534d42, /* SMB2 */
        0x47504653, /* GPFS */
        0x0bd00bd0, /* Lustre */
        0x19830326, /* BeeGFS */
        0x00c36400, /* Ceph */
        0x65735546, /* FUSE */
    };
    struct statfs kind;
    if (statfs(path, &kind) != 0)
        return true;
    for (size_t i = 0; i < sizeof(remote) / sizeof(remote[0]); i++)
        if ((unsigned long)kind.f_type == remote[i])
            return true;
    return false;
}

/* The flags that a descriptor was opened with. */
static bool opened_for_writing(const char *pid, const char *fd)
{
    char path[64], line[128];
    bool writes = false;
    snprintf(path, sizeof(path), "/proc/%.16s/fdinfo/%.16s", pid, fd);
    FILE *info = fopen(path, "re");
    if (!info)
        return false;
    while (fgets(line, sizeof(line), info)) {
        unsigned flags;
        if (sscanf(line, "flags: %o", &flags) == 1)
            writes = (flags & O_ACCMODE) != O_RDONLY;
    }
    fclose(info);
    return writes;
}

/* ALIVE when the process has the file open for writing, UNKNOWN when we may not look. */
static enum sluice_writer_seen look_into(const char *pid, const struct stat *file)
{
    char path[32];
    snprintf(path, sizeof(path), "/proc/%.16s/fd", pid);
    struct stat owner;
    bool same_owner = stat(path, &owner) == 0 && owner.st_uid == file->st_uid;
    DIR *directory = opendir(path);
    if (!directory)
        return errno == EACCES && same_owner ? SLUICE_WRITER_UNKNOWN : SLUICE_WRITER_NONE;
    enum sluice_writer_seen seen = SLUICE_WRITER_NONE;
    const struct dirent *entry;
    while (seen == SLUICE_WRITER_NONE && (entry = readdir(directory))) {
        struct stat open_file;
        if (isdigit((unsigned char)entry->d_name[0]) &&
            fstatat(dirfd(directory), entry->d_name, &open_file, 0) == 0 &&
            open_file.st_dev == file->st_dev && open_file.st_ino == file->st_ino &&
            opened_for_writing(pid, entry->d_name))
            seen = SLUICE_WRITER_ALIVE;
    }
    closedir(directory);
    return seen;
}

enum sluice_writer_seen sluice_verify_writer_of(const char *path, long *pid)
{
    struct stat file;
    *pid = 0;
    if (stat(path, &file) != 0)
        return SLUICE_WRITER_NONE;
    DIR *processes = opendir("/proc");
    if (!processes)
        return SLUICE_WRITER_UNKNOWN;
    enum sluice_writer_seen seen = is_remote(path) ? SLUICE_WRITER_UNKNOWN : SLUICE_WRITER_NONE;
    const struct dirent *entry;
    while (seen != SLUICE_WRITER_ALIVE && (entry = readdir(processes))) {
        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        enum sluice_writer_seen one = look_into(entry->d_name, &file);
        if (one == SLUICE_WRITER_ALIVE)
            *pid = strtol(entry->d_name, NULL, 10);
        if (one != SLUICE_WRITER_NONE)
            seen = one;
    }
    closedir(processes);
    return seen;
}

bool sluice_verify_is_growing(const char *path, char *who, size_t bytes)
{
    long pid;
    struct stat file;
    switch (sluice_verify_writer_of(path, &pid)) {
    case SLUICE_WRITER_ALIVE:
        snprintf(who, bytes, "process %ld is writing it", pid);
        return true;
    case SLUICE_WRITER_UNKNOWN:
        if (stat(path, &file) == 0 && time(NULL) - file.st_mtim.tv_sec < RECENT_S) {
            snprintf(who, bytes, "it was written to within the last minute");
            return true;
        }
        snprintf(who, bytes, "it was not written to for a minute and no writer can be seen");
        return false;
    case SLUICE_WRITER_NONE:
        break;
    }
    snprintf(who, bytes, "no process has it open for writing");
    return false;
}
