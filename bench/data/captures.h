/* SPDX-License-Identifier: Apache-2.0
 *
 * Folders of Stream V2 messages as `sluice simulate --replay` sends them (NNNNNN.cbor), made for
 * the benchmark once, so that all senders of a run start at once and send the same. Blocks. */
#ifndef SLUICE_BENCH_DATA_CAPTURES_H
#define SLUICE_BENCH_DATA_CAPTURES_H

#include "bench/data/frames.h"

/* Frames of pixels as the only channel of a series of that detector, start and end message with
 * them; bslz4 as stock LZ4 makes it, or raw. *image_bytes: mean of the image messages. */
enum sluice_status sluice_capture_write_frames(const char *folder,
                                               const struct sluice_frames *frames,
                                               const struct sluice_model *model,
                                               enum sluice_encoding encoding, double *image_bytes,
                                               struct sluice_error *error);

/* The first plane of each image of a captured folder, as it was compressed there. */
enum sluice_status sluice_capture_write_plane(const char *folder, const char *captured,
                                              double *image_bytes, struct sluice_error *error);

/* A made capture of that detector with so many channels. */
enum sluice_status sluice_capture_write_made(const char *folder, const struct sluice_model *model,
                                             uint32_t channels, uint32_t count, double *image_bytes,
                                             struct sluice_error *error);

#endif
