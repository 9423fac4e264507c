/* SPDX-License-Identifier: Apache-2.0
 *
 * The writer agent. A cycle takes a batch of slots, hands images to the open series, commits them,
 * and then looks at the timers: what must be flushed, which masters are due, how much space is
 * left.
 *
 *   flush when   the ring is empty, nothing that was lent to the file driver is on its way to the
 *                disk (then the source may be waiting for it, and the disk would stand still for
 *                the flush), and flush_idle_ns have passed since the last flush, or
 *                flush_unread_ns while nobody is known who waits for images,
 *           or   flush_images images wait,   or   the oldest waits for flush_interval_ns
 *
 * The timers are also what wait() sleeps until, so an image becomes visible in time when nothing
 * follows it. A batch is never larger than what may still come before the next flush is due by
 * count, so files' cells are bounded.
 *
 * Series frames come in order (OPEN, images, CLOSE), so there is at most one series. A frame
 * without an open series is refused: the source never sends one unless the opening failed. */
#include "writer/sink/writer.h"

#include <inttypes.h>
#include <stdlib.h>

#include "core/log.h"
#include "writer/driver/direct.h"
#include "writer/h5/h5.h"
#include "writer/sink/arm.h"
#include "writer/sink/due.h"
#include "writer/sink/held.h"

#define NAP_NS (3500 * SLUICE_NS_PER_US)

struct sluice_writer {
    struct sluice_writer_ports ports;
    struct sluice_writer_settings settings;
    struct sluice_sink sink;
    struct sluice_open_series *series; /* NULL: none */
    struct sluice_arming arming;
    struct sluice_held held;
    uint32_t unsignalled;
    bool hurried; /* the source wants back what is held */
    _Atomic bool given_up;
    bool finished;
};

enum sluice_status sluice_writer_create(const struct sluice_writer_settings *settings,
                                        const struct sluice_writer_ports *ports,
                                        struct sluice_writer **writer, struct sluice_error *error)
{
    struct sluice_writer *made = calloc(1, sizeof(*made));
    *writer = NULL;
    if (made == NULL)
        return sluice_error_set(error, SLUICE_NO_MEMORY, "no memory for the writer");
    made->ports = *ports;
    made->settings = *settings;
    made->sink = (struct sluice_sink){.settings = &made->settings,
                                      .clock = ports->clock,
                                      .counters = ports->counters,
                                      .events = ports->events,
                                      .frames = ports->frames,
                                      .free = ports->free,
                                      .free_wake = ports->free_wake,
                                      .unsignalled = &made->unsignalled,
                                      .held = &made->held,
                                      .progress = ports->progress};
    enum sluice_status status = sluice_held_init(&made->held, ports->free->mask + 1);
    if (status != SLUICE_OK)
        sluice_error_set(error, status, "no memory for the writer");
    else
        status = sluice_sink_init(&made->sink, error);
    if (status != SLUICE_OK) {
        sluice_writer_destroy(made);
        return status;
    }
    *writer = made;
    return SLUICE_OK;
}

static void close_series(struct sluice_writer *writer, enum sluice_ended_by ended_by,
                         const struct sluice_source_counts *counts)
{
    if (writer->series == NULL)
        return;
    sluice_store_commit(writer->series); /* so that its counts are whole */
    sluice_arming_note(&writer->arming, writer->series);
    sluice_series_close(writer->series, ended_by, counts);
    writer->series = NULL;
}

void sluice_writer_destroy(struct sluice_writer *writer)
{
    static const struct sluice_source_counts nothing;
    if (writer == NULL)
        return;
    if (writer->series != NULL) {
        sluice_h5_init(NULL); /* this may be another thread than the agent's */
        close_series(writer, SLUICE_ENDED_BY_STOP, &nothing);
    }
    sluice_arming_close(&writer->arming);
    sluice_sink_close(&writer->sink);
    sluice_held_close(&writer->held);
    free(writer);
}

struct sluice_arena_memory sluice_writer_arena(struct sluice_writer *writer)
{
    struct sluice_direct *direct = writer->sink.direct;
    struct sluice_arena_memory memory = {0};
    if (direct != NULL) {
        memory.data = sluice_direct_arena(direct, &memory.bytes);
        memory.avoid = sluice_direct_fed(direct);
    }
    return memory;
}

void sluice_writer_give_up(struct sluice_writer *writer)
{
    sluice_store_relaxed(&writer->given_up, true);
}

