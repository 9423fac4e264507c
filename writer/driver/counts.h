/* SPDX-License-Identifier: Apache-2.0
 *
 * Which way payloads went to their files, counted by the pieces they were written in. */
#ifndef SLUICE_WRITER_DRIVER_COUNTS_H
#define SLUICE_WRITER_DRIVER_COUNTS_H

#include <stddef.h>
#include <stdint.h>

struct sluice_way_count {
    uint64_t pieces, bytes;
};

struct sluice_driver_counts {
    struct sluice_way_count direct;  /* past the page cache */
    struct sluice_way_count cached;  /* through it: ends of flushes, or all where it has to be */
    struct sluice_way_count spilled; /* through it, because the disk was behind (spill.h) */
    uint64_t held;                   /* pieces that did not spill, because the cache was slow */
    uint64_t waits;                  /* for a piece to arrive, because all were on their way */
};

static inline void sluice_way_add(struct sluice_way_count *way, size_t bytes)
{
    way->pieces++;
    way->bytes += bytes;
}

/* A piece went another way than it was sent. */
static inline void sluice_way_move(struct sluice_way_count *from, struct sluice_way_count *to,
                                   size_t bytes)
{
    from->pieces--;
    from->bytes -= bytes;
    sluice_way_add(to, bytes);
}

#endif
