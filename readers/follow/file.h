/* SPDX-License-Identifier: Apache-2.0
 *
 * One data file of the set: which rows are there, and their chunks. Private to the room; one
 * thread.
 *
 * Zeroed memory with `path` and `number` set is a file that was not opened yet. Its rows stay known
 * after its handles are released; chunks of a released file reopen it. */
#ifndef SLUICE_READERS_FOLLOW_FILE_H
#define SLUICE_READERS_FOLLOW_FILE_H

#include "core/codec/codec.h"
#include "readers/follow/feed.h"
#include "readers/follow/follow.h"
#include "readers/follow/h5.h"
#include "readers/follow/virtual.h"

#define SLUICE_FOLLOW_ROWS_MAX        UINT64_C(1000000000) /* a file that claims more lies */
#define SLUICE_FOLLOW_PLANE_BYTES_MAX (UINT64_C(1) << 32)
#define SLUICE_FOLLOW_PIXELS_MAX      (UINT64_C(1) << 31)

struct sluice_fresh_row {
    uint64_t row;
    int64_t arrival_real_ns;
    enum sluice_row_status status;
};

struct sluice_file_channel {
    hid_t images, checksum;              /* checksum: -1 where there is none */
    uint64_t images_seen, checksum_seen; /* the look at which each was refreshed last */
    enum sluice_encoding encoding;
    const char *indirect; /* why a chunk is not a plane that we decode; NULL: it is */
    char missing[96];     /* what has to be installed to read it; "" nothing */
    int rank;             /* 3, or 2: one image */
    bool chunked;
    hsize_t chunk[3];                  /* where `chunked`, with rank 2 from the second on */
    struct sluice_virtual *virtual_of; /* where it is a virtual dataset: its mappings; owned */
};

#define SLUICE_FILE_COLUMNS_MAX 16

/* A column that somebody asked for. */
struct sluice_file_column {
    char name[SLUICE_NAME_BYTES];
    hid_t dataset;
    uint64_t seen; /* the look at which it was refreshed last */
};

/* Working memory of whoever reads planes; zeroed at first. */
struct sluice_file_buffers {
    uint8_t *chunk; /* owned: the last one read */
    size_t capacity;
    struct sluice_codec_scratch scratch;
};
void sluice_file_buffers_close(struct sluice_file_buffers *buffers);

struct sluice_follow_file {
    char *path; /* owned */
    uint64_t number;
    bool is_open, live;
    bool reported;                              /* that it cannot be opened */
    char group[SLUICE_NAME_BYTES];              /* where its images lie, such as "entry/data" */
    bool has_key, has_checksum;                 /* stay known after the release */
    hid_t file, key, status, arrival, finished; /* -1 where the file has none */
    uint32_t channel_count;
    struct sluice_file_channel channels[SLUICE_PLANES_MAX];
    uint32_t column_count;
    struct sluice_file_column columns[SLUICE_FILE_COLUMNS_MAX];

    bool base_known;
    uint64_t base;     /* image number of row 0 */
    bool closed;       /* nothing can come any more: every row is decided */
    uint64_t rows;     /* extent at the last look */
    uint64_t looks;    /* that found rows: older handles must be refreshed */
    uint32_t failures; /* looks in a row that failed */
    int64_t wide_look_ns, finished_check_ns, finished_since_ns;

    struct sluice_fed *fed; /* the file's own; NULL: none */
    uint64_t flushes_seen;  /* of fed, before the last look; UINT64_MAX: it is to be repeated */
    int64_t looked_ns;
    bool skipped; /* the last look: nothing can be new */

    uint8_t *given; /* a bit a row: was given, or waits in fresh */
    size_t given_bytes;
    uint64_t low;                   /* every row below was given */
    uint64_t high;                  /* no row at or above was given */
    struct sluice_fresh_row *fresh; /* found and not given yet, ascending */
    size_t fresh_count, fresh_next, fresh_capacity;
};

/* Opens it. `channels`: when *channel_count is 0 they are filled from this file, else the file must
 * have the same. AGAIN while its writer has not started SWMR (or is just closing it). */
enum sluice_status sluice_file_open(struct sluice_follow_file *file,
                                    struct sluice_follow_channel *channels, uint32_t *channel_count,
                                    struct sluice_error *error);
/* Closes the handles, keeps what is known. */
void sluice_file_release(struct sluice_follow_file *file);
void sluice_file_close(struct sluice_follow_file *file);

/* Looks for new rows. `ended`: the series has ended, what is not there is lost. `next_base`: the
 * image number of row 0 where the file does not say. */
enum sluice_status sluice_file_look(struct sluice_follow_file *file, bool ended, uint64_t next_base,
                                    int64_t now_ns, struct sluice_error *error);

/* H5Drefresh, where the file can still change. */
bool sluice_file_refresh(const struct sluice_follow_file *file, hid_t dataset);
/* The same, once a look that found rows. */
bool sluice_file_refresh_once(const struct sluice_follow_file *file, hid_t dataset, uint64_t *seen);

/* Fills `channel` and `shape` when `images` is a stack of planes (or one plane called `data`);
 * false when it is not. `images` stays the caller's. */
bool sluice_file_channel_read(hid_t images, const char *path, const char *dataset,
                              struct sluice_file_channel *channel,
                              struct sluice_follow_channel *shape);
/* The same dataset opened with a chunk cache that holds a row of images: takes `images`. */
hid_t sluice_file_channel_cached(hid_t group, const char *dataset, hid_t images,
                                 const struct sluice_file_channel *channel,
                                 const struct sluice_follow_channel *shape);

/* Reads the chunk of a row into buffers->chunk, which grows as needed but never beyond what the
 * plane can need. NOT_FOUND: the file has no key and no such chunk. */
enum sluice_status sluice_file_chunk(struct sluice_follow_file *file, uint64_t row,
                                     uint32_t channel, const struct sluice_follow_channel *shape,
                                     struct sluice_file_buffers *buffers, size_t *bytes,
                                     enum sluice_encoding *encoding, struct sluice_error *error);
bool sluice_file_checksum(struct sluice_follow_file *file, uint64_t row, uint32_t channel,
                          uint64_t *checksum);
/* One cell of a column, opened when it is first asked for: see sluice_follow_column. */
enum sluice_status sluice_file_column(struct sluice_follow_file *file,
                                      const struct sluice_follow_channel *channels, uint64_t row,
                                      const char *name, enum sluice_follow_cell kind, void *value,
                                      size_t bytes, struct sluice_error *error);
void sluice_file_close_columns(struct sluice_follow_file *file);
/* sluice_file_chunk, held against the checksum column. */
enum sluice_status sluice_file_payload(struct sluice_follow_file *file, uint64_t row,
                                       uint32_t channel, const struct sluice_follow_channel *shape,
                                       struct sluice_file_buffers *buffers,
                                       struct sluice_span *payload, enum sluice_encoding *encoding,
                                       struct sluice_error *error);
/* The pixels of a row, whatever its layout and filters, in memory order; the checksum is held
 * against the stored chunk where there is one. `pixels` has room for the plane. */
enum sluice_status sluice_file_pixels(struct sluice_follow_file *file, uint64_t row,
                                      uint32_t channel, const struct sluice_follow_channel *shape,
                                      void *pixels, struct sluice_file_buffers *buffers,
                                      struct sluice_error *error);

#endif
