/* SPDX-License-Identifier: Apache-2.0
 *
 * Wakes the follower when something happens to files of its set: inotify on the directories, and a
 * poll interval for file systems that do not report (network ones). Private to the room; one
 * thread. Working without inotify (no more watches) is not an error: the poll remains. */
#ifndef SLUICE_READERS_FOLLOW_WATCH_H
#define SLUICE_READERS_FOLLOW_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "writer/layout/layout.h"

#define SLUICE_WATCH_DIRECTORIES_MAX 16

struct sluice_watch {
    int fd; /* -1: polls only */
    uint32_t count;
    uint64_t events; /* that concerned the set, so far */
    char directories[SLUICE_WATCH_DIRECTORIES_MAX][SLUICE_PATH_BYTES];
};

void sluice_watch_init(struct sluice_watch *watch);
void sluice_watch_close(struct sluice_watch *watch);
/* Watches a directory too; one that is watched already, or is not there yet, does nothing. */
void sluice_watch_add(struct sluice_watch *watch, const char *directory);

/* Waits until a file whose name starts with `prefix` changed in a watched directory, at most
 * `wait_ns` and at most the poll interval. Returns true when files came or were renamed. A signal
 * ends the wait early. */
bool sluice_watch_wait(struct sluice_watch *watch, const char *prefix, int64_t wait_ns);

/* The same without waiting, for what has happened already. */
bool sluice_watch_poll(struct sluice_watch *watch, const char *prefix);

#endif
