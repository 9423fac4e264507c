/* SPDX-License-Identifier: Apache-2.0
 *
 * What a message means: start, end and image are held against the open series (tracker.h), counted,
 * and turned into frames for the writer. Every message is counted exactly once, when it is dealt
 * with and not when it arrives, so that one which waits for a slot is not counted twice. */
#include <string.h>

#include "core/codec/codec.h"
#include "core/log.h"
#include "ingest/source/internal.h"

/* ---- frames to the writer ---- */

static void push(struct sluice_source *source, uint32_t slot)
{
    sluice_handover_push(source->ports.out, slot);
}

/* Before a writer that lets images wait makes the detector wait, or images be dropped. */
static void hurry_if_crowded(struct sluice_source *source)
{
    if (sluice_slots_crowded(&source->slots))
        sluice_handover_hurry(source->ports.out);
}

void sluice_source_push_control(struct sluice_source *source, enum sluice_frame_kind kind,
                                struct sluice_series *series)
{
    const uint32_t slot = sluice_slots_take_control(&source->slots);
    struct sluice_frame *frame = &source->slots.frames[slot];
    frame->kind = kind;
    frame->series_serial = source->tracker.serial;
    frame->arrival_ns = sluice_now_ns(source->ports.clock);
    frame->arrival_real_ns = source->ports.clock->real_ns(source->ports.clock);
    frame->message_bytes = 0;
    frame->series = series;
    if (kind == SLUICE_FRAME_OPEN && source->ports.announce != NULL)
        source->ports.announce(source->ports.announce_context, series);
    push(source, slot);
}

bool sluice_source_series_complete(const struct sluice_source *source)
{
    /* [edge COMPLETE] */
    return sluice_load_acquire(&source->ports.progress->complete_serial) == source->tracker.serial;
}

void sluice_source_close_series(struct sluice_source *source, enum sluice_ended_by ended_by)
{
    if (!source->tracker.open)
        return;
    if (source->waiting_open != NULL) {
        sluice_source_push_control(source, SLUICE_FRAME_OPEN, source->waiting_open);
        source->waiting_open = NULL;
    }
    const uint32_t slot = sluice_slots_take_control(&source->slots);
    struct sluice_frame *frame = &source->slots.frames[slot];
    frame->kind = SLUICE_FRAME_CLOSE;
    frame->series_serial = source->tracker.serial;
    frame->arrival_ns = sluice_now_ns(source->ports.clock);
    frame->ended_by = ended_by;
    frame->source_counts = source->tracker.counts;
    frame->series = NULL;
    push(source, slot);
    sluice_tracker_close(&source->tracker, ended_by, sluice_source_series_complete(source));
    sluice_source_end_acquisition(source, ended_by);
    if (source->settings.series_max != 0 &&
        source->tracker.closed_count >= source->settings.series_max)
        source->finished = true;
}

static void open_series(struct sluice_source *source, struct sluice_series *series,
                        const struct sluice_image *image)
{
    if (series->number_of_images == 0) /* an arm says how many are to come */
        series->number_of_images =
            sluice_load_acquire(&source->ports.progress->armed_images); /* [edge ARMED] */
    sluice_tracker_open(&source->tracker, series, image, sluice_now_ns(source->ports.clock));
    source->refused_early_count = 0;
    if (series->channel_count == 0 || series->width == 0)
        source->waiting_open = series;
    else
        sluice_source_push_control(source, SLUICE_FRAME_OPEN, series);
}

/* ---- start and end ---- */

static void count_series_bytes(struct sluice_source *source)
{
    if (source->tracker.open)
        source->tracker.counts.bytes_received += source->message.bytes;
}

