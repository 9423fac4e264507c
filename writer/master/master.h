/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes the master (NAME_master.h5) and the NXmx file (NAME.nxs) of one channel: the metadata tree
 * of docs/file-format.md, external links and the virtual dataset over the data files.
 *
 * Writer thread only (HDF5). Each file is written under a temporary name in the same directory and
 * renamed over the old one, so that a reader sees the old or the new one, whole; it keeps the old
 * one while it has it open. Blocks for as long as the file system takes. Masks and flatfields make
 * a master slow, and images wait meanwhile: so it can be written in pieces, images between them.
 *
 * `nimages` and the arrays of the sample's axes have one entry a row. While a file grows, that is
 * what the rows will be when it is full or number_of_images is reached, whichever is first: the
 * master is rewritten then. Where the number is unknown only rows of complete files count. */
#ifndef SLUICE_WRITER_MASTER_H
#define SLUICE_WRITER_MASTER_H

#include "core/error.h"
#include "core/series.h"
#include "writer/layout/layout.h"
#include "writer/settings.h"

/* The data files in image order. */
struct sluice_master_file {
    const char *path;   /* absolute, of the data file */
    uint64_t rows;      /* now in it; for the growing one: what it will hold at most */
    bool growing;       /* at most one, the last: mapped without limit, so that it is live */
    uint64_t first_row; /* of the series, where the file before it is not full (rows between read
                           as no data); 0, or less than its end: right behind that one */
};

enum sluice_master_state {
    SLUICE_MASTER_WRITING, /* `/@sluice_state`: "writing" */
    SLUICE_MASTER_DONE,    /* "done": closed in order, end_time is there */
    SLUICE_MASTER_FAILED,  /* "failed" */
};

enum {
    SLUICE_MASTER_LINKS_OURS = 1, /* NAME_master.h5 */
    SLUICE_MASTER_NXMX_OURS = 2,  /* NAME.nxs */
};

struct sluice_master_input {
    const struct sluice_series *series;
    const struct sluice_metadata_settings *metadata;
    const char *directory, *name; /* where the masters lie, NAME */
    uint32_t channel_index;
    const char *dataset;     /* of this channel below /entry/data of the data files */
    enum sluice_dtype dtype; /* of this channel's dataset */
    const struct sluice_master_file *files;
    size_t file_count;
    enum sluice_master_state state;
    int64_t open_real_ns; /* start_time where the detector gave none */
    int64_t end_real_ns;  /* end_time, used when DONE */
    uint32_t mode;        /* of the file; DONE and FAILED: less the write bits */
    const char *group;    /* "" = leave */
    bool sync;            /* fdatasync before the rename */
    bool direct;          /* masks, flatfields and axes past the page cache, where it can be */
    uint8_t *ours; /* bits of SLUICE_MASTER_*_OURS, set here: files that this series has made and
                      may replace; the name of any other must be free. NULL: replaces anything */
};

/* Both files of one channel on their way. */
struct sluice_master_job;

/* `input` is copied, what it points to is borrowed until the end. */
enum sluice_status sluice_master_begin(const struct sluice_master_input *input,
                                       struct sluice_master_job **job, struct sluice_error *error);
/* One piece: the objects of one file, or so much of its arrays at most, or its way to its name.
 * AGAIN: there is more to do; OK: both files are in place. After that, and after a fault, only the
 * end may follow. */
#define SLUICE_MASTER_PIECE_BYTES ((size_t)512 << 10)
enum sluice_status sluice_master_step(struct sluice_master_job *job, struct sluice_error *error);
/* Frees it; what is not in place is removed. NULL is accepted. */
void sluice_master_end(struct sluice_master_job *job);

/* All pieces at once: writes both files of the channel. On an error nothing that was there is lost,
 * and the temporary file is removed. EXISTS: the name is somebody else's (see `ours`). */
enum sluice_status sluice_master_write(const struct sluice_master_input *input,
                                       struct sluice_error *error);

#endif
