/* SPDX-License-Identifier: Apache-2.0
 *
 * Payloads written to a file from the messages that they came in, without a copy. O_DIRECT asks
 * that memory, position and length are whole blocks, and a payload begins and ends anywhere. So
 * its place in the file is chosen to lie within a page as its memory does, and what goes to the
 * disk is
 *
 *   memory   ....|..ppp|ppppp|ppppp|pp...|....        p: the payload
 *   written      |00ppp|ppppp|ppppp|pp000|
 *                 copied  from there  copied          into pages of our own, zero elsewhere
 *
 * so that nothing of what lies beside it in memory reaches the file. Several payloads, each behind
 * the other in whole pages, make one vectored write.
 *
 * One thread. The payloads are borrowed until the gather is emptied. */
#ifndef SLUICE_WRITER_DRIVER_GATHER_H
#define SLUICE_WRITER_DRIVER_GATHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define SLUICE_GATHER_PAYLOADS 32
#define SLUICE_GATHER_PARTS    (2 * SLUICE_GATHER_PAYLOADS + 1)
#define SLUICE_GATHER_BYTES    ((size_t)8 << 20) /* in whole pages */
/* Smaller ones are better packed: each is up to two pages more in the file. */
#define SLUICE_GATHER_LEAST ((size_t)64 << 10)
/* Of pages of its own. */
#define SLUICE_GATHER_MEMORY ((size_t)2 * SLUICE_GATHER_PAYLOADS * 4096)

struct sluice_gather {
    struct iovec parts[SLUICE_GATHER_PARTS];
    unsigned part_count, payload_count;
    uint8_t *pages; /* SLUICE_GATHER_MEMORY, aligned; borrowed */
    unsigned page_count;
    size_t bytes; /* of all parts */
    bool used;
};

/* Bytes in whole pages that a payload takes. */
size_t sluice_gather_size(const void *payload, size_t bytes);
/* Whether it still fits. */
bool sluice_gather_room(const struct sluice_gather *gather, const void *payload, size_t bytes);
/* Behind what is there; it must fit. */
void sluice_gather_add(struct sluice_gather *gather, const void *payload, size_t bytes);
void sluice_gather_empty(struct sluice_gather *gather);
/* Writes what is behind the first `done` bytes, to a file in which the gather begins at `position`.
 * 0 or errno. */
int sluice_gather_write(const struct sluice_gather *gather, int fd, uint64_t position, size_t done);

#endif
