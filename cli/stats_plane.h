/* SPDX-License-Identifier: Apache-2.0
 *
 * The basic statistics of one image and plane for `sluice stats`: from its stored bytes where a
 * plane is one chunk of ours, else from pixels that HDF5 reads. One thread; zeroed memory is
 * closed. */
#ifndef SLUICE_CLI_STATS_PLANE_H
#define SLUICE_CLI_STATS_PLANE_H

#include "readers/follow/follow.h"
#include "readers/stats/payload.h"

struct sluice_stats_planes {
    bool with_pixels;                        /* always decode the whole plane first */
    void *pixels;                            /* one decoded plane, page-aligned */
    uint8_t *mask_planes[SLUICE_PLANES_MAX]; /* by channel; made at its first image */
    struct sluice_stats_scratch scratch;
};

/* Makes room for planes of up to so many bytes; false: no memory. */
bool sluice_stats_planes_open(struct sluice_stats_planes *planes, size_t plane_bytes,
                              bool with_pixels);
void sluice_stats_planes_close(struct sluice_stats_planes *planes);

/* Checksum, decoding, statistics. A `survey` (NULL: none), begun, gets the pixels too. What is
 * wrong is in `why`; NOT_FOUND: a file without keys never had this image. */
enum sluice_status sluice_stats_planes_compute(struct sluice_stats_planes *planes,
                                               struct sluice_follow *follow,
                                               const struct sluice_follow_row *row,
                                               uint32_t channel, struct sluice_survey *survey,
                                               struct sluice_stats *stats,
                                               struct sluice_error *why);

#endif
