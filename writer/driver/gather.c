/* SPDX-License-Identifier: Apache-2.0
 *
 * Design: parts that touch in memory are one, so the last page of a payload and the first of the
 * next, which are copied into neighbouring pages, make a single part. */
#include "writer/driver/gather.h"

#include <errno.h>
#include <string.h>

#define PAGE ((size_t)4096)

static size_t round_up(size_t bytes)
{
    return (bytes + PAGE - 1) & ~(PAGE - 1);
}

size_t sluice_gather_size(const void *payload, size_t bytes)
{
    return round_up((uintptr_t)payload % PAGE + bytes);
}

bool sluice_gather_room(const struct sluice_gather *gather, const void *payload, size_t bytes)
{
    return gather->payload_count < SLUICE_GATHER_PAYLOADS &&
           gather->bytes + sluice_gather_size(payload, bytes) <= SLUICE_GATHER_BYTES;
}

static void add_part(struct sluice_gather *gather, const void *data, size_t bytes)
{
    struct iovec *last = gather->part_count > 0 ? &gather->parts[gather->part_count - 1] : NULL;
    gather->bytes += bytes;
    if (last != NULL && (const uint8_t *)last->iov_base + last->iov_len == data)
        last->iov_len += bytes;
    else
        gather->parts[gather->part_count++] = (struct iovec){(void *)(uintptr_t)data, bytes};
}

/* A page of ours with `bytes` of the payload at `offset`. */
static void add_page(struct sluice_gather *gather, const uint8_t *data, size_t offset, size_t bytes)
{
    uint8_t *page = gather->pages + gather->page_count++ * PAGE;
    memset(page, 0, offset);
    memcpy(page + offset, data, bytes);
    memset(page + offset + bytes, 0, PAGE - offset - bytes);
    add_part(gather, page, PAGE);
}

void sluice_gather_add(struct sluice_gather *gather, const void *payload, size_t bytes)
{
    const uint8_t *data = payload;
    const size_t offset = (uintptr_t)payload % PAGE;
    gather->payload_count++;
    if (offset > 0) {
        const size_t part = bytes < PAGE - offset ? bytes : PAGE - offset;
        add_page(gather, data, offset, part);
        data += part;
        bytes -= part;
    }
    const size_t whole = bytes / PAGE * PAGE;
    if (whole > 0)
        add_part(gather, data, whole);
    if (bytes > whole)
        add_page(gather, data + whole, 0, bytes - whole);
}

void sluice_gather_empty(struct sluice_gather *gather)
{
    gather->part_count = gather->payload_count = gather->page_count = 0;
    gather->bytes = 0;
    gather->used = false;
}

/* The parts behind the first `done` bytes; how many. */
static unsigned rest_of(const struct sluice_gather *gather, size_t done, struct iovec *rest)
{
    unsigned count = 0;
    for (unsigned i = 0; i < gather->part_count; i++) {
        const struct iovec *part = &gather->parts[i];
        const size_t skip = done < part->iov_len ? done : part->iov_len;
        done -= skip;
        if (skip < part->iov_len)
            rest[count++] = (struct iovec){(uint8_t *)part->iov_base + skip, part->iov_len - skip};
    }
    return count;
}

int sluice_gather_write(const struct sluice_gather *gather, int fd, uint64_t position, size_t done)
{
    struct iovec rest[SLUICE_GATHER_PARTS];
    while (done < gather->bytes) {
        const unsigned count = rest_of(gather, done, rest);
        const ssize_t wrote = pwritev(fd, rest, (int)count, (off_t)(position + done));
        if (wrote < 0 && errno != EINTR)
            return errno;
        if (wrote == 0)
            return ENOSPC;
        if (wrote > 0)
            done += (size_t)wrote;
    }
    return 0;
}
