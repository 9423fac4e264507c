/* SPDX-License-Identifier: Apache-2.0
 *
 * Pieces of a file on their way to the disk: a pool of aligned 1 MiB buffers (stages) and the
 * io_uring that writes them.
 *
 *   free --begin--> filling (owned by one target) --send--> in flight --written--> free
 *
 * With a feed (feed.h) the buffers lie in shared memory, and while there are live readers more are
 * made instead of using one again that these may still want. At most SLUICE_STAGES are not free.
 *
 * One thread. A target is one open file; its `in_flight` and `fault` say what became of its pieces.
 */
#ifndef SLUICE_WRITER_DRIVER_STAGES_H
#define SLUICE_WRITER_DRIVER_STAGES_H

#include <liburing.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"
#include "writer/driver/feed.h"

#define SLUICE_STAGES         12 /* being filled or in flight */
#define SLUICE_STAGE_BYTES    ((size_t)1 << 20)
#define SLUICE_DIRECT_ALIGN   ((uint64_t)4096) /* of addresses, lengths and memory with O_DIRECT */
#define SLUICE_ALIGN_UP(size) (((size) + SLUICE_DIRECT_ALIGN - 1) & ~(SLUICE_DIRECT_ALIGN - 1))

/* Where pieces go. Zeroed memory with valid descriptors is acceptable. */
struct sluice_target {
    int fd;        /* through the page cache */
    int direct_fd; /* O_DIRECT; -1: all goes through `fd` */
    unsigned in_flight;
    int fault;                    /* errno of the first piece that could not be written; 0: none */
    struct sluice_stage *filling; /* NULL: none */
    bool streaming;               /* its last piece was full */
    bool cached;                  /* direct writes were refused */
    struct sluice_feed_file file; /* for live readers */
};

struct sluice_stage {
    uint8_t *data; /* SLUICE_STAGE_BYTES, aligned */
    struct sluice_target *target;
    uint64_t base; /* position in the file, aligned */
    size_t fill;   /* bytes */
    size_t sent;   /* bytes of the request in flight; 0: not in flight */
    unsigned index;
    bool fed; /* live readers may find it: others are used again before it */
};

struct sluice_stages {
    struct io_uring ring;
    bool has_ring;
    bool registered; /* buffers are known to the kernel */
    bool refusal_told;
    uint8_t *memory;
    struct sluice_feed feed;    /* owns the memory when it is open */
    unsigned count;             /* that there may be */
    unsigned made;              /* that there are */
    bool no_more;               /* memory is to be had */
    struct sluice_stage *stage; /* count of them */
    unsigned *free;             /* indices, a ring: the next to be used first */
    unsigned free_first, free_count;
};

/* `live`: what is kept for live readers; NULL or 0 bytes: nothing. Where shared memory is not to be
 * had there is no feed, and the log says so. */
enum sluice_status sluice_stages_init(struct sluice_stages *stages,
                                      const struct sluice_feed_settings *live,
                                      struct sluice_error *error);
void sluice_stages_close(struct sluice_stages *stages);

/* Appends to the target's piece at `position`, which must follow what is in it, or be aligned. Full
 * pieces are sent. Blocks only when every stage is in flight. False: it does not follow and is not
 * aligned (nothing was done). */
bool sluice_stages_append(struct sluice_stages *stages, struct sluice_target *target,
                          uint64_t position, const void *data, size_t bytes);
/* Sends what the target's piece holds: past the cache when it is full, else (the end of a flush,
 * which live readers want at once) through it. What comes next must begin aligned. */
void sluice_stages_send(struct sluice_stages *stages, struct sluice_target *target);
/* Sends, and waits until nothing of the target is in flight. Returns its fault. */
int sluice_stages_settle(struct sluice_stages *stages, struct sluice_target *target);

/* Waits for what is in flight; what was not sent is forgotten. */
void sluice_stages_drop(struct sluice_stages *stages, struct sluice_target *target);

#endif
