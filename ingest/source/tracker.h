/* SPDX-License-Identifier: Apache-2.0
 *
 * Series boundaries: which series is open, what each message means for it, and what the source
 * counts of it. Pure state, no socket, no clock, no allocation; the source thread's.
 *
 *            start, or an image without an open series (missed start)
 *   closed  ----------------------------------------------------------->  open
 *      ^    <-----------------------------------------------------------
 *            its end, a start of another series, idle time, stop
 *
 * An image of a series that was closed is foreign, with one exception: a series that was closed for
 * idleness while images were still missing is taken up again, under a name marked _nostart, because
 * its images are good data that nothing else would save. */
#ifndef SLUICE_INGEST_SOURCE_TRACKER_H
#define SLUICE_INGEST_SOURCE_TRACKER_H

#include "core/error.h"
#include "core/series.h"
#include "ingest/protocol/protocol.h"

#define SLUICE_TRACKER_CLOSED_MAX 32

struct sluice_series_identity {
    bool has_series_id;
    uint64_t series_id;
    char unique_id[SLUICE_UNIQUE_ID_BYTES]; /* empty: none */
};

/* What the channels and shape of an image of the open series must be. */
struct sluice_image_contract {
    uint32_t width, height;
    uint32_t channel_count;
    enum sluice_dtype dtypes[SLUICE_PLANES_MAX];
    char channels[SLUICE_PLANES_MAX][SLUICE_NAME_BYTES];
};

struct sluice_tracker {
    bool open;
    bool start_missed;
    uint64_t serial; /* of the open series, or of the last one */
    uint64_t number_of_images;
    struct sluice_series_identity identity;
    struct sluice_image_contract contract;
    struct sluice_source_counts counts;
    int64_t last_message_ns; /* monotonic, of the last message that belonged to it */
    /* a second client shows as image ids that go up by the same step > 1 */
    uint64_t last_image_id, id_step, id_step_run, ids_seen;
    bool second_client_said;
    struct {
        struct sluice_series_identity identity;
        bool unfinished; /* closed for idleness, not all images there */
    } closed[SLUICE_TRACKER_CLOSED_MAX];
    uint32_t closed_next;
    uint64_t closed_count;
};

enum sluice_start_verdict {
    SLUICE_START_NEW,      /* opens a series; an open one closes first (new_start) */
    SLUICE_START_REPEATED, /* of the open series: ignored */
    SLUICE_START_LATE,     /* of the open series, which was opened by an image: adopt it */
};

enum sluice_image_verdict {
    SLUICE_IMAGE_OF_SERIES,
    SLUICE_IMAGE_FOREIGN,      /* another series is open */
    SLUICE_IMAGE_MISSED_START, /* none is open: it opens one */
    SLUICE_IMAGE_OF_CLOSED,    /* none is open, and its own was closed */
    SLUICE_IMAGE_NO_SERIES,    /* none is open and nothing can be opened with it: unreadable */
};

enum sluice_start_verdict sluice_tracker_judge_start(const struct sluice_tracker *tracker,
                                                     const struct sluice_message_head *head);
/* `decoded`: the image itself is whole. */
enum sluice_image_verdict sluice_tracker_judge_image(const struct sluice_tracker *tracker,
                                                     const struct sluice_message_head *head,
                                                     bool decoded);
/* Whether an end message is that of the open series. */
bool sluice_tracker_judge_end(const struct sluice_tracker *tracker,
                              const struct sluice_message_head *head);

/* A start that cannot be used still says that images of its ids are to come: of any ids, where
 * these cannot be read. */
void sluice_tracker_note_start(struct sluice_tracker *tracker,
                               const struct sluice_message_head *head);

/* Opens `series` (borrowed for the call). A start_missed series takes its contract from `image`. */
void sluice_tracker_open(struct sluice_tracker *tracker, const struct sluice_series *series,
                         const struct sluice_image *image, int64_t now_ns);
/* Brings the channels of a late start into the order that the open series has already, and takes
 * over its number of images; where it does not say how images look, it learns that from them.
 * MISMATCH with a reason when it does not agree with the images. */
enum sluice_status sluice_tracker_adopt(struct sluice_tracker *tracker,
                                        struct sluice_series *series, struct sluice_error *error);
/* Remembers the series as closed. */
void sluice_tracker_close(struct sluice_tracker *tracker, enum sluice_ended_by ended_by,
                          bool complete);

/* A series made from an image whose start was missed. NULL: no memory. */
struct sluice_series *sluice_tracker_series_of_image(const struct sluice_message_head *head,
                                                     const struct sluice_image *image);

/* Gives a series (and its contract) what its start did not say, as its first image has it: the
 * names of the channels, the size and type of images. */
void sluice_tracker_complete(struct sluice_tracker *tracker, struct sluice_series *series,
                             const struct sluice_image *image);

/* Holds an image against the open series: shape, type and the full set of channels; fills each
 * plane's channel_index. MISMATCH with the reason. */
enum sluice_status sluice_tracker_check(const struct sluice_tracker *tracker,
                                        struct sluice_image *image, struct sluice_error *error);

/* Notes the id of a good image; true once when the ids look like those of a detector that shares
 * its images among `*clients` clients. */
bool sluice_tracker_note_id(struct sluice_tracker *tracker, uint64_t image_id, uint64_t *clients);

#endif
