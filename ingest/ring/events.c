/* SPDX-License-Identifier: Apache-2.0
 *
 * Design: a record belongs to one place at a time: the writer's stack of spare ones, the writer's
 * hands (begin to post), the ring `posted`, the service's hands (take to give back), or the ring
 * `returned`. Both rings hold all records, so no push can fail. The writer empties `returned` only
 * when its stack does not do, so that a post costs one ring and one signal. */
#include "ingest/ring/events.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static_assert(SLUICE_EVENTS_RESERVED < SLUICE_EVENTS_COUNT, "something is left for `visible`");
static_assert(SLUICE_EVENTS_FOR_END < SLUICE_EVENTS_RESERVED, "something is left for `file`");

const char *sluice_event_name(enum sluice_event_kind kind)
{
    switch (kind) {
    case SLUICE_EVENT_START:
        return "start";
    case SLUICE_EVENT_FILE:
        return "file";
    case SLUICE_EVENT_VISIBLE:
        return "visible";
    case SLUICE_EVENT_END:
        return "end";
    case SLUICE_EVENT_ARM:
        return "arm";
    case SLUICE_EVENT_STOPPED:
        return "stopped";
    }
    return "";
}

enum sluice_status sluice_events_init(struct sluice_events *events)
{
    memset(events, 0, sizeof *events);
    enum sluice_status status = SLUICE_NO_MEMORY;
    events->pool = calloc(SLUICE_EVENTS_COUNT, sizeof *events->pool);
    events->spare = calloc(SLUICE_EVENTS_COUNT, sizeof *events->spare);
    if (events->pool == NULL || events->spare == NULL)
        goto fail;
    status = sluice_spsc_init(&events->posted, SLUICE_EVENTS_COUNT, 0);
    if (status != SLUICE_OK)
        goto fail;
    status = sluice_spsc_init(&events->returned, SLUICE_EVENTS_COUNT, 0);
    if (status != SLUICE_OK)
        goto fail;
    for (uint32_t i = 0; i < SLUICE_EVENTS_COUNT; i++)
        events->spare[i] = SLUICE_EVENTS_COUNT - 1 - i; /* the first ones on top */
    events->spare_count = SLUICE_EVENTS_COUNT;
    return SLUICE_OK;

fail:
    sluice_events_close(events);
    return status;
}

static void drop_owned(struct sluice_event *event)
{
    if (event->summary != NULL) {
        sluice_summary_destroy(event->summary);
        event->summary = NULL;
    }
    free(event->facts);
    event->facts = NULL;
}

void sluice_events_close(struct sluice_events *events)
{
    for (uint32_t i = 0; events->pool != NULL && i < SLUICE_EVENTS_COUNT; i++)
        drop_owned(&events->pool[i]);
    sluice_spsc_close(&events->posted);
    sluice_spsc_close(&events->returned);
    free(events->pool);
    free(events->spare);
    memset(events, 0, sizeof *events);
}

/* How many records an event of this kind leaves to those that matter more. */
static uint32_t kept_from(enum sluice_event_kind kind)
{
    switch (kind) {
    case SLUICE_EVENT_VISIBLE:
        return SLUICE_EVENTS_RESERVED;
    case SLUICE_EVENT_START:
    case SLUICE_EVENT_FILE:
        return SLUICE_EVENTS_FOR_END;
    case SLUICE_EVENT_END:
    case SLUICE_EVENT_ARM:
    case SLUICE_EVENT_STOPPED:
        break;
    }
    return 0;
}

struct sluice_event *sluice_events_begin(struct sluice_events *events, enum sluice_event_kind kind)
{
    uint32_t keep = kept_from(kind);
    if (events->spare_count <= keep) {
        events->spare_count +=
            sluice_spsc_pop_many(&events->returned, events->spare + events->spare_count,
                                 SLUICE_EVENTS_COUNT - events->spare_count);
    }
    if (events->spare_count <= keep)
        return NULL;
    struct sluice_event *event = &events->pool[events->spare[--events->spare_count]];
    memset(event, 0, sizeof *event);
    event->kind = kind;
    return event;
}

void sluice_events_post(struct sluice_events *events, struct sluice_event *event)
{
    enum sluice_status status = sluice_spsc_push(&events->posted, (uint32_t)(event - events->pool));
    assert(status == SLUICE_OK); /* the ring holds every record: only a double post can fill it */
    (void)status;
    sluice_wake_signal(&events->wake);
}

struct sluice_event *sluice_events_take(struct sluice_events *events)
{
    uint32_t index;
    if (sluice_spsc_pop(&events->posted, &index) != SLUICE_OK)
        return NULL;
    return &events->pool[index];
}

void sluice_events_give_back(struct sluice_events *events, struct sluice_event *event)
{
    drop_owned(event); /* what the service did not take over */
    enum sluice_status status =
        sluice_spsc_push(&events->returned, (uint32_t)(event - events->pool));
    assert(status == SLUICE_OK);
    (void)status;
}
