/* SPDX-License-Identifier: Apache-2.0
 *
 * Work in a child process, watched over by its parent: for what a library may not survive. HDF5
 * does not stand every damaged file: it crashes in some, and computes for ever in others.
 *
 * The child does everything (it writes to the same descriptors); the parent only waits, passes
 * SIGINT and SIGTERM on (SIGUSR1 too, where it has a handler), and knows afterwards how the child
 * ended. A parent that is killed takes its child with it. One thread in the process; one guard at a
 * time. */
#ifndef SLUICE_CORE_GUARD_H
#define SLUICE_CORE_GUARD_H

#include <stdbool.h>

#include "core/error.h"

#define SLUICE_GUARD_FILE_BYTES 4096

struct sluice_guard_result {
    int code;         /* what `work` returned, 0 to 255; -1: the child did not get so far */
    bool interrupted; /* SIGINT or SIGTERM came */
    char why[160];    /* of code -1, a sentence: crashed, stuck or killed */
    char file[SLUICE_GUARD_FILE_BYTES]; /* that it opened last; "": none */
};

/* Runs work(context) in a child, which ends with what it returns. The child is ended when it has
 * computed for `stuck_s` seconds (CPU time) without a sluice_guard_alive. */
enum sluice_status sluice_guard_run(int (*work)(void *context), void *context, unsigned stuck_s,
                                    struct sluice_guard_result *result, struct sluice_error *error);

/* Called by the work: it goes on / it now opens `path`. Without a guard they do nothing. */
void sluice_guard_alive(void);
void sluice_guard_file(const char *path);

#endif
