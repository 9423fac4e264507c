/* SPDX-License-Identifier: Apache-2.0
 *
 * Big arrays of a master (masks, flatfields, axes) on their way into its file, where HDF5 has made
 * room for them: past the page cache where that is wanted and can be had. Each roll-over writes
 * them again, and nobody reads most of these files.
 *
 * Writer thread only. Blocks as long as the disk takes. */
#ifndef SLUICE_WRITER_MASTER_BULK_H
#define SLUICE_WRITER_MASTER_BULK_H

#include "core/error.h"
#include "writer/master/tree.h"

/* Of memory, position and length past the cache. */
#define SLUICE_MASTER_BLOCK_BYTES ((size_t)4096)
/* From here on arrays have their place on whole blocks. */
#define SLUICE_MASTER_BULK_LEAST ((size_t)64 << 10)

struct sluice_master_bulk {
    int fd;        /* of the file; -1: none is open */
    int direct_fd; /* past the page cache; -1: all goes through it */
    uint8_t *buffer;
};

/* The file is there. `direct`: past the page cache, unless the file system refuses it. */
enum sluice_status sluice_master_bulk_open(struct sluice_master_bulk *file, const char *path,
                                           bool direct, struct sluice_error *error);
/* The next piece of `bulk`, SLUICE_MASTER_PIECE_BYTES at most; what is left of it is in it. */
enum sluice_status sluice_master_bulk_write(struct sluice_master_bulk *file,
                                            struct sluice_tree_bulk *bulk,
                                            struct sluice_error *error);
/* The descriptors; the buffer stays for the next file. */
void sluice_master_bulk_close(struct sluice_master_bulk *file);
void sluice_master_bulk_free(struct sluice_master_bulk *file);

#endif
