/* SPDX-License-Identifier: Apache-2.0
 *
 * The layout of a feed, version 1: what a writer that goes past the page cache leaves in shared
 * memory for live readers. Its last pieces (bytes of data files, as they stand there) and a table
 * that says which part of which file each one is. For writer/driver/feed.c and
 * readers/follow/feed.c.
 *
 *   0               header  struct sluice_feed_header
 *   slots_offset    files   struct sluice_feed_slot, slot_count of them: the data files that the
 *                           writer has open
 *   entries_offset  table   struct sluice_feed_entry, entry i says what piece i is
 *   pieces_offset   pieces  piece i at pieces_offset + i * piece_bytes
 *
 * One process writes, holding flock(LOCK_EX) on the file; a feed without that lock is a leftover
 * and is not read. Any number read, with pread and not through a mapping: so nothing that happens
 * to the file can hurt them, and there are no bytes that two threads of one program race for.
 *
 * A piece, an entry and a slot are written while their sequence is odd. A reader that found the
 * same even sequence before and after it has read a piece has read what the entry says:
 *
 *   writer  odd sequence, order [edge FEED_RETRACT], entry and bytes, even sequence [FEED_PUBLISH]
 *   reader  entry, order [edge FEED_PUBLISH], bytes, order [edge FEED_RETRACT], entry again
 *
 * Readers hold a shared lock (fcntl, F_OFD_SETLK) on the first byte. As long as nobody does, the
 * writer tells of no piece and takes no memory for more than are in flight.
 *
 * What a file's piece says never changes, since payloads are written once. A file is its device,
 * inode and time of birth, so that one which inherits an inode is not taken for the one before it.
 *
 * The names begin with SLUICE_FEED_PREFIX, in SLUICE_FEED_DIRECTORY. */
#ifndef SLUICE_CORE_FEED_LAYOUT_H
#define SLUICE_CORE_FEED_LAYOUT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SLUICE_FEED_DIRECTORY "/dev/shm"
#define SLUICE_FEED_PREFIX    "sluice-live-"
#define SLUICE_FEED_MAGIC     "SLUICELV"
#define SLUICE_FEED_VERSION   1u

#define SLUICE_FEED_PIECES_MAX   65536u
#define SLUICE_FEED_SLOTS_OFFSET 512u
#define SLUICE_FEED_SLOT_COUNT   120u
#define SLUICE_FEED_ENTRY_BYTES  64u
#define SLUICE_FEED_PIECES_ALIGN 4096u

struct sluice_feed_header {
    char magic[8]; /* without NUL */
    uint32_t version;
    uint32_t piece_count, piece_bytes;
    uint32_t slot_count, slots_offset, entries_offset;
    uint64_t pieces_offset;
    int64_t pid;
};

/* Which file, wherever it is named. Birth 0: not known, so that it cannot be told for certain. */
struct sluice_feed_file {
    uint64_t device, inode, birth_ns;
};

struct sluice_feed_slot {
    _Atomic uint64_t sequence; /* odd: free or being written; 0: never used */
    struct sluice_feed_file file;
    _Atomic uint64_t flushes; /* after which images became visible */
    uint64_t unused[3];
};

struct sluice_feed_entry {
    _Atomic uint64_t sequence; /* odd: being written; 0: never was */
    struct sluice_feed_file file;
    uint64_t position; /* in the file */
    uint64_t bytes;
    uint64_t unused[2];
};

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && sizeof(_Atomic uint64_t) == 8, "plain words");
_Static_assert(sizeof(struct sluice_feed_header) == 48, "layout version 1");
_Static_assert(sizeof(struct sluice_feed_slot) == SLUICE_FEED_ENTRY_BYTES, "layout version 1");
_Static_assert(sizeof(struct sluice_feed_entry) == SLUICE_FEED_ENTRY_BYTES, "layout version 1");

/* Where the table begins, and the pieces. */
#define SLUICE_FEED_ENTRIES_OFFSET                                                                 \
    (SLUICE_FEED_SLOTS_OFFSET + SLUICE_FEED_SLOT_COUNT * SLUICE_FEED_ENTRY_BYTES)
static inline uint64_t sluice_feed_pieces_offset(uint32_t piece_count)
{
    const uint64_t end =
        SLUICE_FEED_ENTRIES_OFFSET + (uint64_t)piece_count * SLUICE_FEED_ENTRY_BYTES;
    return (end + SLUICE_FEED_PIECES_ALIGN - 1) & ~(uint64_t)(SLUICE_FEED_PIECES_ALIGN - 1);
}

/* Nothing after it happens before what stands before it, also what the kernel does for us. A
 * read-modify-write and a load of `word`, because sanitizers follow no fence. */
static inline void sluice_feed_order(_Atomic uint64_t *word)
{
    atomic_fetch_add_explicit(word, 0, memory_order_seq_cst);
    (void)atomic_load_explicit(word, memory_order_seq_cst);
}

/* The file behind a descriptor. */
struct sluice_feed_file sluice_feed_file_of(int fd);
static inline bool sluice_feed_same_file(const struct sluice_feed_file *a,
                                         const struct sluice_feed_file *b)
{
    return a->device == b->device && a->inode == b->inode && a->birth_ns == b->birth_ns;
}

#endif
