/* SPDX-License-Identifier: Apache-2.0
 *
 * Arm and stop from outside, while the source runs. Both only leave a word for the source thread,
 * which acts between two messages and passes the request on through the ring; so the writer meets
 * it in the order of the stream, behind everything that came before.
 *
 * A stop first takes what libzmq holds already, bounded like the stop of the program, since the
 * detector has got rid of it; it may go on sending, and those images are foreign. */
#include <unistd.h>

#include "core/log.h"
#include "ingest/source/internal.h"

#define STOP_MESSAGES_MORE 64

uint64_t sluice_source_stop_messages(const struct sluice_source *source)
{
    return 2 * sluice_source_queued_max(source) + STOP_MESSAGES_MORE;
}

void sluice_source_wake(struct sluice_source *source)
{
    const uint64_t one = 1;
    /* When it cannot be written a sleep still ends by itself soon. */
    const ssize_t written = write(source->stop_fd, &one, sizeof(one));
    (void)written;
}

enum sluice_status sluice_source_arm(struct sluice_source *source, struct sluice_arm *arm)
{
    struct sluice_arm *none = NULL;
    if (!atomic_compare_exchange_strong_explicit(&source->requests.arm, &none, arm,
                                                 memory_order_release, /* [edge ARM] */
                                                 memory_order_relaxed))
        return SLUICE_FULL;
    sluice_source_wake(source);
    return SLUICE_OK;
}

void sluice_source_stop_series(struct sluice_source *source, uint64_t number)
{
    sluice_store_release(&source->requests.stop_number, number); /* [edge STOP_SERIES] */
    sluice_source_wake(source);
}

static struct sluice_frame *push_frame(struct sluice_source *source, enum sluice_frame_kind kind,
                                       struct sluice_arm *arm, uint64_t stop_number)
{
    const uint32_t slot = sluice_slots_take_control(&source->slots);
    struct sluice_frame *frame = &source->slots.frames[slot];
    frame->kind = kind;
    frame->series_serial = source->tracker.serial;
    frame->series = NULL;
    frame->arm = arm;
    frame->stop_number = stop_number;
    sluice_handover_push(source->ports.out, slot);
    return frame;
}

static int look_at_arm(struct sluice_source *source)
{
    struct sluice_source_requests *requests = &source->requests;
    if (sluice_load_relaxed(&requests->arm) == NULL)
        return 0;
    struct sluice_arm *arm =
        atomic_exchange_explicit(&requests->arm, NULL, memory_order_acquire); /* [edge ARM] */
    arm->series_open = source->tracker.open;
    push_frame(source, SLUICE_FRAME_ARM, arm, 0);
    return 1;
}

/* One step: begins the draining, then ends it when everything has been taken. */
static int look_at_stop_series(struct sluice_source *source)
{
    struct sluice_source_requests *requests = &source->requests;
    const uint64_t wanted = sluice_load_acquire(&requests->stop_number); /* [edge STOP_SERIES] */
    const uint64_t messages =
        sluice_counter_get(source->ports.counters, SLUICE_COUNTER_SOURCE_MESSAGES);
    if (wanted == requests->stop_done)
        return 0;
    if (!requests->stopping) {
        requests->stopping = true;
        requests->messages_end = messages + sluice_source_stop_messages(source);
        return 1; /* one more cycle receives */
    }
    if (source->holding || (!source->socket_empty && messages < requests->messages_end))
        return 0;
    if (source->tracker.open)
        sluice_log_info("source", "stop was asked for: series closed");
    sluice_source_close_series(source, SLUICE_ENDED_BY_STOP);
    push_frame(source, SLUICE_FRAME_STOPPED, NULL, wanted);
    requests->stop_done = wanted;
    requests->stopping = false;
    return 1;
}

int sluice_source_look_at_requests(struct sluice_source *source)
{
    int work = 0;
    /* A close may need two slots (the opening of a series that still waits for its first image). */
    if (source->slots.control_free_count >= SLUICE_CONTROL_SLOTS_NEEDED)
        work += look_at_stop_series(source);
    if (source->slots.control_free_count >= SLUICE_CONTROL_SLOTS_NEEDED)
        work += look_at_arm(source);
    return work;
}
