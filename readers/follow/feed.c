/* SPDX-License-Identifier: Apache-2.0
 *
 * DESIGN. A feed is read with pread, never through a mapping: whatever its owner does to it, the
 * worst that comes back is too few bytes or wrong ones, and the latter show in the sequence. The
 * table is kept and read again only when it has no piece for a position: images are read one
 * behind the other, so that is once a piece. What it says is believed only if the entry's sequence
 * is still the same after the bytes were read. */
#include "readers/follow/feed.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/atomics.h"
#include "core/log.h"

#define PIECE_BYTES_MAX ((uint32_t)1 << 30)

/* Tells the writer that somebody reads: it asks for this lock and never waits for it. */
static void tell_writer(const struct sluice_fed *fed)
{
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
    (void)!fcntl(fed->fd, F_OFD_SETLK, &lock);
}

static size_t read_at(int fd, void *to, size_t bytes, uint64_t position)
{
    size_t done = 0;
    while (done < bytes) {
        ssize_t got = pread(fd, (uint8_t *)to + done, bytes - done, (off_t)(position + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        done += (size_t)got;
    }
    return done;
}

/* Of this version and small enough for the arithmetic; what lies beyond the file's end is not read.
 */
static bool header_is_sound(const struct sluice_feed_header *header)
{
    return memcmp(header->magic, SLUICE_FEED_MAGIC, sizeof(header->magic)) == 0 &&
           header->version == SLUICE_FEED_VERSION && header->piece_count > 0 &&
           header->piece_count <= SLUICE_FEED_PIECES_MAX && header->piece_bytes > 0 &&
           header->piece_bytes <= PIECE_BYTES_MAX && header->slot_count <= SLUICE_FEED_SLOT_COUNT &&
           header->pieces_offset <= INT64_MAX / 2;
}

/* The slot that lists the file. */
static bool find_slot(struct sluice_fed *fed)
{
    struct sluice_feed_slot slots[SLUICE_FEED_SLOT_COUNT];
    const struct sluice_feed_header *header = &fed->header;
    const size_t bytes = header->slot_count * sizeof(slots[0]);
    if (read_at(fed->fd, slots, bytes, header->slots_offset) != bytes)
        return false;
    for (uint32_t i = 0; i < header->slot_count; i++) {
        const uint64_t sequence = sluice_load_relaxed(&slots[i].sequence);
        if (sequence == 0 || sequence % 2 != 0 ||
            !sluice_feed_same_file(&slots[i].file, &fed->file))
            continue;
        fed->slot_offset = header->slots_offset + i * sizeof(slots[0]);
        fed->slot_sequence = sequence;
        return true;
    }
    return false;
}

/* Whether a file of that name is a feed of `owner` that lists ours; fed->fd is then open. */
static bool try_feed(struct sluice_fed *fed, int directory, const char *name, uid_t owner)
{
    struct stat there;
    fed->fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fed->fd < 0)
        return false;
    if (fstat(fed->fd, &there) == 0 && S_ISREG(there.st_mode) && there.st_uid == owner &&
        (there.st_mode & 022) == 0 &&
        flock(fed->fd, LOCK_SH | LOCK_NB) != 0 && /* its writer lives and holds it */
        read_at(fed->fd, &fed->header, sizeof(fed->header), 0) == sizeof(fed->header) &&
        header_is_sound(&fed->header) && find_slot(fed))
        return true;
    close(fed->fd);
    fed->fd = -1;
    return false;
}

bool sluice_fed_open(struct sluice_fed *fed, const char *directory, int data_fd)
{
    struct stat data;
    const struct dirent *entry;
    *fed = (struct sluice_fed){.fd = -1, .file = sluice_feed_file_of(data_fd)};
    DIR *open = fed->file.birth_ns != 0 && fstat(data_fd, &data) == 0 ? opendir(directory) : NULL;
    while (open != NULL && fed->fd < 0 && (entry = readdir(open)) != NULL) {
        if (strncmp(entry->d_name, SLUICE_FEED_PREFIX, strlen(SLUICE_FEED_PREFIX)) == 0 &&
            try_feed(fed, dirfd(open), entry->d_name, data.st_uid))
            sluice_log_debug("follow", "the last images come from memory feed=%s", entry->d_name);
    }
    if (open != NULL)
        closedir(open);
    if (fed->fd >= 0)
        fed->table = calloc(fed->header.piece_count, sizeof(*fed->table));
    if (fed->fd >= 0 && fed->table == NULL)
        sluice_fed_close(fed);
    if (fed->fd >= 0)
        tell_writer(fed);
    return fed->fd >= 0;
}

void sluice_fed_close(struct sluice_fed *fed)
{
    if (fed->fd >= 0)
        close(fed->fd);
    free(fed->table);
    fed->table = NULL;
    fed->fd = -1;
}

/* The table's entry for the position, or piece_count. */
static uint32_t find_entry(const struct sluice_fed *fed, uint64_t position)
{
    uint32_t i = 0;
    for (; i < fed->header.piece_count; i++) {
        const struct sluice_feed_entry *entry = &fed->table[i];
        const uint64_t sequence = sluice_load_relaxed(&entry->sequence);
        if (sequence != 0 && sequence % 2 == 0 && position >= entry->position &&
            position - entry->position < entry->bytes && entry->bytes <= fed->header.piece_bytes &&
            sluice_feed_same_file(&entry->file, &fed->file))
            break;
    }
    return i;
}

static bool read_table(struct sluice_fed *fed)
{
    const size_t bytes = fed->header.piece_count * sizeof(*fed->table);
    if (read_at(fed->fd, fed->table, bytes, fed->header.entries_offset) == bytes)
        return true;
    memset(fed->table, 0, bytes);
    return false;
}

/* What piece `i` has from `position` on; 0 when its bytes are others by now. */
static size_t read_piece(struct sluice_fed *fed, uint32_t i, uint64_t position, void *to,
                         size_t bytes)
{
    const struct sluice_feed_entry *entry = &fed->table[i];
    const struct sluice_feed_header *header = &fed->header;
    const uint64_t skipped = position - entry->position, left = entry->bytes - skipped;
    const size_t wanted = bytes < left ? bytes : (size_t)left;
    uint64_t now = 0;
    sluice_feed_order(&fed->order); /* [edge FEED_PUBLISH] */
    if (read_at(fed->fd, to, wanted,
                header->pieces_offset + (uint64_t)i * header->piece_bytes + skipped) != wanted)
        return 0;
    sluice_feed_order(&fed->order); /* [edge FEED_RETRACT] */
    if (read_at(fed->fd, &now, sizeof(now),
                header->entries_offset + (uint64_t)i * sizeof(*entry)) != sizeof(now))
        return 0;
    return now == sluice_load_relaxed(&entry->sequence) ? wanted : 0;
}

size_t sluice_fed_read(struct sluice_fed *fed, uint64_t position, void *to, size_t bytes)
{
    size_t done = 0;
    bool fresh = false; /* the table was read since the last piece */
    while (fed->fd >= 0 && done < bytes) {
        uint32_t i = find_entry(fed, position + done);
        size_t got = 0;
        if (i < fed->header.piece_count)
            got = read_piece(fed, i, position + done, (uint8_t *)to + done, bytes - done);
        done += got;
        if (got == 0 && (fresh || !read_table(fed)))
            break;
        fresh = got == 0;
    }
    return done;
}

bool sluice_fed_flushes(struct sluice_fed *fed, uint64_t *flushes)
{
    struct sluice_feed_slot slot;
    if (fed->fd < 0 || read_at(fed->fd, &slot, sizeof(slot), fed->slot_offset) != sizeof(slot) ||
        sluice_load_relaxed(&slot.sequence) != fed->slot_sequence)
        return false;
    sluice_feed_order(&fed->order); /* [edge FEED_FLUSH] */
    *flushes = sluice_load_relaxed(&slot.flushes);
    return true;
}
