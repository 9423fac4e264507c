/* SPDX-License-Identifier: Apache-2.0
 *
 * The follower itself. Private to the room: follow.c keeps it going, read.c answers what is asked
 * of it. */
#ifndef SLUICE_READERS_FOLLOW_INTERNAL_H
#define SLUICE_READERS_FOLLOW_INTERNAL_H

#include "core/clock.h"
#include "readers/follow/facts.h"
#include "readers/follow/file.h"
#include "readers/follow/set.h"
#include "readers/follow/watch.h"

struct sluice_follow {
    struct sluice_set set;
    struct sluice_watch watch;
    const struct sluice_clock *clock;

    uint32_t channel_count;
    struct sluice_follow_channel channels[SLUICE_PLANES_MAX];
    struct sluice_facts facts[SLUICE_PLANES_MAX];

    struct sluice_follow_file **files; /* by index, owned */
    uint32_t *order;                   /* indices, ascending by number */
    size_t file_count, file_capacity;
    size_t current; /* place in order: no file before it has fresh rows */

    uint64_t newest, backlog;
    bool came;              /* a file came or was renamed */
    bool ended;             /* the master said so before the round */
    bool unflushed;         /* the last round: the writer says that there is nothing new */
    uint64_t events_heeded; /* so many of the watch's, before the writer was asked again */
    bool unopened;          /* files wait to be opened in a later round */
    int64_t scan_ns;        /* of the last look at the directory */
    int64_t round_ns;       /* of the last round */
    int64_t progress_ns;    /* of the last fruitful one */
    int64_t stuck_since_ns; /* since when a file could not be opened; 0: none */
    int64_t pause_ns;

    size_t gap_at;              /* place in order whose gap before it comes next */
    uint64_t gap_from;          /* the images below are told */
    uint64_t gap_next, gap_end; /* images of the gap being given */
    struct sluice_file_buffers buffers;
};

#endif