static void adopt_start(struct sluice_source *source, struct sluice_series *series)
{
    struct sluice_error error = {0};
    if (sluice_tracker_adopt(&source->tracker, series, &error) != SLUICE_OK) {
        sluice_log_error("source", "the late start of the open series is not used: %s",
                         error.message);
        sluice_counter_add(source->ports.counters, SLUICE_COUNTER_SOURCE_STARTS_REFUSED, 1);
        sluice_series_destroy(series);
        return;
    }
    sluice_log_warning("source", "start message came after images of its series; taken over");
    sluice_source_push_control(source, SLUICE_FRAME_ADOPT, series);
}

static uint64_t digest_of(const struct sluice_parts *parts)
{
    uint64_t digest = parts->count;
    for (uint32_t i = 0; i < parts->count; i++)
        digest = digest * 31 + sluice_checksum(parts->part[i]);
    return digest;
}

/* Without unique ids a number may be that of the series before: the detector was switched off and
 * begins again from 1. A start that says something else is then no repeated one. */
static bool is_another(const struct sluice_source *source, uint64_t digest)
{
    return !source->head.has_unique_id && source->decode_status == SLUICE_OK &&
           digest != source->start_digest;
}

static void deliver_start(struct sluice_source *source)
{
    struct sluice_counters *counters = source->ports.counters;
    sluice_counter_add(counters, SLUICE_COUNTER_SOURCE_STARTS, 1);
    if (source->decoded_as != source->protocol) {
        sluice_log_info("source", "the stream is %s from here on", source->decoded_as->title);
        sluice_source_close_series(source, SLUICE_ENDED_BY_NEW_START);
        source->protocol = source->decoded_as;
    }
    struct sluice_parts parts;
    sluice_source_parts(source, &parts);
    const uint64_t digest = digest_of(&parts);
    enum sluice_start_verdict verdict = sluice_tracker_judge_start(&source->tracker, &source->head);
    if (verdict == SLUICE_START_REPEATED && is_another(source, digest))
        verdict = SLUICE_START_NEW;
    source->tracker.last_message_ns = source->decoded->arrival_ns;
    if (verdict == SLUICE_START_REPEATED) {
        sluice_counter_add(counters, SLUICE_COUNTER_SOURCE_STARTS_REPEATED, 1);
        sluice_log_warning("source", "repeated start message of the open series ignored");
        count_series_bytes(source);
        return;
    }
    struct sluice_error error = {0};
    struct sluice_series *series = NULL;
    enum sluice_status status = source->decode_status;
    if (status == SLUICE_OK)
        status = source->protocol->start(&parts, &series, &error);
    else
        error = source->decode_error;
    if (status != SLUICE_OK) {
        /* Its images still come, and will open a series without it. */
        sluice_counter_add(counters, SLUICE_COUNTER_SOURCE_STARTS_REFUSED, 1);
        sluice_counters_error(counters, source->decoded->arrival_real_ns, error.message);
        sluice_log_error("source",
                         "start message refused: %s; its images will be saved as _nostart",
                         error.message);
        if (verdict == SLUICE_START_NEW &&
            (source->head.has_unique_id || source->head.has_series_id))
            sluice_source_close_series(source, SLUICE_ENDED_BY_NEW_START);
        sluice_tracker_note_start(&source->tracker, &source->head);
        return;
    }
    if (verdict == SLUICE_START_LATE) {
        adopt_start(source, series);
        source->start_digest = digest;
        count_series_bytes(source);
        return;
    }
    sluice_source_close_series(source, SLUICE_ENDED_BY_NEW_START);
    if (source->finished) {
        sluice_log_warning("source", "series %llu begins after the last one wanted; not taken",
                           (unsigned long long)series->series_id);
        sluice_series_destroy(series);
        return;
    }
    open_series(source, series, NULL);
    source->start_digest = digest;
    count_series_bytes(source);
}

static void deliver_end(struct sluice_source *source)
{
    sluice_counter_add(source->ports.counters, SLUICE_COUNTER_SOURCE_ENDS, 1);
    if (source->decode_status != SLUICE_OK)
        sluice_log_warning("source", "end message is damaged: %s", source->decode_error.message);
    if (!sluice_tracker_judge_end(&source->tracker, &source->head)) {
        sluice_log_warning("source", "end message of a series that is not open ignored");
        return;
    }
    sluice_source_close_series(source, SLUICE_ENDED_BY_END);
}

