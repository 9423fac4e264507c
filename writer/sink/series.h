/* SPDX-License-Identifier: Apache-2.0
 *
 * One series while it is written: its metadata, files, counts and what waits for the next flush.
 *
 *   series.c   opens, adopts a late start, closes   files.c    finds, creates, abandons files
 *   store.c    takes images: judges, writes         flush.c    the two-step flush, closes files
 *   masters.c  when and over what they are written  account.c  counts to a summary
 *   space.c    free space against what is needed    recode.c   images of another encoding
 *
 * Invariants. An image is counted written and its bit is set when it is judged good; until its
 * flush it is either in `pending` (slot held) or a cell of its file, so that abandoning the file
 * can take it back. Every image message ends in exactly one of written, duplicate, refused,
 * dropped, failed.
 *
 * Writer thread only. No function here waits for anything but the file system. */
#ifndef SLUICE_WRITER_SERIES_H
#define SLUICE_WRITER_SERIES_H

#include "core/arm.h"
#include "core/histogram.h"
#include "core/series.h"
#include "core/summary.h"
#include "writer/master/master.h"
#include "writer/sink/datafile.h"
#include "writer/sink/recode.h"
#include "writer/sink/sink.h"

#define SLUICE_PENDING_MAX    64
#define SLUICE_SET_NAME_BYTES (SLUICE_NAME_BYTES * 4)

/* An image judged good, its chunks not yet written. */
struct sluice_pending {
    uint32_t slot;
    const struct sluice_frame *frame;
    struct sluice_datafile *file; /* NULL: written, or failed with its file */
    uint64_t row;
};

struct sluice_tally {
    uint64_t written, visible, refused, duplicate, dropped, failed, bytes_written;
};

/* See masters.c. */
struct sluice_masters {
    bool due, exist;
    uint8_t ours[SLUICE_PLANES_MAX]; /* which files of each channel (master.h) */
    size_t directory;                /* where they lie, of sink->directories */
    size_t mapped;                   /* data files in the last ones */
    int64_t next_ns;                 /* not before, unless it is the last time */
    /* while they are written */
    struct sluice_master_file *list; /* NULL: they are not */
    size_t count;
    bool backward;                 /* the last channel first */
    uint32_t channel;              /* how many of them are done */
    struct sluice_master_job *job; /* NULL: the channel is to be begun */
    int64_t took_ns;
};

struct sluice_open_series {
    const struct sluice_sink *sink;
    struct sluice_series *metadata; /* owned */
    struct sluice_arm *arm;         /* owned; NULL: nobody armed it */
    uint64_t serial;
    int64_t open_real_ns;
    char name[SLUICE_SET_NAME_BYTES];
    size_t directory; /* in use, of sink->directories */

    uint32_t channel_count; /* 0: not known before the first image */
    bool has_shape;         /* the channels' shape is that of the first image */
    struct sluice_file_channel channels[SLUICE_PLANES_MAX];
    uint32_t user_data_bytes; /* of a cell; 0: the first image had none */

    uint64_t per_file;              /* images in a file */
    struct sluice_datafile **files; /* by index, also planned ones; in the slab */
    size_t file_count, file_room;
    struct sluice_slab slab;
    struct sluice_datafile *last_used;
    uint64_t created_count;
    struct sluice_datafile *open[SLUICE_FILES_OPEN_MAX + 1]; /* in no order; see files.c */
    uint32_t open_count, planned_count;

    struct sluice_pending pending[SLUICE_PENDING_MAX];
    uint32_t pending_count;
    uint32_t unflushed;     /* written images whose flush is to come */
    uint64_t bytes_flushed; /* of tally.bytes_written */
    int64_t oldest_unflushed_ns, last_flush_ns;

    struct sluice_tally tally;
    struct sluice_driver_counts ways; /* before it */
    uint64_t next_id;                 /* highest written id + 1 */
    bool has_first_arrival, complete;
    int64_t first_arrival_ns, last_visible_ns;
    struct sluice_histogram latency;
    struct sluice_recode recode;
    bool recode_told;

    struct sluice_masters masters;
    int64_t space_check_ns, space_alarm_ns;
    bool space_alarmed;

    bool failed;
    char reason[SLUICE_ERROR_MESSAGE_BYTES];
};

