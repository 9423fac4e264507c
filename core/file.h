/* SPDX-License-Identifier: Apache-2.0
 *
 * What every room that makes files asks of the system. Any thread; all of it may block on a disk
 * (and on the group database), so none of it is on the path of an image. */
#ifndef SLUICE_CORE_FILE_H
#define SLUICE_CORE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/error.h"

/* All of it at `position`, whatever the system interrupts or cuts short. 0 or errno. */
int sluice_write_fully(int fd, const void *data, size_t bytes, uint64_t position);

/* What the directory of `path` says of it is on the disk. 0 or errno. */
int sluice_sync_entry(const char *path);

/* The directory and those above it. Those that it makes, and no others, get exactly this mode and,
 * when it is not NULL, this group. LIMIT: the path is too long. IO, SYSTEM: it cannot be made;
 * those that were made stay. */
enum sluice_status sluice_make_directories(const char *path, mode_t mode, const gid_t *group,
                                           struct sluice_error *error);

/* Closes it on a thread of its own, for the last descriptor of a file without a name: its blocks
 * are given back then, and a disk that is told of them (mount option discard) may be waited for. */
void sluice_close_aside(int fd);

/* By name or by number; a name goes first. False: there is none. */
bool sluice_find_group(const char *name, gid_t *group);

#endif