/* ---- images ---- */

static void refuse(struct sluice_source *source, const struct sluice_error *error)
{
    sluice_counter_add(source->ports.counters, SLUICE_COUNTER_SOURCE_REFUSED, 1);
    sluice_counters_error(source->ports.counters, source->decoded->arrival_real_ns, error->message);
    if (source->head.has_image_id) {
        sluice_log_warning("source", "image refused: %s image_id=%llu", error->message,
                           (unsigned long long)source->head.image_id);
    } else {
        sluice_log_warning("source", "message refused: %s bytes=%zu", error->message,
                           source->message.bytes);
    }
}

/* The message in hand is released, or has gone on its way. */
static void push_mark(struct sluice_source *source, uint64_t image_id)
{
    if (!sluice_slots_room(&source->slots, &source->message))
        return;
    const uint32_t slot = sluice_slots_accept(&source->slots, &source->message);
    struct sluice_frame *frame = &source->slots.frames[slot];
    frame->kind = SLUICE_FRAME_REFUSED;
    frame->series_serial = source->tracker.serial;
    frame->image.image_id = image_id;
    frame->image.plane_count = 0;
    push(source, slot);
}

/* Marks the row of a refused image of the open series, where its id is known; of a series that the
 * writer does not know yet, later. */
static void push_refused(struct sluice_source *source)
{
    if (!source->head.has_image_id)
        return;
    if (source->waiting_open == NULL) {
        sluice_message_release(&source->message);
        push_mark(source, source->head.image_id);
    } else if (source->refused_early_count < SLUICE_REFUSED_EARLY_MAX) {
        source->refused_early[source->refused_early_count++] = source->head.image_id;
    }
}

static void push_refused_early(struct sluice_source *source)
{
    while (source->refused_early_count > 0)
        push_mark(source, source->refused_early[--source->refused_early_count]);
}

static void push_image(struct sluice_source *source)
{
    const struct sluice_frame *decoded = source->decoded;
    const size_t bytes = source->message.bytes;
    const uint32_t slot = sluice_slots_accept(&source->slots, &source->message);
    /* What is lent comes back when the disk has it: the more there is, the sooner it is wanted. */
    const enum sluice_lent lent =
        sluice_slots_crowded(&source->slots) ? SLUICE_LENT_NOT : SLUICE_LENT_BARE;
    struct sluice_frame *frame = &source->slots.frames[slot];
    if (frame != decoded) { /* it had to wait for the slot */
        char *text = source->slots.text + (size_t)slot * source->slots.text_bytes;
        *frame = *decoded;
        if (decoded->image.user_data.bytes > 0) {
            memcpy(text, decoded->image.user_data.data, decoded->image.user_data.bytes);
            frame->image.user_data.data = (const uint8_t *)text;
        }
    }
    for (uint32_t i = 0; i < frame->image.plane_count; i++) {
        struct sluice_plane *plane = &frame->image.planes[i];
        sluice_message_follow(&source->message, &source->slots.messages[slot], &plane->payload);
        sluice_message_follow(&source->message, &source->slots.messages[slot], &plane->channel);
        plane->lent = lent;
    }
    frame->kind = SLUICE_FRAME_IMAGE;
    frame->series_serial = source->tracker.serial;
    frame->series_date = source->head.series_date;
    sluice_message_follow(&source->message, &source->slots.messages[slot], &frame->series_date);
    frame->message_bytes = bytes;
    frame->series = NULL;
    frame->written_from = false;
    sluice_slots_copy(&source->slots, slot);
    sluice_handover_push_work(source->ports.out, slot);
    hurry_if_crowded(source);
}

