/* SPDX-License-Identifier: Apache-2.0
 *
 * Follows the data files of one series, finished or growing, row by row.
 *
 * Opens data files only (SWMR read, each dataset once: lessons in docs/architecture.md), woken by
 * inotify; refreshes the key column first and the images after it; a row is there when its key cell
 * equals its image number + 1. Rolls over to the next file; knows the end of the series from
 * `finished` and the master's state; survives a writer that dies. It never writes and holds no
 * lock: the writer cannot notice it.
 *
 * One thread. HDF5's own error printing is switched off. */
#ifndef SLUICE_READERS_FOLLOW_H
#define SLUICE_READERS_FOLLOW_H

#include <signal.h>

#include "core/error.h"
#include "core/series.h"
#include "writer/layout/layout.h"

struct sluice_follow;

struct sluice_follow_channel {
    char name[SLUICE_NAME_BYTES];    /* the detector's name of it (attribute `channel`) */
    char dataset[SLUICE_NAME_BYTES]; /* below /entry/data */
    uint32_t width, height;
    enum sluice_dtype dtype;
    enum sluice_encoding encoding; /* of the dataset's filter */
};

/* What the files of a set may not say: bits of sluice_follow_lacks. */
enum sluice_follow_lack {
    SLUICE_LACK_IMAGE_ID = 1, /* every row of the extent is taken as an image */
    SLUICE_LACK_CHECKSUM = 2,
    SLUICE_LACK_MASK = 4,
};

struct sluice_follow_row {
    uint64_t image;                /* 0-based image number of the series */
    uint64_t row;                  /* in its file */
    uint32_t file;                 /* index into the files of the set */
    enum sluice_row_status status; /* WRITTEN, LOST or REFUSED */
    int64_t arrival_real_ns;       /* 0 where the file has no such column */
};

/* Opens the set that `path` (any file of it: data file, master or .nxs) belongs to. With `wait_ns`
 * > 0 a set that does not exist yet is waited for, until `*stop` is not 0 (a signal handler may set
 * it; NULL: nothing stops it). */
enum sluice_status sluice_follow_open(const char *path, int64_t wait_ns,
                                      const volatile sig_atomic_t *stop,
                                      struct sluice_follow **follow, struct sluice_error *error);
void sluice_follow_close(struct sluice_follow *follow); /* NULL is accepted */

uint32_t sluice_follow_channel_count(const struct sluice_follow *follow);
const struct sluice_follow_channel *sluice_follow_channel(const struct sluice_follow *follow,
                                                          uint32_t channel);

/* Mask (height × width, NULL when the master has none) and saturation value of a channel, from its
 * own master; read once, borrowed until close. The first question waits for that master while one
 * may still come (a series that runs or has just ended), for 5 s in which nothing is written of
 * any, and warns when it does not. */
const uint32_t *sluice_follow_mask(struct sluice_follow *follow, uint32_t channel);
bool sluice_follow_saturation(struct sluice_follow *follow, uint32_t channel, int64_t *value);
/* Where the beam hits the detector, in pixels; false where the master does not say. */
bool sluice_follow_beam(struct sluice_follow *follow, uint32_t channel, double *x, double *y);

/* Bits of enum sluice_follow_lack, from the first file and the masters (see sluice_follow_mask). */
unsigned sluice_follow_lacks(struct sluice_follow *follow);

/* The next row that is there, in order of image number within a file as rows become visible; each
 * row once. OK; AGAIN when nothing new came for `timeout_ns` (0: only looks, negative: for ever);
 * END when the series has ended and every row was given (lost ones too). Anything else is a fault.
 */
enum sluice_status sluice_follow_next(struct sluice_follow *follow, int64_t timeout_ns,
                                      struct sluice_follow_row *row, struct sluice_error *error);

/* True when the set is complete: the writer closed it in order. */
bool sluice_follow_finished(const struct sluice_follow *follow);
/* Highest image number + 1 that is visible. */
uint64_t sluice_follow_newest(const struct sluice_follow *follow);

/* The stored chunk of a written row, undecoded, in a buffer of the follower's (valid until its next
 * call). `encoding` is NONE where the chunk was stored without the filter. UNSUPPORTED where a
 * chunk is not a plane in an encoding of ours: then only sluice_follow_pixels gives it. */
enum sluice_status sluice_follow_chunk(struct sluice_follow *follow,
                                       const struct sluice_follow_row *row, uint32_t channel,
                                       struct sluice_span *chunk, enum sluice_encoding *encoding,
                                       struct sluice_error *error);
/* The same, held against the checksum column where there is one: what sluice_follow_pixels decodes.
 */
enum sluice_status sluice_follow_payload(struct sluice_follow *follow,
                                         const struct sluice_follow_row *row, uint32_t channel,
                                         struct sluice_span *payload,
                                         enum sluice_encoding *encoding,
                                         struct sluice_error *error);
/* False where sluice_follow_chunk and sluice_follow_payload would say UNSUPPORTED, or the row's
 * file cannot be opened. */
bool sluice_follow_is_direct(struct sluice_follow *follow, const struct sluice_follow_row *row,
                             uint32_t channel);
/* Says that a payload does not decode, and why. */
enum sluice_status sluice_follow_undecodable(struct sluice_span payload,
                                             enum sluice_encoding encoding,
                                             enum sluice_status status, struct sluice_error *error);
/* The pixels of a written row in memory order, whatever its layout and filters; held against the
 * checksum column where there is one. `bytes` must be the plane's. NOT_FOUND: a file without keys
 * never had this image; UNSUPPORTED: a filter that is not installed; MALFORMED and others: what is
 * stored is not what was written. */
enum sluice_status sluice_follow_pixels(struct sluice_follow *follow,
                                        const struct sluice_follow_row *row, uint32_t channel,
                                        void *pixels, size_t bytes, struct sluice_error *error);
/* The checksum column's cell of that chunk; false where the file has none. */
bool sluice_follow_checksum(struct sluice_follow *follow, const struct sluice_follow_row *row,
                            uint32_t channel, uint64_t *checksum);

/* A cell of a per-image column of a written row. TEXT is cut to `bytes` with its NUL; numbers are
 * converted (`bytes` is 8). NOT_FOUND where there is no such column or row; UNSUPPORTED where it
 * is of another kind. */
enum sluice_follow_cell { SLUICE_CELL_F64, SLUICE_CELL_I64, SLUICE_CELL_U64, SLUICE_CELL_TEXT };
enum sluice_status sluice_follow_column(struct sluice_follow *follow,
                                        const struct sluice_follow_row *row, const char *name,
                                        enum sluice_follow_cell kind, void *value, size_t bytes,
                                        struct sluice_error *error);
/* Path of a data file, valid until close; NULL out of range. */
const char *sluice_follow_path(const struct sluice_follow *follow, uint32_t file);

#endif