static void take_image(struct sluice_writer *writer, uint32_t slot, struct sluice_frame *frame)
{
    struct sluice_open_series *series = writer->series;
    if (series == NULL || series->serial != frame->series_serial) {
        sluice_counter_add(writer->ports.counters, SLUICE_COUNTER_WRITER_REFUSED, 1);
        sluice_log_error("writer",
                         "image refused: its series could not be opened image_id=%" PRIu64,
                         frame->image.image_id);
        sluice_sink_release(&writer->sink, slot);
        return;
    }
    if (!series->has_first_arrival) {
        series->has_first_arrival = true;
        series->first_arrival_ns = frame->arrival_ns;
    }
    if (frame->kind == SLUICE_FRAME_REFUSED) {
        sluice_store_refused(series, frame->image.image_id);
        sluice_sink_release(&writer->sink, slot);
    } else if (sluice_load_relaxed(&writer->given_up)) {
        series->tally.dropped++;
        sluice_sink_release(&writer->sink, slot);
    } else {
        sluice_store_image(series, slot, frame);
    }
}

/* Everything but images: rare. */
static void take_control(struct sluice_writer *writer, struct sluice_frame *frame)
{
    static const struct sluice_source_counts nothing;
    struct sluice_series *metadata = frame->series;
    struct sluice_arm *arm = frame->arm;
    frame->series = NULL;
    frame->arm = NULL;
    switch (frame->kind) {
    case SLUICE_FRAME_OPEN:
        close_series(writer, SLUICE_ENDED_BY_NEW_START, &nothing);
        writer->series = sluice_series_open(&writer->sink, metadata, frame->series_serial,
                                            sluice_arming_take(&writer->arming, &writer->sink));
        break;
    case SLUICE_FRAME_ADOPT:
        if (writer->series != NULL) {
            sluice_store_commit(writer->series);
            sluice_series_adopt(writer->series, metadata);
        } else {
            sluice_series_destroy(metadata);
        }
        break;
    case SLUICE_FRAME_CLOSE:
        close_series(writer, frame->ended_by, &frame->source_counts);
        break;
    case SLUICE_FRAME_ARM:
        sluice_arming_decide(&writer->arming, &writer->sink, arm, writer->series);
        break;
    case SLUICE_FRAME_STOPPED:
        sluice_arming_stopped(&writer->arming, &writer->sink, frame->stop_number);
        break;
    case SLUICE_FRAME_FINISH:
        close_series(writer, SLUICE_ENDED_BY_STOP, &nothing);
        sluice_arming_stopped(&writer->arming, &writer->sink, UINT64_MAX); /* all that will be */
        writer->finished = true;
        break;
    case SLUICE_FRAME_IMAGE:
    case SLUICE_FRAME_REFUSED:
        break;
    }
}

static void take(struct sluice_writer *writer, uint32_t slot)
{
    struct sluice_frame *frame = &writer->ports.frames[slot];
    if (frame->kind == SLUICE_FRAME_IMAGE || frame->kind == SLUICE_FRAME_REFUSED) {
        take_image(writer, slot, frame);
        return;
    }
    take_control(writer, frame);
    sluice_sink_release(&writer->sink, slot);
}

static int64_t flush_pause_ns(const struct sluice_writer *writer)
{
    return sluice_due_shared(writer->series) ? writer->settings.flush_unread_ns
                                             : writer->settings.flush_idle_ns;
}

/* When the flush of what is unflushed is due, if nothing more comes. */
static int64_t flush_due_ns(const struct sluice_writer *writer)
{
    const struct sluice_open_series *series = writer->series;
    int64_t idle_ns = series->last_flush_ns + flush_pause_ns(writer);
    int64_t oldest_ns = series->oldest_unflushed_ns + writer->settings.flush_interval_ns;
    return idle_ns < oldest_ns ? idle_ns : oldest_ns;
}

static bool must_flush(const struct sluice_writer *writer, int64_t now_ns)
{
    const struct sluice_open_series *series = writer->series;
    if (series->unflushed == 0)
        return false;
    if (sluice_due_full(series, now_ns) ||
        now_ns - series->oldest_unflushed_ns >= writer->settings.flush_interval_ns)
        return true;
    return now_ns >= flush_due_ns(writer) && sluice_handover_count(writer->ports.in) == 0 &&
           !sluice_held_flying(&writer->sink);
}

/* Masters get a piece of work a cycle, and a quarter of the time of a long one. */
#define MASTERS_SHARE 4

