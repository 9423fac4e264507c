/* SPDX-License-Identifier: Apache-2.0
 *
 * One data file of a series: `capacity` consecutive images, image k of the file in row k. It is
 * created exclusively, written under SWMR, closed once and never reopened for writing.
 *
 *   PLANNED --create--> OPEN --close--> CLOSED
 *                         `--a fault--> ABANDONED: no HDF5 call is made on it any more
 *
 * Writer thread only. Every function that returns a fault leaves an open file unusable: the caller
 * must abandon it. The record itself lies in the series' slab and stays until the series ends,
 * because its bits say which images were written; all else is freed when the file is closed or
 * abandoned. */
#ifndef SLUICE_WRITER_DATAFILE_H
#define SLUICE_WRITER_DATAFILE_H

#include "writer/sink/columns.h"
#include "writer/sink/sink.h"
#include "writer/sink/slab.h"

enum sluice_datafile_state {
    SLUICE_DATAFILE_PLANNED,
    SLUICE_DATAFILE_OPEN,
    SLUICE_DATAFILE_CLOSED,
    SLUICE_DATAFILE_ABANDONED,
};

/* One channel of a series: its dataset, and the shape that every image must have. */
struct sluice_file_channel {
    char dataset[SLUICE_NAME_BYTES]; /* below /entry/data */
    char name[SLUICE_NAME_BYTES];    /* the detector's */
    uint32_t width, height;
    enum sluice_dtype dtype;
    enum sluice_encoding encoding; /* of the file that is created next */
};

/* What only an open file has. */
struct sluice_datafile_live {
    hid_t file, finished, images[SLUICE_PLANES_MAX];
    int descriptor; /* HDF5's own, borrowed */
    uint32_t channel_count;
    enum sluice_encoding encoding[SLUICE_PLANES_MAX];
    uint32_t width[SLUICE_PLANES_MAX], height[SLUICE_PLANES_MAX];
    uint64_t rows;                /* extent of the image datasets */
    struct sluice_append *append; /* owned; NULL: HDF5 writes rows */
    struct sluice_columns columns;
};

struct sluice_datafile {
    uint64_t index;    /* in the series, from 0 */
    uint64_t capacity; /* images that it can hold */
    enum sluice_datafile_state state;
    char *path;        /* absolute; NULL while planned */
    uint64_t *written; /* one bit a row */
    uint64_t *refused; /* one bit a row; NULL: none */
    uint64_t written_count, visible_count;
    uint64_t rows_visible; /* highest visible row + 1 */
    uint64_t rows_closed;  /* extent at the close */
    uint64_t creation;     /* numbers the files of the series in order of creation */
    struct sluice_datafile_live *live;
};

struct sluice_datafile_plan {
    const char *path;
    const struct sluice_file_channel *channels;
    uint32_t channel_count;
    uint32_t user_data_bytes; /* of a cell; 0: no such column */
    uint32_t cell_capacity;   /* most images between two flushes */
};

/* What image_nr_low and _high hold: from 1, in four bytes. */
static inline int32_t sluice_datafile_image_number(uint64_t id)
{
    return id < INT32_MAX ? (int32_t)(id + 1) : INT32_MAX;
}

/* A planned file; NULL when memory is out. */
struct sluice_datafile *sluice_datafile_new(struct sluice_slab *slab, uint64_t index,
                                            uint64_t capacity);

static inline bool sluice_datafile_has(const struct sluice_datafile *file, uint64_t row)
{
    return file->written[row / 64] >> (row % 64) & 1;
}
void sluice_datafile_mark(struct sluice_datafile *file, uint64_t row);
void sluice_datafile_unmark(struct sluice_datafile *file, uint64_t row);
/* Remembers a refused image for its frame_status. */
void sluice_datafile_mark_refused(struct sluice_slab *slab, struct sluice_datafile *file,
                                  uint64_t row);
/* Highest marked row + 1; 0: none. */
uint64_t sluice_datafile_rows_written(const struct sluice_datafile *file);

/* EXISTS when the path is taken. On any fault the file stays planned, and what was created on disk
 * (no image is in it) is removed. */
enum sluice_status sluice_datafile_create(const struct sluice_sink *sink, struct sluice_slab *slab,
                                          struct sluice_datafile *file,
                                          const struct sluice_datafile_plan *plan,
                                          struct sluice_error *error);

/* Grows the image datasets to exactly `rows`, when they are shorter. */
enum sluice_status sluice_datafile_extend(struct sluice_datafile *file, uint64_t rows,
                                          struct sluice_error *error);
/* Stores the payload as the chunk, unchanged; the caller's pointer goes down to the file driver.
 * `lent`: it stays there (core/frame.h). */
enum sluice_status sluice_datafile_write(const struct sluice_sink *sink,
                                         struct sluice_datafile *file, uint32_t channel,
                                         uint64_t row, struct sluice_span payload,
                                         enum sluice_lent lent, struct sluice_error *error);

/* The two steps of a flush; nothing when no cells wait. */
enum sluice_status sluice_datafile_flush_values(struct sluice_datafile *file,
                                                struct sluice_error *error);
enum sluice_status sluice_datafile_flush_keys(const struct sluice_sink *sink,
                                              struct sluice_datafile *file,
                                              struct sluice_error *error);

/* Marks gaps up to `rows`, corrects the attributes, sets finished, closes, makes it read-only. */
enum sluice_status sluice_datafile_close(const struct sluice_sink *sink,
                                         struct sluice_datafile *file, uint64_t rows,
                                         struct sluice_error *error);
/* No call to HDF5: what it holds in memory for this file is left behind (see lessons). */
void sluice_datafile_abandon(const struct sluice_sink *sink, struct sluice_datafile *file);

#endif
