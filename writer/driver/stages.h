/* SPDX-License-Identifier: Apache-2.0
 *
 * Pieces of a file on their way to the disk: a pool of aligned 1 MiB buffers (stages) that payloads
 * are copied into, pieces of lent or borrowed memory that is written from where it lies, and the
 * io_uring that writes them all.
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
#include "core/memory.h"
#include "writer/driver/counts.h"
#include "writer/driver/feed.h"
#include "writer/driver/gather.h"
#include "writer/driver/spill.h"

#define SLUICE_STAGES         12 /* being filled or in flight */
#define SLUICE_LOANS          16 /* likewise, of lent and borrowed memory */
#define SLUICE_GATHERS        3  /* of these, of borrowed memory */
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
    unsigned streaming;           /* a burst: its last piece was full (2), or a small rest behind
                                     a full one (1); 0: neither */
    bool cached;                  /* direct writes were refused */
    struct sluice_feed_file file; /* for live readers */
};

struct sluice_stage {
    const uint8_t *data; /* aligned */
    size_t room;         /* bytes, up to SLUICE_STAGE_BYTES */
    struct sluice_target *target;
    uint64_t base;  /* position in the file, aligned */
    size_t fill;    /* bytes */
    size_t padding; /* of them between images of lent memory */
    size_t sent;    /* bytes of the request in flight; 0: not in flight */
    unsigned index;
    uint8_t *buffer; /* the same, of our buffers; NULL: lent memory */
    bool fed;        /* live readers may find it: others are used again before it */
    uint64_t loan;   /* counts pieces of lent memory, from 1; 0: it is one of our buffers */
    struct sluice_gather *gather; /* the piece is what this holds, and `data` is NULL */
};

struct sluice_stages {
    struct io_uring ring;
    bool cached;       /* as chosen: no ring, all goes through the page cache */
    bool unread_apart; /* as chosen: ends of flushes go past it while nobody follows */
    bool has_ring;
    bool registered; /* buffers are known to the kernel */
    bool refusal_told;
    unsigned in_flight; /* of all targets */
    struct sluice_spill spill;
    struct sluice_driver_counts counts; /* but `held`, which the spill counts */
    uint8_t *memory;
    _Atomic bool readers;       /* somebody follows: then nothing is lent, for it is not fed */
    struct sluice_feed feed;    /* owns the memory when it is open */
    unsigned count;             /* that there may be */
    unsigned made;              /* that there are */
    bool no_more;               /* memory is to be had */
    struct sluice_stage *stage; /* count of them */
    unsigned *free;             /* indices, a ring: the next to be used first */
    unsigned free_first, free_count;

    uint8_t *arena; /* memory for payloads that is ours but filled by others; NULL: none */
    size_t arena_bytes;
    struct sluice_region region; /* holds the arena */
    struct sluice_stage loan[SLUICE_LOANS];
    uint64_t loans; /* so many were begun */
    struct sluice_gather gather[SLUICE_GATHERS];
    struct sluice_region gather_memory; /* their own pages; none: nothing is borrowed */
};

/* `live`: what is kept for live readers; NULL or 0 bytes: nothing. Where shared memory is not to be
 * had there is no feed, and the log says so. `arena_bytes` of memory are made for payloads, whole
 * MiB; 0: none. */
enum sluice_status sluice_stages_init(struct sluice_stages *stages, bool cached,
                                      const struct sluice_feed_settings *live, size_t arena_bytes,
                                      struct sluice_error *error);
void sluice_stages_close(struct sluice_stages *stages);
/* With so many pieces in flight the next one goes through the page cache while that is quick
 * (spill.h); 0, as at first: it waits. No more than SLUICE_SPILL_MOST count. */
#define SLUICE_SPILL_MOST (SLUICE_LOANS - 2)
void sluice_stages_spill(struct sluice_stages *stages, unsigned after);

/* Appends to the target's piece at `position`, which must follow what is in it, or be aligned. Full
 * pieces are sent. Blocks only when every stage is in flight. False: it does not follow and is not
 * aligned (nothing was done). */
bool sluice_stages_append(struct sluice_stages *stages, struct sluice_target *target,
                          uint64_t position, const void *data, size_t bytes);
/* The same for lent memory, which is not copied but stays as it is until sluice_stages_returned
 * says so, in whole pages. It must follow in the file as it does in memory, up to the next whole
 * page; or else both must be aligned. False: neither (nothing was done), it has to be appended. */
bool sluice_stages_lend(struct sluice_stages *stages, struct sluice_target *target,
                        uint64_t position, const void *data, size_t bytes);
/* The same for memory of which nothing but the payload is ours to write: see gather.h. Its place
 * within a page must be that of the position. Whether that may be now is asked before a position is
 * chosen. False: it may not (nothing was done), or not there; it has to be appended. */
bool sluice_stages_may_borrow(struct sluice_stages *stages, const struct sluice_target *target,
                              const void *data, size_t bytes);
bool sluice_stages_borrow(struct sluice_stages *stages, struct sluice_target *target,
                          uint64_t position, const void *data, size_t bytes);
/* Memory for that. NO_MEMORY. */
enum sluice_status sluice_stages_prepare_borrowing(struct sluice_stages *stages,
                                                   struct sluice_error *error);
/* Whether `data` may be put behind what the target's piece holds without a gap in the file; else
 * its position must be aligned. */
bool sluice_stages_follows(const struct sluice_target *target, const void *data, bool lent);
/* How many loans there have been; and up to which of them all are back (takes what is written, does
 * not block). */
static inline uint64_t sluice_stages_loans(const struct sluice_stages *stages)
{
    return stages->loans;
}
uint64_t sluice_stages_returned(struct sluice_stages *stages);
/* Loans are in flight; waits for the next piece that is written. */
bool sluice_stages_flying(const struct sluice_stages *stages);
void sluice_stages_wait(struct sluice_stages *stages);
/* Readers would be known, and there were none when the feed was asked last. */
bool sluice_stages_unread(const struct sluice_stages *stages);
/* Asks the feed anew whether there are live readers; so does each piece that is sent. */
void sluice_stages_look(struct sluice_stages *stages);
/* Sends the target's loans, also what would make a larger piece later, and waits for them. */
void sluice_stages_recall(struct sluice_stages *stages, struct sluice_target *target);
/* Sends what the target's piece holds: past the cache when it is full, else (the end of a flush,
 * which live readers want at once) through it, unless it is large and nobody follows. What comes
 * next must begin aligned. */
void sluice_stages_send(struct sluice_stages *stages, struct sluice_target *target);
/* Sends, and waits until nothing of the target is in flight. Returns its fault. */
int sluice_stages_settle(struct sluice_stages *stages, struct sluice_target *target);

/* Waits for what is in flight; what was not sent is forgotten. */
void sluice_stages_drop(struct sluice_stages *stages, struct sluice_target *target);

#endif