static bool look_at_timers(struct sluice_writer *writer, int64_t begin_ns)
{
    struct sluice_open_series *series = writer->series;
    int64_t now_ns = sluice_now_ns(writer->ports.clock);
    bool flush = must_flush(writer, now_ns);
    if (flush && writer->sink.direct != NULL) /* in a burst the disk has enough to do */
        sluice_direct_unread_apart(writer->sink.direct, writer->settings.flush_unread_ns > 0 &&
                                                            !sluice_due_full(series, now_ns));
    if (flush)
        sluice_flush(series);
    sluice_space_check(series, now_ns);
    now_ns = sluice_now_ns(writer->ports.clock);
    return sluice_masters_work(series, now_ns + (now_ns - begin_ns) / MASTERS_SHARE) || flush;
}

/* Images that share a flush share a wake-up too, and a write from their messages. Not those of
 * codec workers, whose buffers are few. */
static bool may_share(const struct sluice_writer *writer)
{
    return writer->series != NULL && writer->ports.in->worker_count == 0 &&
           sluice_due_shared(writer->series);
}

static bool may_nap(const struct sluice_writer *writer)
{
    return !writer->hurried && may_share(writer) && writer->series->unflushed > 0 &&
           !sluice_held_flying(&writer->sink) && !sluice_held_crowded(&writer->sink);
}

static int do_work(void *context)
{
    struct sluice_writer *writer = context;
    const struct sluice_writer_ports *ports = &writer->ports;
    uint32_t slots[SLUICE_PENDING_MAX];
    bool more = false;
    if (writer->finished)
        return SLUICE_AGENT_DONE;
    sluice_h5_init(NULL);
    int64_t begin_ns = sluice_now_ns(ports->clock);
    writer->sink.borrows = writer->settings.from_messages && may_share(writer);
    sluice_counter_set(ports->counters, SLUICE_COUNTER_WRITER_QUEUE,
                       sluice_handover_count(ports->in));
    uint32_t count = sluice_handover_pop_many(ports->in, slots, sluice_due_batch(writer->series));
    for (uint32_t i = 0; i < count; i++)
        take(writer, slots[i]);
    if (writer->series != NULL)
        sluice_store_commit(writer->series);
    sluice_sink_signal(&writer->sink);
    if (writer->series != NULL)
        more = look_at_timers(writer, begin_ns);
    sluice_held_release(&writer->sink);
    sluice_sink_signal(&writer->sink);
    if (count > 0 || more) {
        int64_t took_ns = sluice_now_ns(ports->clock) - begin_ns;
        sluice_counter_max(ports->counters, SLUICE_COUNTER_WRITER_CYCLE_MAX, (uint64_t)took_ns);
    }
    if (writer->finished)
        return SLUICE_AGENT_DONE;
    return (int)count + more;
}

static int64_t earlier(int64_t a_ns, int64_t b_ns)
{
    return a_ns < b_ns ? a_ns : b_ns;
}

/* How long nothing is to be done, if nothing comes; negative: for ever. */
static int64_t time_to_next_timer(const struct sluice_writer *writer)
{
    const struct sluice_open_series *series = writer->series;
    int64_t due_ns = INT64_MAX;
    if (series == NULL)
        return -1;
    if (series->unflushed > 0)
        due_ns = flush_due_ns(writer);
    due_ns = earlier(due_ns, sluice_masters_due_ns(series));
    if (series->created_count > 0)
        due_ns = earlier(due_ns, series->space_check_ns + SLUICE_SPACE_INTERVAL_NS);
    if (due_ns == INT64_MAX)
        return -1;
    int64_t left_ns = due_ns - sluice_now_ns(writer->ports.clock);
    return left_ns > 0 ? left_ns : 0;
}

static void wait_for_work(void *context)
{
    struct sluice_writer *writer = context;
    int64_t timeout_ns = time_to_next_timer(writer);
    if (timeout_ns > 0 && may_nap(writer)) {
        /* What it writes from messages it does not touch: that is as quick all at once. */
        const int64_t most_ns = writer->sink.borrows ? timeout_ns : NAP_NS;
        writer->hurried = sluice_handover_nap(writer->ports.in, earlier(timeout_ns, most_ns));
        return;
    }
    writer->hurried = false;
    if (sluice_held_wait(&writer->sink))
        return;
    timeout_ns = time_to_next_timer(writer);
    if (writer->finished || timeout_ns == 0)
        return;
    struct sluice_wake *wake = sluice_handover_wake(writer->ports.in);
    uint32_t prepared = sluice_wake_prepare(wake);
    if (sluice_handover_count(writer->ports.in) > 0)
        sluice_wake_cancel(wake);
    else
        sluice_wake_wait(wake, prepared, timeout_ns);
}

const struct sluice_agent_ops sluice_writer_agent_ops = {
    .name = "writer",
    .do_work = do_work,
    .wait = wait_for_work,
};
