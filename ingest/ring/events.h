/* SPDX-License-Identifier: Apache-2.0
 *
 * What the writer tells the service agent: a pool of fixed event records and two SPSC rings of
 * their numbers. Posting never blocks and never waits for the service: when the pool is empty a
 * `visible` event is left out (the next one says more) and counted. END events carry the summary,
 * which must not be lost: records are kept for start, file and end, and the last of them for END
 * (and the answers to requests), so that a service that hangs for long costs notices but no
 * summary. */
#ifndef SLUICE_INGEST_RING_EVENTS_H
#define SLUICE_INGEST_RING_EVENTS_H

#include "core/arm.h"
#include "core/summary.h"
#include "ingest/ring/spsc.h"
#include "ingest/ring/wake.h"

#define SLUICE_EVENTS_COUNT    1024
#define SLUICE_EVENTS_RESERVED 512 /* `visible` events leave these free */
#define SLUICE_EVENTS_FOR_END  256 /* and `start` and `file` events these */

enum sluice_event_kind {
    SLUICE_EVENT_START,   /* `file`: the master's path */
    SLUICE_EVENT_FILE,    /* `file`: the data file just created; first, last: the ids it may hold */
    SLUICE_EVENT_VISIBLE, /* first, last: lowest and highest id that became visible; `file` */
    SLUICE_EVENT_END,     /* `summary` passes over; everything is closed */
    SLUICE_EVENT_ARM,     /* the answer to an arm: number, verdict, `file`: why it is refused */
    SLUICE_EVENT_STOPPED, /* number: that stop, and all before it, are done; nothing is armed */
};

/* What is known of an armed or open series. ARM (accepted), START and FILE events carry it. */
struct sluice_series_facts {
    bool armed;               /* somebody armed it */
    char acquisition_id[256]; /* empty: none */
    char directory[1024];     /* absolute; empty: not known before the start */
    char name[256];           /* the last component of NAME; empty: not known before the start */
    char master[1024];        /* path of the first channel's */
    uint64_t images_expected; /* 0: not known */
    uint32_t width, height;   /* 0: not known */
    bool has_dtype;
    enum sluice_dtype dtype;
    uint32_t channel_count; /* 0: not known */
    struct {
        char name[SLUICE_NAME_BYTES];    /* the detector's */
        char dataset[SLUICE_NAME_BYTES]; /* below /entry/data of the data files */
    } channels[SLUICE_PLANES_MAX];
};

struct sluice_event {
    enum sluice_event_kind kind;
    uint64_t series_id;
    uint64_t first, last; /* 0-based image ids */
    uint64_t images_visible, images_lost;
    char file[1024];
    struct sluice_summary *summary;    /* END only */
    struct sluice_series_facts *facts; /* owned, from malloc; may be NULL when memory is out */
    uint64_t number;                   /* ARM, STOPPED */
    enum sluice_arm_verdict verdict;   /* ARM */
    uint64_t drops_accepted;           /* ARM: drops that somebody has accepted, since the start */
};

struct sluice_events {
    struct sluice_event *pool;
    struct sluice_spsc posted, returned;
    struct sluice_wake wake; /* the service sleeps on it */
    uint32_t *spare;         /* the writer's own stack of free records */
    uint32_t spare_count;
    /* Nobody hears of visible images (no notices, no HTTP): such events are not made, which saves
     * two wake-ups an image at low rates. Set before the agents start. */
    bool visible_unwanted;
};

/* As notices say it. */
const char *sluice_event_name(enum sluice_event_kind kind);

enum sluice_status sluice_events_init(struct sluice_events *events);
/* Frees what was posted and not taken, summaries too. */
void sluice_events_close(struct sluice_events *events);

/* Writer only: whether an event of this kind is to be posted at all. */
static inline bool sluice_events_wanted(const struct sluice_events *events,
                                        enum sluice_event_kind kind)
{
    return kind != SLUICE_EVENT_VISIBLE || !events->visible_unwanted;
}
/* Writer only: a zeroed record of this kind, or NULL when it has to be left out. */
struct sluice_event *sluice_events_begin(struct sluice_events *events, enum sluice_event_kind kind);
void sluice_events_post(struct sluice_events *events, struct sluice_event *event);

/* Service only: the next event or NULL; give it back when done. A summary or facts that the
 * service took over are set to NULL before. */
struct sluice_event *sluice_events_take(struct sluice_events *events);
void sluice_events_give_back(struct sluice_events *events, struct sluice_event *event);

#endif
