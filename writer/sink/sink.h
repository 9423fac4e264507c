/* SPDX-License-Identifier: Apache-2.0
 *
 * What all parts of one writer share, and what they say about it: timed calls and faults.
 * Writer thread only. */
#ifndef SLUICE_WRITER_SINK_H
#define SLUICE_WRITER_SINK_H

#include <stdbool.h>
#include <sys/types.h>

#include "core/clock.h"
#include "core/counters.h"
#include "core/error.h"
#include "core/frame.h"
#include "ingest/ring/events.h"
#include "ingest/ring/pool.h"
#include "writer/driver/counts.h"
#include "writer/settings.h"

#define SLUICE_SLOTS_A_SIGNAL 8

/* Borrowed, but for the directories, which the writer owns. */
struct sluice_sink {
    const struct sluice_writer_settings *settings;
    const struct sluice_clock *clock;
    struct sluice_counters *counters;
    struct sluice_events *events; /* may be NULL */
    struct sluice_frame *frames;  /* by slot number */
    struct sluice_spsc *free;     /* where slots go back */
    struct sluice_wake *free_wake;
    uint32_t *unsignalled; /* slots given back that the source was not woken for yet */
    struct sluice_progress *progress;
    char *directories[SLUICE_DIRECTORIES_MAX]; /* absolute, they exist */
    uint32_t flush_images;                     /* as set, but bounded */
    uint64_t flush_bytes;                      /* after which too; 0: no limit */
    struct sluice_direct *direct;              /* owned; NULL: HDF5 writes by itself */
    bool lends;                                /* it writes from its arena */
    bool borrows;                              /* and now from messages */
    struct sluice_held *held;                  /* slots that it still writes from */
    bool has_gid;
    gid_t gid;
};

/* Ends a timed call: keeps the longest in `longest`, enters it in the histogram where that call has
 * one, and warns of one beyond 1 s. Returns now. */
int64_t sluice_sink_took(const struct sluice_sink *sink, enum sluice_counter longest,
                         int64_t since_ns, const char *what, const char *path);

/* Logs a fault and enters it among the distinct errors. */
void sluice_sink_fault(const struct sluice_sink *sink, const struct sluice_error *error);

/* Checks the settings, makes the directories, looks the group up. */
enum sluice_status sluice_sink_init(struct sluice_sink *sink, struct sluice_error *error);
void sluice_sink_close(struct sluice_sink *sink);

/* Makes `path` and what is missing above it, with the configured mode and group. */
enum sluice_status sluice_sink_make_directory(const struct sluice_sink *sink, const char *path,
                                              struct sluice_error *error);

/* Forces to the disk that there is a file `path` in one of the directories, and the directories
 * between them. */
enum sluice_status sluice_sink_sync_names(const struct sluice_sink *sink, const char *path,
                                          struct sluice_error *error);

/* Wakes the source for the slots that were given back. At the end of every cycle. */
static inline void sluice_sink_signal(const struct sluice_sink *sink)
{
    if (*sink->unsignalled == 0)
        return;
    *sink->unsignalled = 0;
    sluice_wake_signal(sink->free_wake);
}

/* Gives a slot back, and the buffer that its image was encoded into; its frame and payload are the
 * source's again. A source that waits for one is woken for several: to wake it for each costs both
 * threads more than the wait. */
static inline void sluice_sink_release(const struct sluice_sink *sink, uint32_t slot)
{
    struct sluice_frame *frame = &sink->frames[slot];
    if (frame->pool != NULL) {
        sluice_pool_give_back(frame->pool, frame->buffer);
        frame->pool = NULL;
    }
    sluice_spsc_push(sink->free, slot); /* it has room for every slot */
    if (++*sink->unsignalled >= SLUICE_SLOTS_A_SIGNAL)
        sluice_sink_signal(sink);
}

/* An event to fill and post, or NULL (no events wanted, or none free: counted). */
struct sluice_event *sluice_sink_event(const struct sluice_sink *sink, enum sluice_event_kind kind);

/* Nobody is known who waits for images: neither one who is sent notices of them nor a follower. */
bool sluice_sink_unread(const struct sluice_sink *sink);

/* Takes over into the counters which way payloads went, and says it. */
struct sluice_driver_counts sluice_sink_count_pieces(const struct sluice_sink *sink);

/* Free bytes where `path` lies; UINT64_MAX when that cannot be told. */
uint64_t sluice_sink_free_space(const char *path);

#endif
