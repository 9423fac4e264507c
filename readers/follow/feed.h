/* SPDX-License-Identifier: Apache-2.0
 *
 * The reading end of a feed (core/feed_layout.h): bytes of a data file that its writer still has in
 * memory. Private to the room; one thread.
 *
 * Everything is a question that may be answered with "not here": then the file is read. Only feeds
 * of the data file's owner count, which nobody else can write to, and only while their writer
 * lives. */
#ifndef SLUICE_READERS_FOLLOW_FEED_H
#define SLUICE_READERS_FOLLOW_FEED_H

#include <stdbool.h>
#include <sys/types.h>

#include "core/feed_layout.h"

struct sluice_fed {
    int fd; /* of the feed; -1: there is none */
    struct sluice_feed_file file;
    struct sluice_feed_header header;
    uint64_t slot_offset, slot_sequence;
    struct sluice_feed_entry *table; /* as it was last read; owned */
    _Atomic uint64_t order;
};

/* Looks through `directory` for the feed that lists the data file behind the descriptor, and tells
 * its writer that there is a reader until the close. False: there is none, and all that follows
 * answers so. */
bool sluice_fed_open(struct sluice_fed *fed, const char *directory, int data_fd);
void sluice_fed_close(struct sluice_fed *fed);

/* Copies what it has of [position, position + bytes), from `position` on: returns how much. */
size_t sluice_fed_read(struct sluice_fed *fed, uint64_t position, void *to, size_t bytes);

/* How often images of the file became visible so far: as long as it is the same there is nothing
 * new in the file. Asked before the file is read. False: that cannot be told (any more). */
bool sluice_fed_flushes(struct sluice_fed *fed, uint64_t *flushes);

#endif
