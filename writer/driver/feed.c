/* SPDX-License-Identifier: Apache-2.0
 *
 * DESIGN. The file is made without a name, locked, and only then linked: so a named one that nobody
 * locks is of a dead process, and a process that dies before that leaves nothing. Memory is
 * allocated for real before it is used: a store into a hole of a full file system would be a
 * SIGBUS.
 *
 * Nothing here is waited for and nothing is on the path of an image but two stores a piece. */
#include "writer/driver/feed.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/atomics.h"
#include "core/log.h"
#include "core/memory.h"

#define NAME_TRIES 16

/* Removes it when it is ours and nobody holds it. */
static void remove_leftover(int directory, const char *name)
{
    struct stat there;
    int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return;
    if (fstat(fd, &there) == 0 && S_ISREG(there.st_mode) && there.st_uid == geteuid() &&
        flock(fd, LOCK_EX | LOCK_NB) == 0 && unlinkat(directory, name, 0) == 0)
        sluice_log_debug("writer", "removed what a killed instance left file=%s", name);
    close(fd);
}

static void remove_leftovers(const char *path)
{
    const struct dirent *entry;
    DIR *directory = opendir(path);
    if (directory == NULL)
        return;
    while ((entry = readdir(directory)) != NULL)
        if (strncmp(entry->d_name, SLUICE_FEED_PREFIX, strlen(SLUICE_FEED_PREFIX)) == 0)
            remove_leftover(dirfd(directory), entry->d_name);
    closedir(directory);
}

/* Interrupted also by a stop that a debugger or a shell makes. 0 or errno. */
static int take_memory(int fd, off_t position, off_t bytes)
{
    int code;
    do
        code = posix_fallocate(fd, position, bytes);
    while (code == EINTR);
    return code;
}

static bool passes(const char *directory, gid_t group, uint32_t *read)
{
    struct stat there;
    if (stat(directory, &there) != 0)
        return false;
    if ((there.st_mode & S_IXOTH) == 0)
        *read &= ~(uint32_t)S_IROTH;
    if ((there.st_mode & (there.st_gid == group ? S_IXGRP : S_IXOTH)) == 0)
        *read &= ~(uint32_t)S_IRGRP;
    return true;
}

uint32_t sluice_feed_reach(const char *path, gid_t group)
{
    char directory[4096];
    uint32_t read = S_IRGRP | S_IROTH;
    const size_t length = strlen(path);
    if (path[0] != '/' || length >= sizeof(directory))
        return 0;
    memcpy(directory, path, length + 1);
    for (size_t end = length; end > 0; end--) {
        if (directory[end] != '/' && directory[end] != '\0')
            continue;
        directory[end] = '\0';
        if (!passes(directory, group, &read))
            return 0;
    }
    return passes("/", group, &read) ? read : 0;
}

bool sluice_feed_may_tell(const struct sluice_feed *feed, int data_fd, const char *path)
{
    struct stat ours, data;
    char directory[4096];
    const char *slash = strrchr(path, '/');
    if (feed->memory == NULL || fstat(feed->fd, &ours) != 0 || fstat(data_fd, &data) != 0)
        return false;
    const uint32_t wanted = ours.st_mode & (S_IRGRP | S_IROTH);
    if (wanted == 0)
        return true;
    if ((wanted & ~data.st_mode) != 0 || ((wanted & S_IRGRP) != 0 && data.st_gid != ours.st_gid) ||
        slash == NULL)
        return false;
    snprintf(directory, sizeof(directory), "%.*s", (int)(slash - path), path);
    return (wanted & ~sluice_feed_reach(directory, ours.st_gid)) == 0;
}

