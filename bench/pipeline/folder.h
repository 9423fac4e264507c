/* SPDX-License-Identifier: Apache-2.0
 *
 * Folders for what a benchmark writes: `sluice-bench-XXXXXX` below a directory, with a lock file
 * that is held as long as the process lives, and `files` for whoever measures.
 *
 *   sluice-bench-Xb3k9Q/lock     flock, from before it has this name until the folder is removed;
 *                                holds the machine's name
 *                       files/   all else
 *
 * So what a killed benchmark left, gigabytes maybe, is told for sure from what another one is
 * using: the kernel gives the lock back when its holder has died. A folder without that file, or
 * of another machine, is nobody's business. Blocks; one thread. */
#ifndef SLUICE_BENCH_PIPELINE_FOLDER_H
#define SLUICE_BENCH_PIPELINE_FOLDER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "core/error.h"

#define SLUICE_BENCH_FOLDER_BYTES 2000

struct sluice_bench_folder {
    char path[SLUICE_BENCH_FOLDER_BYTES - 8]; /* empty: not there */
    char files[SLUICE_BENCH_FOLDER_BYTES];    /* in it */
    int lock;                                 /* descriptor; -1: this file system has no locks */
};

/* IO, errno and path in the error. Zeroed memory may be removed. */
enum sluice_status sluice_bench_folder_make(struct sluice_bench_folder *folder, const char *parent,
                                            struct sluice_error *error);
void sluice_bench_folder_remove(struct sluice_bench_folder *folder);

/* Removes below `parent` what processes of the same user left that have died, and says so on
 * `stream`. Returns how many. */
uint32_t sluice_bench_folder_sweep(const char *parent, FILE *stream);

/* Removes what is in a directory, and the directory too when `itself`. */
void sluice_bench_empty(const char *directory, bool itself);

#endif