/* series.c. Takes `metadata` and `arm` (may be NULL), also on a failure (NULL: memory is out). */
struct sluice_open_series *sluice_series_open(const struct sluice_sink *sink,
                                              struct sluice_series *metadata, uint64_t serial,
                                              struct sluice_arm *arm);
/* Takes the late start message's metadata, or frees it when it does not fit what is in the files.
 */
void sluice_series_adopt(struct sluice_open_series *series, struct sluice_series *metadata);
/* Flushes, closes every file, writes the masters, announces the end and frees. */
void sluice_series_close(struct sluice_open_series *series, enum sluice_ended_by ended_by,
                         const struct sluice_source_counts *counts);
/* Chooses NAME, with _2, _3… when its set exists; series_<id> when the pattern gives none. */
void sluice_series_choose_name(struct sluice_open_series *series);
/* Whether a file of the set `name` is in one of the directories. */
bool sluice_series_name_is_taken(const struct sluice_open_series *series, const char *name);
/* Notes the first reason of failure, logs each. */
void sluice_series_fail(struct sluice_open_series *series, const struct sluice_error *error);

/* store.c. Takes one image; its slot goes back when its payload is no longer needed, at the latest
 * at the next commit. */
void sluice_store_image(struct sluice_open_series *series, uint32_t slot,
                        struct sluice_frame *frame);
/* Remembers for frame_status that the source refused this id. */
void sluice_store_refused(struct sluice_open_series *series, uint64_t image_id);
/* Extends the files exactly as far as the collected images reach, and writes them. */
void sluice_store_commit(struct sluice_open_series *series);

/* files.c */
struct sluice_datafile *sluice_files_find(struct sluice_open_series *series, uint64_t index);
/* The planned record of a file that is not there yet; NULL when memory is out. */
struct sluice_datafile *sluice_files_plan(struct sluice_open_series *series, uint64_t index);
/* Creates the planned file for images like the channels say, in the first directory with room.
 * On a failure the file is abandoned. */
enum sluice_status sluice_files_create(struct sluice_open_series *series,
                                       struct sluice_datafile *file);
/* After a fault: its images that are not visible become failed, the series goes on elsewhere. */
void sluice_files_abandon(struct sluice_open_series *series, struct sluice_datafile *file,
                          const struct sluice_error *error);
/* Closes an open file with that many rows; on a fault it is abandoned. */
void sluice_files_close(struct sluice_open_series *series, struct sluice_datafile *file,
                        uint64_t rows);
/* At the end: closes all, and makes files of gaps where one is missing before the last. */
void sluice_files_close_all(struct sluice_open_series *series);

/* flush.c. Two steps over all files, then what is visible is counted and told, and files that are
 * complete are closed. Commit first. */
void sluice_flush(struct sluice_open_series *series);
/* Tells the source once that every announced image is visible. Nothing may be unflushed. */
void sluice_flush_tell_complete(struct sluice_open_series *series);

/* masters.c. One piece of the masters when they are due, and further ones until `until_ns`. Says
 * whether there was anything to do. */
bool sluice_masters_work(struct sluice_open_series *series, int64_t until_ns);
/* When there will be something to do; INT64_MAX: nothing is due. */
int64_t sluice_masters_due_ns(const struct sluice_open_series *series);
/* Leaves off; the series' metadata may change afterwards. What is due is begun anew. */
void sluice_masters_stop(struct sluice_open_series *series);
/* The last time, at once: DONE or FAILED. */
void sluice_masters_finish(struct sluice_open_series *series);

/* account.c */
void sluice_account_find_next_id(struct sluice_open_series *series);
/* Whether every image below number_of_images is written. */
bool sluice_account_is_complete(const struct sluice_open_series *series);
/* NULL when memory is out. */
struct sluice_summary *sluice_account_summary(const struct sluice_open_series *series,
                                              enum sluice_ended_by ended_by,
                                              const struct sluice_source_counts *counts);

/* space.c. Chooses the directory for a new file: the one in use, or one behind it with more room.
 */
void sluice_space_choose_directory(struct sluice_open_series *series, uint64_t index,
                                   uint64_t image_bytes);
/* Before the first image, whose bytes are given, and then about once a second. */
void sluice_space_check_first(struct sluice_open_series *series, uint64_t image_bytes);
void sluice_space_check(struct sluice_open_series *series, int64_t now_ns);
#define SLUICE_SPACE_INTERVAL_NS SLUICE_NS_PER_S

#endif
