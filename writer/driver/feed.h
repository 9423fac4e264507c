/* SPDX-License-Identifier: Apache-2.0
 *
 * Feeds live readers from memory: the pieces that go past the page cache lie in a file of shared
 * memory, and a table says which part of which data file each one is (core/feed_layout.h). A piece
 * can be read from the moment it is whole until its memory is used again.
 *
 *   prepare(i) .. retract(i) .. the caller fills piece i .. publish(i, file, position, bytes) ..
 *                 retract(i) .. and so on
 *
 * Pieces take memory when they are prepared, so that a feed that nobody reads costs none.
 *
 * One thread, except that it may be opened and closed anywhere. Readers cannot slow the writer:
 * they only read, and nothing waits for them. The name goes away at the close; what a killed writer
 * left is removed by the next one of the same user. */
#ifndef SLUICE_WRITER_DRIVER_FEED_H
#define SLUICE_WRITER_DRIVER_FEED_H

#include <stdbool.h>
#include <sys/types.h>

#include "core/error.h"
#include "core/feed_layout.h"

struct sluice_feed {
    uint8_t *memory;                   /* piece_count * piece_bytes, page aligned; NULL: not open */
    struct sluice_feed_header *header; /* the mapping */
    struct sluice_feed_slot *slots;
    struct sluice_feed_entry *entries;
    size_t bytes; /* of the mapping */
    uint32_t piece_count;
    int fd; /* holds the lock */
    char path[256];
};

struct sluice_feed_settings {
    const char *directory; /* SLUICE_FEED_DIRECTORY */
    uint64_t bytes;        /* that are kept for readers; 0: no feed */
    uint32_t mode;         /* of the data files, less those who cannot reach them */
    const gid_t *group;    /* of the data files; NULL: ours */
};

/* On a failure `feed` is closed, and the caller goes on without. Zeroed memory may be closed. */
enum sluice_status sluice_feed_open(struct sluice_feed *feed,
                                    const struct sluice_feed_settings *settings,
                                    uint32_t piece_count, uint32_t piece_bytes,
                                    struct sluice_error *error);
void sluice_feed_close(struct sluice_feed *feed);

/* S_IRGRP, S_IROTH, both or none: who gets through all directories down to this absolute path,
 * which is a directory, as a member of the group and as anybody. */
uint32_t sluice_feed_reach(const char *path, gid_t group);
/* Whoever may read the feed may read this file too. One that is not so must not be told. */
bool sluice_feed_may_tell(const struct sluice_feed *feed, int data_fd, const char *path);

/* Memory for `count` pieces from `first` on, faulted in: before they are touched. False: there is
 * no more. */
bool sluice_feed_prepare(struct sluice_feed *feed, uint32_t first, uint32_t count);
/* Whether anybody follows one of its files. Any thread. */
bool sluice_feed_has_readers(const struct sluice_feed *feed);

/* No reader takes the piece any more: before its memory is written to. On a closed feed these do
 * nothing. */
void sluice_feed_retract(struct sluice_feed *feed, uint32_t piece);
/* Its first `bytes` are what the file has, or will have, at `position`. The piece is retracted. A
 * file whose birth is not known is not told. */
void sluice_feed_publish(struct sluice_feed *feed, uint32_t piece,
                         const struct sluice_feed_file *file, uint64_t position, uint64_t bytes);
#define SLUICE_FEED_UNLISTED UINT32_MAX

/* Lists a file that readers may follow from now on; anything that was told of one with its inode is
 * retracted. Returns its slot, or UNLISTED: then it is not fed. */
uint32_t sluice_feed_list(struct sluice_feed *feed, const struct sluice_feed_file *file);
/* It is closed: its pieces stay. UNLISTED is accepted, also below. */
void sluice_feed_unlist(struct sluice_feed *feed, uint32_t slot);
/* What was written is visible in the file. */
void sluice_feed_flushed(struct sluice_feed *feed, uint32_t slot);

/* Retracts all of a file: what is there under its inode is new, or not what was written. */
void sluice_feed_forget(struct sluice_feed *feed, const struct sluice_feed_file *file);

#endif
