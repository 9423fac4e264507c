/* SPDX-License-Identifier: Apache-2.0
 *
 * Slots whose payloads the file driver writes from where they lie: they go back when that is done,
 * in the order in which they were written. Writer thread only. */
#ifndef SLUICE_WRITER_HELD_H
#define SLUICE_WRITER_HELD_H

#include "writer/sink/sink.h"

struct sluice_held_slot {
    uint32_t slot;
    uint64_t loan; /* the last one of it: sluice_direct_lent */
};

/* A queue with room for every slot; one that is empty holds none. Zeroed memory may be closed. */
struct sluice_held {
    struct sluice_held_slot *slots;
    uint32_t first, next, mask; /* run free */
};

enum sluice_status sluice_held_init(struct sluice_held *held, uint32_t slot_count);
void sluice_held_close(struct sluice_held *held);

/* So many slots are held that the source may soon miss them. */
bool sluice_held_crowded(const struct sluice_sink *sink);
/* Gives the slot back once everything that the driver was lent up to now is written. */
void sluice_held_add(const struct sluice_sink *sink, uint32_t slot);
/* Gives back what is written by now. Cheap when nothing is held. */
void sluice_held_release(const struct sluice_sink *sink);
/* Some are on their way to the disk: then the writer has work, although nothing new is there. */
bool sluice_held_flying(const struct sluice_sink *sink);
/* Before the writer sleeps, since the source may be waiting for them: waits for some of those on
 * their way, or sends the others and waits for all, and gives them back. False: none were held. */
bool sluice_held_wait(const struct sluice_sink *sink);

#endif
