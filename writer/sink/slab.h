/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory for the small things that live as long as a series: records of files, their bits and
 * paths. Taken from large blocks and freed all at once, so that what stays for each file does not
 * lie between the megabytes that HDF5 takes and gives back for it (measured: 25 KB a file resident
 * without it, for 400 bytes in use). One thread; zeroed memory is an empty slab. */
#ifndef SLUICE_WRITER_SLAB_H
#define SLUICE_WRITER_SLAB_H

#include <stddef.h>

struct sluice_slab_block;
struct sluice_slab {
    struct sluice_slab_block *blocks; /* the newest first */
    size_t used, room;                /* of the newest that is shared */
};

/* Zeroed, aligned to 16; NULL when memory is out. Valid until the slab is closed. */
void *sluice_slab_take(struct sluice_slab *slab, size_t bytes);
char *sluice_slab_text(struct sluice_slab *slab, const char *text);
void sluice_slab_close(struct sluice_slab *slab);

#endif
