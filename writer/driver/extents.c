/* SPDX-License-Identifier: Apache-2.0
 *
 * Payload blocks are reserved with fallocate: writes into them change neither the file's size nor
 * its block map's shape, which would make O_DIRECT writes wait for each other; and a full disk is
 * seen here, before anything is lost. Each block is as large as all before it, within bounds, so
 * that a small series reserves little. When that is not to be had, only what the payload needs is
 * taken: the metadata needs room too. ext4 leaves all that it found reserved when it was not
 * enough, so a reservation that failed is taken back. Blocks that follow each other become one. */
#include "writer/driver/extents.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAYLOAD_BLOCK_LEAST ((uint64_t)1 << 20)
#define PAYLOAD_BLOCK_MOST  ((uint64_t)64 << 20)
#define META_BLOCK          ((uint64_t)256 << 10)
#define CELLS_BLOCK         ((uint64_t)64 << 10)
#define ALIGN               ((uint64_t)4096)

static uint64_t align_up(uint64_t value)
{
    return (value + ALIGN - 1) & ~(ALIGN - 1);
}

/* Where that is not possible it stays reserved, no more. */
static void punch(struct sluice_extents *extents, uint64_t from, uint64_t to)
{
    if (from < to)
        fallocate(extents->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)from,
                  (off_t)(to - from));
}

/* Takes back what a reservation that failed left behind; errno stays. */
static void unreserve(struct sluice_extents *extents, uint64_t from, uint64_t to)
{
    struct stat there;
    const int reason = errno;
    punch(extents, from, to);
    if (fstat(extents->fd, &there) == 0 && (uint64_t)there.st_size > extents->physical)
        extents->physical = (uint64_t)there.st_size;
    errno = reason;
}

/* The file system may not know fallocate: then the file just gets longer. */
static int reserve(struct sluice_extents *extents, uint64_t position, uint64_t bytes)
{
    int result;
    do
        result = fallocate(extents->fd, 0, (off_t)position, (off_t)bytes);
    while (result != 0 && errno == EINTR);
    if (result != 0 && (errno == EOPNOTSUPP || errno == ENOSYS))
        result = extents->physical < position + bytes
                     ? ftruncate(extents->fd, (off_t)(position + bytes))
                     : 0;
    if (result != 0)
        unreserve(extents, position, position + bytes);
    else if (extents->physical < position + bytes)
        extents->physical = position + bytes;
    return result;
}

static uint64_t block_size(const struct sluice_extents *extents, uint64_t least)
{
    uint64_t size = extents->reserved < PAYLOAD_BLOCK_LEAST  ? PAYLOAD_BLOCK_LEAST
                    : extents->reserved > PAYLOAD_BLOCK_MOST ? PAYLOAD_BLOCK_MOST
                                                             : align_up(extents->reserved);
    return size > least ? size : least;
}

uint64_t sluice_extents_payload(struct sluice_extents *extents, uint64_t bytes)
{
    struct sluice_extent *block = &extents->payload;
    if (bytes > block->end - block->next) {
        uint64_t position = align_up(extents->end);
        uint64_t least = align_up(bytes), size = block_size(extents, least);
        while (reserve(extents, position, size) != 0) {
            if ((errno != ENOSPC && errno != EDQUOT && errno != EFBIG) || size == least)
                return SLUICE_NOWHERE;
            size = least;
        }
        extents->reserved += size;
        if (position != block->end)
            block->next = position;
        block->end = position + size;
        extents->end = block->end;
    }
    uint64_t position = block->next;
    block->next += bytes;
    return position;
}

void sluice_extents_align(struct sluice_extents *extents)
{
    extents->payload.next = align_up(extents->payload.next);
}

uint64_t sluice_extents_payload_at(struct sluice_extents *extents, uint64_t offset, uint64_t bytes)
{
    sluice_extents_align(extents);
    const uint64_t position = sluice_extents_payload(extents, offset + bytes);
    return position == SLUICE_NOWHERE ? position : position + offset;
}

/* Blocks that nothing is reserved for: what is never written of them takes no space. */
static uint64_t take(struct sluice_extents *extents, struct sluice_extent *block, uint64_t bytes,
                     uint64_t least)
{
    if (bytes > block->end - block->next) {
        const uint64_t position = align_up(extents->end), size = align_up(bytes);
        if (position != block->end)
            block->next = position;
        block->end = position + (size > least ? size : least);
        extents->end = block->end;
    }
    uint64_t position = block->next;
    block->next += bytes;
    return position;
}

uint64_t sluice_extents_meta(struct sluice_extents *extents, uint64_t bytes)
{
    return take(extents, &extents->meta, bytes, META_BLOCK);
}

uint64_t sluice_extents_cells(struct sluice_extents *extents, uint64_t bytes)
{
    return take(extents, &extents->cells, bytes, CELLS_BLOCK);
}

void sluice_extents_move_end(struct sluice_extents *extents, uint64_t end)
{
    if (extents->end == 0)
        extents->meta = (struct sluice_extent){end, end};
    if (end > extents->end)
        extents->end = end;
}

static void trim(struct sluice_extents *extents, struct sluice_extent *block)
{
    uint64_t used = align_up(block->next);
    if (block->end == extents->end)
        extents->end = used; /* the file is cut there */
    else
        punch(extents, used, block->end);
    block->next = block->end = used;
}

void sluice_extents_abandon(struct sluice_extents *extents)
{
    punch(extents, align_up(extents->payload.next), extents->payload.end);
    extents->payload.next = extents->payload.end;
}

void sluice_extents_trim(struct sluice_extents *extents)
{
    trim(extents, &extents->payload);
    if (extents->meta.end == extents->end)
        trim(extents, &extents->meta);
    else if (extents->cells.end == extents->end)
        trim(extents, &extents->cells);
}

int sluice_extents_fit_file(struct sluice_extents *extents, bool closing)
{
    if (extents->end == extents->physical || (extents->end < extents->physical && !closing))
        return 0;
    if (ftruncate(extents->fd, (off_t)extents->end) != 0)
        return errno;
    extents->physical = extents->end;
    return 0;
}