static bool planes_agree(const struct sluice_image *image, struct sluice_error *error)
{
    for (uint32_t i = 1; i < image->plane_count; i++) {
        if (image->planes[i].width != image->planes[0].width ||
            image->planes[i].height != image->planes[0].height) {
            sluice_error_set(error, SLUICE_MISMATCH, "its channels differ in size");
            return false;
        }
    }
    return true;
}

static void open_without_start(struct sluice_source *source)
{
    struct sluice_series *series =
        sluice_tracker_series_of_image(&source->head, &source->decoded->image);
    if (series == NULL) {
        sluice_log_error("source", "out of memory opening a series");
        return;
    }
    sluice_counter_add(source->ports.counters, SLUICE_COUNTER_SOURCE_STARTS_MISSED, 1);
    sluice_log_warning("source",
                       "no start message for series %llu (unique id \"%s\"): its images are saved "
                       "under a name marked _nostart; is the program started before the detector "
                       "is armed, and is it the only client?",
                       (unsigned long long)series->series_id, series->unique_id);
    open_series(source, series, &source->decoded->image);
}

static void note_second_client(struct sluice_source *source)
{
    uint64_t clients = 0;
    if (source->settings.socket == SLUICE_SOCKET_SUB)
        return; /* every subscriber gets every image */
    if (sluice_tracker_note_id(&source->tracker, source->decoded->image.image_id, &clients)) {
        sluice_log_warning("source",
                           "only every %llu. image arrives: a second client is pulling from the "
                           "same detector and takes the others; stop it, the detector shares its "
                           "images among all clients",
                           (unsigned long long)clients);
    }
}

/* Of no series: only the counter and the exit code know of it. */
static void refuse_stray(struct sluice_source *source)
{
    sluice_counter_add(source->ports.counters, SLUICE_COUNTER_SOURCE_STRAY, 1);
    refuse(source, &source->decode_error);
}

/* An image of a series that is not open. */
static void deliver_homeless(struct sluice_source *source, enum sluice_image_verdict verdict)
{
    if (verdict == SLUICE_IMAGE_FOREIGN) {
        source->tracker.counts.received++;
        source->tracker.counts.foreign++;
        source->tracker.counts.bytes_received += source->message.bytes;
        sluice_log_warning("source",
                           "image of another series (id %llu) while series %llu is open; if that "
                           "one has ended without an end message, set source.idle_timeout_ms",
                           (unsigned long long)source->head.series_id,
                           (unsigned long long)source->tracker.identity.series_id);
    } else if (verdict == SLUICE_IMAGE_OF_CLOSED) {
        sluice_log_warning("source", "image %llu of series %llu came after its close",
                           (unsigned long long)source->head.image_id,
                           (unsigned long long)source->head.series_id);
    } else {
        refuse_stray(source);
        return;
    }
    sluice_counter_add(source->ports.counters, SLUICE_COUNTER_SOURCE_FOREIGN, 1);
}

/* Opens a series with the image in hand. False: it is dealt with, or nothing could be opened. */
static bool open_with_image(struct sluice_source *source)
{
    if (!sluice_source_is_numbered(source)) {
        if (planes_agree(&source->decoded->image, &source->decode_error)) {
            open_without_start(source);
            return true;
        }
        refuse_stray(source);
        return false;
    }
    struct sluice_series *series = sluice_source_acquisition(source);
    if (series == NULL) {
        sluice_error_set(&source->decode_error, SLUICE_NO_MEMORY, "no memory for a series");
        refuse_stray(source);
        return false;
    }
    open_series(source, series, &source->decoded->image);
    return true;
}

