/* SPDX-License-Identifier: Apache-2.0
 *
 * Where things lie in a file: payloads in large reserved blocks, one behind the other; everything
 * else in small blocks of its own, HDF5's chunks of columns apart from its metadata, so that these
 * chunks are neighbours. Blocks are aligned, so no page of the file holds two kinds.
 *
 *   0         meta block      cells      payload block             meta block   payload block
 *   |super, headers, index....|columns...|chunk|chunk|chunk|chunk...|...........|chunk|chunk...|
 *                                                                                  ^next      ^end
 *
 * One thread. Zeroed memory with a valid descriptor is acceptable. */
#ifndef SLUICE_WRITER_DRIVER_EXTENTS_H
#define SLUICE_WRITER_DRIVER_EXTENTS_H

#include <stdbool.h>
#include <stdint.h>

#define SLUICE_NOWHERE UINT64_MAX

struct sluice_extent {
    uint64_t next, end;
};

struct sluice_extents {
    int fd;
    uint64_t end;      /* of what is allocated: HDF5's end of allocation */
    uint64_t physical; /* size of the file as far as we made it */
    uint64_t reserved; /* for payloads */
    struct sluice_extent payload, meta, cells;
};

/* Room for a payload; SLUICE_NOWHERE and errno when the disk is full. */
uint64_t sluice_extents_payload(struct sluice_extents *extents, uint64_t bytes);
/* The same, for one that begins `offset` behind a multiple of the alignment. */
uint64_t sluice_extents_payload_at(struct sluice_extents *extents, uint64_t offset, uint64_t bytes);
/* The next payload begins aligned. */
void sluice_extents_align(struct sluice_extents *extents);
uint64_t sluice_extents_meta(struct sluice_extents *extents, uint64_t bytes);
uint64_t sluice_extents_cells(struct sluice_extents *extents, uint64_t bytes);
/* HDF5 moves the end itself: at the creation, or to extend what lies there. Never shrinks. */
void sluice_extents_move_end(struct sluice_extents *extents, uint64_t end);
/* Gives up what is reserved beyond the last payload: before the file is closed, which cuts it
 * there.
 */
void sluice_extents_trim(struct sluice_extents *extents);
/* The same for a file that will not be closed: its length stays. */
void sluice_extents_abandon(struct sluice_extents *extents);
/* The file becomes as long as HDF5 thinks, or at `closing` exactly so. 0 or errno. */
int sluice_extents_fit_file(struct sluice_extents *extents, bool closing);

#endif
