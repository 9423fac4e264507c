/* SPDX-License-Identifier: Apache-2.0
 *
 * Which files belong together: NAME, its data files, its masters. Private to the room; one thread.
 *
 * Data files come from two sources: names in the set's directory, and the links of the master,
 * which also know files in other directories. The master is only read for metadata and closed at
 * once: its links and virtual datasets are never followed through HDF5, so that no image dataset
 * is ever open twice in the process. A virtual dataset over files that are not named as data files
 * (other writers') is the exception: then the file that holds it is read alone, through it. */
#ifndef SLUICE_READERS_FOLLOW_SET_H
#define SLUICE_READERS_FOLLOW_SET_H

#include <sys/stat.h>

#include "core/error.h"
#include "writer/layout/layout.h"

enum sluice_set_state {
    SLUICE_SET_UNKNOWN, /* no master, or one that does not say */
    SLUICE_SET_WRITING,
    SLUICE_SET_DONE,
    SLUICE_SET_FAILED,
};

struct sluice_set_file {
    char *path;      /* owned */
    uint64_t number; /* in its name; orders the files */
};

struct sluice_set {
    char directory[SLUICE_PATH_BYTES]; /* where the masters lie */
    char name[SLUICE_PATH_BYTES];      /* NAME, without directories; of a lone file its own name */
    bool lone;                         /* one file that belongs to no set */
    bool has_images;                   /* the file given holds images itself */
    struct sluice_set_file *files;     /* ascending by number; owned */
    size_t count, capacity;
    enum sluice_set_state state;
    char master[SLUICE_PATH_BYTES];         /* that `state` comes from; "" while there is none */
    struct stat master_stamp;               /* of the master as it was read last */
    char linked_dataset[SLUICE_NAME_BYTES]; /* what the links of that master lead to; "" unknown */
};

/* Finds NAME and the files that exist now. NOT_FOUND while there is no data file (call again);
 * anything else is final. `set` is zeroed before the first call. */
enum sluice_status sluice_set_resolve(struct sluice_set *set, const char *path,
                                      struct sluice_error *error);
void sluice_set_close(struct sluice_set *set);

/* Looks for new data files in the directory. Files keep their order, not their index. */
void sluice_set_scan(struct sluice_set *set);
/* Reads the master again if it was replaced: state, and files that its links name. */
void sluice_set_read_master(struct sluice_set *set);
/* A number that changes while masters of the set are written or replaced. */
uint64_t sluice_set_master_activity(const struct sluice_set *set);
/* The master that describes the channel stored as `dataset`; false when there is none (yet). */
bool sluice_set_channel_master(const struct sluice_set *set, const char *dataset,
                               uint32_t channel_count, char *path, size_t bytes);

#endif
