/* SPDX-License-Identifier: Apache-2.0
 *
 * The messages of a folder, one after the other in the order of names: NNNNNN.cbor holds one,
 * NNNNNN.part00, NNNNNN.part01 … are the parts of one; other files are passed over. Only the
 * message in hand is in memory. One thread. */
#ifndef SLUICE_BENCH_DETECTOR_CAPTURE_FILES_H
#define SLUICE_BENCH_DETECTOR_CAPTURE_FILES_H

#include "bench/detector/multipart.h"
#include "core/error.h"

struct dirent;

struct sluice_capture_files {
    const char *directory; /* borrowed until close */
    struct dirent **entries;
    int count, next;
};

/* NOT_FOUND when the folder cannot be read. */
enum sluice_status sluice_capture_files_open(struct sluice_capture_files *files,
                                             const char *directory, struct sluice_error *error);
/* The next message into `message`, which the caller closes in every case, and the name of its first
 * file, valid until close. OK; END; IO, LIMIT or NO_MEMORY with the reason. */
enum sluice_status sluice_capture_files_next(struct sluice_capture_files *files,
                                             struct sluice_multipart *message, const char **name,
                                             struct sluice_error *error);
void sluice_capture_files_close(struct sluice_capture_files *files);

#endif