/* A nameless file of that size, with the permissions of the data files. 0 or errno. */
static int make_file(struct sluice_feed *feed, const struct sluice_feed_settings *settings)
{
    feed->fd = open(settings->directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (feed->fd < 0)
        return errno;
    mode_t mode = (settings->mode & 0444) | 0600;
    if (settings->group != NULL && fchown(feed->fd, (uid_t)-1, *settings->group) != 0)
        mode &= ~(mode_t)S_IRGRP; /* of a directory's group we need not be */
    if (fchmod(feed->fd, mode) != 0)
        return errno;
    if (ftruncate(feed->fd, (off_t)feed->bytes) != 0 || flock(feed->fd, LOCK_EX | LOCK_NB) != 0)
        return errno;
    return take_memory(feed->fd, 0, (off_t)sluice_feed_pieces_offset(feed->piece_count));
}

static int map_file(struct sluice_feed *feed, uint32_t piece_bytes)
{
    void *map = mmap(NULL, feed->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, feed->fd, 0);
    if (map == MAP_FAILED)
        return errno;
    feed->header = map;
    feed->slots = (void *)((uint8_t *)map + SLUICE_FEED_SLOTS_OFFSET);
    feed->entries = (void *)((uint8_t *)map + SLUICE_FEED_ENTRIES_OFFSET);
    feed->memory = (uint8_t *)map + sluice_feed_pieces_offset(feed->piece_count);
    *feed->header = (struct sluice_feed_header){
        .version = SLUICE_FEED_VERSION,
        .piece_count = feed->piece_count,
        .piece_bytes = piece_bytes,
        .slot_count = SLUICE_FEED_SLOT_COUNT,
        .slots_offset = SLUICE_FEED_SLOTS_OFFSET,
        .entries_offset = SLUICE_FEED_ENTRIES_OFFSET,
        .pieces_offset = sluice_feed_pieces_offset(feed->piece_count),
        .pid = getpid(),
    };
    memcpy(feed->header->magic, SLUICE_FEED_MAGIC, sizeof(feed->header->magic));
    return 0;
}

/* The process' number may be another's too (containers share the directory). */
static int give_name(struct sluice_feed *feed, const char *directory)
{
    char source[64];
    snprintf(source, sizeof(source), "/proc/self/fd/%d", feed->fd);
    for (int i = 0; i < NAME_TRIES; i++) {
        int length = snprintf(feed->path, sizeof(feed->path), "%s/" SLUICE_FEED_PREFIX "%ld-%d",
                              directory, (long)getpid(), i);
        if (length < 0 || (size_t)length >= sizeof(feed->path))
            return ENAMETOOLONG;
        if (linkat(AT_FDCWD, source, AT_FDCWD, feed->path, AT_SYMLINK_FOLLOW) == 0)
            return 0;
        if (errno != EEXIST)
            return errno;
    }
    return EEXIST;
}

enum sluice_status sluice_feed_open(struct sluice_feed *feed,
                                    const struct sluice_feed_settings *settings,
                                    uint32_t piece_count, uint32_t piece_bytes,
                                    struct sluice_error *error)
{
    *feed = (struct sluice_feed){.fd = -1, .piece_count = piece_count};
    feed->bytes = sluice_feed_pieces_offset(piece_count) + (uint64_t)piece_count * piece_bytes;
    remove_leftovers(settings->directory);
    int code = make_file(feed, settings);
    if (code == 0)
        code = map_file(feed, piece_bytes);
    if (code == 0)
        code = give_name(feed, settings->directory);
    if (code == 0)
        return SLUICE_OK;
    feed->path[0] = '\0'; /* never got it */
    size_t bytes = feed->bytes;
    sluice_feed_close(feed);
    return sluice_error_errno(error, SLUICE_SYSTEM, code, "no %zu bytes of shared memory in %s",
                              bytes, settings->directory);
}

void sluice_feed_close(struct sluice_feed *feed)
{
    if (feed->path[0] != '\0')
        unlink(feed->path);
    if (feed->header != NULL)
        munmap(feed->header, feed->bytes);
    if (feed->bytes > 0 && feed->fd >= 0)
        close(feed->fd); /* and with it the lock */
    *feed = (struct sluice_feed){.fd = -1};
}

bool sluice_feed_prepare(struct sluice_feed *feed, uint32_t first, uint32_t count)
{
    const uint32_t piece_bytes = feed->memory != NULL ? feed->header->piece_bytes : 0;
    uint8_t *from = feed->memory + (size_t)first * piece_bytes;
    const size_t bytes = (size_t)count * piece_bytes;
    if (bytes == 0)
        return false;
    return take_memory(feed->fd, from - (uint8_t *)feed->header, (off_t)bytes) == 0 &&
           sluice_memory_prepare(from, bytes) == SLUICE_OK;
}

/* They hold a lock that we only ask for (readers/follow/feed.c). */
bool sluice_feed_has_readers(const struct sluice_feed *feed)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
    return feed->memory != NULL && fcntl(feed->fd, F_OFD_GETLK, &lock) == 0 &&
           lock.l_type != F_UNLCK;
}