/* An image of the open series. `room`: a slot is free. */
static void deliver_own(struct sluice_source *source, bool room)
{
    struct sluice_image *image = &source->decoded->image;
    struct sluice_source_counts *counts = &source->tracker.counts;
    bool good = source->decode_status == SLUICE_OK;
    counts->received++;
    counts->bytes_received += source->message.bytes;
    /* What another protocol sends must not hold the series open that keeps it out. */
    if (source->decoded_as == source->protocol &&
        (!sluice_source_is_numbered(source) || sluice_source_renumber(source, good)))
        source->tracker.last_message_ns = source->decoded->arrival_ns;
    good = source->decode_status == SLUICE_OK;
    if (good && source->waiting_open != NULL) {
        sluice_tracker_complete(&source->tracker, source->waiting_open, image);
        sluice_source_push_control(source, SLUICE_FRAME_OPEN, source->waiting_open);
        source->waiting_open = NULL;
    }
    good =
        good && sluice_tracker_check(&source->tracker, image, &source->decode_error) == SLUICE_OK;
    if (!good) {
        counts->refused++;
        refuse(source, &source->decode_error);
        push_refused(source);
        return;
    }
    note_second_client(source);
    if (!room) {
        counts->dropped++;
        sluice_counter_add(source->ports.counters, SLUICE_COUNTER_SOURCE_DROPPED, 1);
        sluice_log_error("source", "no free slot: image %llu dropped (ring.overflow: drop)",
                         (unsigned long long)image->image_id);
    } else {
        push_image(source);
        push_refused_early(source);
    }
    if (sluice_source_is_numbered(source) && sluice_numbering_is_full(&source->numbering))
        sluice_source_close_series(source, SLUICE_ENDED_BY_END);
}

/* AGAIN: no slot is free, and the policy is to wait. */
static enum sluice_status deliver_image(struct sluice_source *source)
{
    const bool good = source->decode_status == SLUICE_OK;
    const enum sluice_number_verdict number = good && sluice_source_is_numbered(source)
                                                  ? sluice_source_judge_number(source)
                                                  : SLUICE_NUMBER_INSIDE;
    enum sluice_image_verdict verdict =
        sluice_tracker_judge_image(&source->tracker, &source->head, good);
    const bool waits = source->settings.overflow == SLUICE_OVERFLOW_WAIT;
    const bool room =
        sluice_slots_room(&source->slots, &source->message) &&
        !(good && waits && sluice_slots_wait(&source->slots, &source->decoded->image));
    const bool ours = verdict == SLUICE_IMAGE_OF_SERIES || verdict == SLUICE_IMAGE_MISSED_START;
    const bool away = number == SLUICE_NUMBER_ECHO || number == SLUICE_NUMBER_HELD;
    if (ours && !away && !room && waits)
        return SLUICE_AGAIN;
    sluice_counter_add(source->ports.counters, SLUICE_COUNTER_SOURCE_IMAGES, 1);
    if (number == SLUICE_NUMBER_CHANGED || number == SLUICE_NUMBER_BEYOND) {
        sluice_source_close_series(source, number == SLUICE_NUMBER_BEYOND
                                               ? SLUICE_ENDED_BY_END
                                               : SLUICE_ENDED_BY_NEW_START);
        verdict = SLUICE_IMAGE_MISSED_START;
    }
    if (away || source->finished || (number == SLUICE_NUMBER_BEYOND && source->numbering.held)) {
        sluice_source_turn_away(source);
        return SLUICE_OK;
    }
    if (verdict == SLUICE_IMAGE_MISSED_START) {
        if (!open_with_image(source))
            return SLUICE_OK;
        verdict = SLUICE_IMAGE_OF_SERIES;
    }
    if (verdict == SLUICE_IMAGE_OF_SERIES && source->tracker.open)
        deliver_own(source, room);
    else
        deliver_homeless(source, verdict);
    return SLUICE_OK;
}

enum sluice_status sluice_source_deliver(struct sluice_source *source)
{
    if (source->slots.control_free_count < SLUICE_CONTROL_SLOTS_NEEDED)
        return SLUICE_AGAIN;
    switch (source->head.kind) {
    case SLUICE_MESSAGE_START:
        deliver_start(source);
        return SLUICE_OK;
    case SLUICE_MESSAGE_END:
        deliver_end(source);
        return SLUICE_OK;
    default:
        return deliver_image(source);
    }
}
