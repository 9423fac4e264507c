/* SPDX-License-Identifier: Apache-2.0
 *
 * The lock file gets its name when it is locked, and goes last: at no moment does a folder that is
 * used look as if it had been left, and one that was half removed can be recognised again. Only the
 * two names that were made here are removed; should anything else lie there, the folder stays.
 *
 * Some shared file systems (BeeGFS, NFS with local_lock) know only the locks of the machine that
 * asks. So the lock file holds the name of the machine, and nobody else takes it. */
#include "bench/pipeline/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#define PREFIX "sluice-bench-"
#define LOCK   "lock"
#define FILES  "files"

#define MACHINE_BYTES 72

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)info;
    (void)kind;
    if (where->level > 0)
        remove(path);
    return 0;
}

void sluice_bench_empty(const char *directory, bool itself)
{
    nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    if (itself)
        rmdir(directory);
}

/* "PATH/NAME"; false: too long. */
static bool join(char *out, size_t bytes, const char *path, const char *name)
{
    const int length = snprintf(out, bytes, "%s/%s", path, name);
    return length > 0 && (size_t)length < bytes;
}

/* Of this machine, as it stands in the lock file; its length. */
static size_t machine_name(char *name, size_t bytes)
{
    struct utsname machine;
    if (uname(&machine) != 0)
        return 0;
    snprintf(name, bytes, "%s\n", machine.nodename);
    return strlen(name);
}

static bool write_machine(int fd)
{
    char name[MACHINE_BYTES];
    const size_t bytes = machine_name(name, sizeof(name));
    return bytes > 0 && write(fd, name, bytes) == (ssize_t)bytes;
}

static bool is_of_this_machine(int fd)
{
    char name[MACHINE_BYTES], found[MACHINE_BYTES];
    const size_t bytes = machine_name(name, sizeof(name));
    return bytes > 0 && pread(fd, found, sizeof(found), 0) == (ssize_t)bytes &&
           memcmp(found, name, bytes) == 0;
}

static int make_lock(const char *path)
{
    char made[SLUICE_BENCH_FOLDER_BYTES + 16], name[SLUICE_BENCH_FOLDER_BYTES + 16];
    if (!join(made, sizeof(made), path, LOCK ".new") || !join(name, sizeof(name), path, LOCK))
        return -1;
    const int fd = open(made, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0 || !write_machine(fd) || rename(made, name) != 0) {
        unlink(made);
        close(fd);
        return -1;
    }
    return fd;
}

enum sluice_status sluice_bench_folder_make(struct sluice_bench_folder *folder, const char *parent,
                                            struct sluice_error *error)
{
    *folder = (struct sluice_bench_folder){.lock = -1};
    errno = ENAMETOOLONG;
    if (!join(folder->path, sizeof(folder->path), parent, PREFIX "XXXXXX") ||
        mkdtemp(folder->path) == NULL) {
        folder->path[0] = '\0';
        return sluice_error_errno(error, SLUICE_IO, errno, "cannot make a directory in %s", parent);
    }
    folder->lock = make_lock(folder->path);
    if (!join(folder->files, sizeof(folder->files), folder->path, FILES) ||
        mkdir(folder->files, 0700) != 0) {
        const int code = errno;
        sluice_bench_folder_remove(folder);
        return sluice_error_errno(error, SLUICE_IO, code, "cannot make a directory in %s", parent);
    }
    return SLUICE_OK;
}

static void remove_folder(const char *path, const char *files)
{
    char lock[SLUICE_BENCH_FOLDER_BYTES + 16];
    sluice_bench_empty(files, true);
    if (access(files, F_OK) != 0 && join(lock, sizeof(lock), path, LOCK))
        unlink(lock);
    rmdir(path);
}

void sluice_bench_folder_remove(struct sluice_bench_folder *folder)
{
    if (folder->path[0] == '\0')
        return;
    remove_folder(folder->path, folder->files);
    if (folder->lock >= 0)
        close(folder->lock);
    *folder = (struct sluice_bench_folder){.lock = -1};
}

/* ---- what others left ---- */

static uint64_t bytes_found;

static int count_one(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)path;
    (void)where;
    if (kind == FTW_F)
        bytes_found += (uint64_t)info->st_blocks * 512;
    return 0;
}

/* The lock of a folder whose maker has died; -1: it lives, or this is no such folder of ours. */
static int take_lock(const char *path)
{
    char name[SLUICE_BENCH_FOLDER_BYTES + 16];
    struct stat folder, info;
    if (!join(name, sizeof(name), path, LOCK) || lstat(path, &folder) != 0 ||
        !S_ISDIR(folder.st_mode) || folder.st_uid != geteuid())
        return -1;
    const int fd = open(name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return -1;
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_uid == geteuid() &&
        is_of_this_machine(fd) && flock(fd, LOCK_EX | LOCK_NB) == 0 && fstat(fd, &info) == 0 &&
        info.st_nlink > 0)
        return fd;
    close(fd);
    return -1;
}

static bool sweep_one(const char *path, FILE *stream)
{
    char files[SLUICE_BENCH_FOLDER_BYTES + 16];
    const int lock = take_lock(path);
    if (lock < 0)
        return false;
    bytes_found = 0;
    if (join(files, sizeof(files), path, FILES)) {
        nftw(files, count_one, 16, FTW_PHYS);
        remove_folder(path, files);
    }
    const bool gone = access(path, F_OK) != 0;
    fprintf(stream, "sluice bench: %s what a killed benchmark left: %s (%.3f GB)\n",
            gone ? "removed" : "could not remove", path, (double)bytes_found / 1e9);
    close(lock);
    return gone;
}

uint32_t sluice_bench_folder_sweep(const char *parent, FILE *stream)
{
    uint32_t count = 0;
    DIR *directory = opendir(parent);
    struct dirent *entry;
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        char path[SLUICE_BENCH_FOLDER_BYTES];
        if (strncmp(entry->d_name, PREFIX, sizeof(PREFIX) - 1) == 0 &&
            join(path, sizeof(path), parent, entry->d_name))
            count += sweep_one(path, stream);
    }
    if (directory != NULL)
        closedir(directory);
    return count;
}