/* False: it was odd already. */
static bool make_odd(_Atomic uint64_t *word)
{
    const uint64_t sequence = sluice_load_relaxed(word);
    if (sequence % 2 != 0)
        return false;
    sluice_store_relaxed(word, sequence + 1);
    sluice_feed_order(word); /* [edge FEED_RETRACT] */
    return true;
}

static void make_even(_Atomic uint64_t *word)
{
    sluice_store_release(word, sluice_load_relaxed(word) + 1); /* [edge FEED_PUBLISH] */
}

void sluice_feed_retract(struct sluice_feed *feed, uint32_t piece)
{
    if (feed->memory != NULL)
        make_odd(&feed->entries[piece].sequence);
}

void sluice_feed_publish(struct sluice_feed *feed, uint32_t piece,
                         const struct sluice_feed_file *file, uint64_t position, uint64_t bytes)
{
    if (feed->memory == NULL || file->birth_ns == 0)
        return;
    struct sluice_feed_entry *entry = &feed->entries[piece];
    entry->file = *file;
    entry->position = position;
    entry->bytes = bytes;
    make_even(&entry->sequence);
}

void sluice_feed_forget(struct sluice_feed *feed, const struct sluice_feed_file *file)
{
    if (feed->memory == NULL)
        return;
    for (uint32_t i = 0; i < feed->piece_count; i++)
        if (feed->entries[i].file.device == file->device &&
            feed->entries[i].file.inode == file->inode)
            sluice_feed_retract(feed, i);
}

uint32_t sluice_feed_list(struct sluice_feed *feed, const struct sluice_feed_file *file)
{
    if (feed->memory == NULL || file->birth_ns == 0)
        return SLUICE_FEED_UNLISTED;
    sluice_feed_forget(feed, file);
    for (uint32_t i = 0; i < SLUICE_FEED_SLOT_COUNT; i++) {
        struct sluice_feed_slot *slot = &feed->slots[i];
        const uint64_t sequence = sluice_load_relaxed(&slot->sequence);
        if (sequence != 0 && sequence % 2 == 0)
            continue;
        make_odd(&slot->sequence);
        slot->file = *file;
        sluice_store_relaxed(&slot->flushes, 0);
        make_even(&slot->sequence);
        return i;
    }
    return SLUICE_FEED_UNLISTED;
}

void sluice_feed_unlist(struct sluice_feed *feed, uint32_t slot)
{
    if (feed->memory != NULL && slot != SLUICE_FEED_UNLISTED)
        make_odd(&feed->slots[slot].sequence);
}

void sluice_feed_flushed(struct sluice_feed *feed, uint32_t slot)
{
    if (feed->memory == NULL || slot == SLUICE_FEED_UNLISTED)
        return;
    _Atomic uint64_t *flushes = &feed->slots[slot].flushes;
    sluice_store_release(flushes, sluice_load_relaxed(flushes) + 1); /* [edge FEED_FLUSH] */
}
