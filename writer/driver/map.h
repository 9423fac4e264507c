/* SPDX-License-Identifier: Apache-2.0
 *
 * A part of a growing file, mapped: cells that change are stored into the page cache, where
 * readers of any kind see them, without a call to the system. What is stored must have been written
 * before, so that the file has room for it.
 *
 * One thread uses a map. The process gets a handler of SIGBUS, which passes on what is not a map's.
 * Not where the page cache is not the one of all readers (network file systems), nor where that was
 * never tried: ext4, XFS, tmpfs. */
#ifndef SLUICE_WRITER_DRIVER_MAP_H
#define SLUICE_WRITER_DRIVER_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zeroed memory holds nothing. */
struct sluice_map {
    uint8_t *memory; /* NULL: there is none */
    uint64_t from;   /* where in the file */
    size_t bytes;
};

/* `bytes` at `position`, which the file has; it must not become shorter while they are mapped.
 * Where that cannot be had the map holds nothing. `fd` is open for reading and writing. */
void sluice_map_open(struct sluice_map *map, int fd, uint64_t position, size_t bytes);
void sluice_map_close(struct sluice_map *map);

static inline bool sluice_map_holds(const struct sluice_map *map, uint64_t position, size_t bytes)
{
    return position >= map->from && position - map->from < map->bytes &&
           bytes <= map->bytes - (position - map->from);
}

/* Seen after all that was stored or written before, and before what follows. A kill can come
 * between any two bytes that are no cell of 8 by itself: nothing that has a sum may be stored.
 * False: the file system does not take it; some of it may be there, and the map holds nothing any
 * more. */
bool sluice_map_store(struct sluice_map *map, uint64_t position, const uint8_t *data, size_t bytes);

#endif
