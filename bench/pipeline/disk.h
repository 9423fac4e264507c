/* SPDX-License-Identifier: Apache-2.0
 *
 * What the disk takes: one reserved file, written in aligned pieces of 1 MiB with O_DIRECT and
 * io_uring, a fixed number in flight, from memory that is there. Nobody who writes images can be
 * faster for long. */
#ifndef SLUICE_BENCH_PIPELINE_DISK_H
#define SLUICE_BENCH_PIPELINE_DISK_H

#include <stdint.h>

#include "core/error.h"

/* Writes about `bytes` (whole pieces) into a new file. *written and *seconds: until the last piece
 * is there. UNSUPPORTED where the file system knows no O_DIRECT or the kernel no io_uring; IO,
 * NO_SPACE, EXISTS. Blocks. */
enum sluice_status sluice_disk_run(const char *path, uint64_t bytes, uint64_t *written,
                                   double *seconds, struct sluice_error *error);

#endif
