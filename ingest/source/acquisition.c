/* SPDX-License-Identifier: Apache-2.0
 *
 * Acquisitions of a protocol that has neither start nor end: the messages of such a stream are held
 * against numbering.h before deliver.c deals with them as with any image. What opens one is in no
 * way a missed start; its series_id is the time of opening. */
#include <inttypes.h>
#include <time.h>

#include "core/log.h"
#include "ingest/source/internal.h"

bool sluice_source_is_numbered(const struct sluice_source *source)
{
    return source->protocol != NULL && source->protocol->open != NULL;
}

int64_t sluice_source_idle_limit_ns(const struct sluice_source *source)
{
    if (source->settings.idle_timeout_ns >= 0)
        return source->settings.idle_timeout_ns;
    return source->protocol != NULL ? source->protocol->idle_timeout_ns : 0;
}

enum sluice_number_verdict sluice_source_judge_number(struct sluice_source *source)
{
    if (sluice_load_acquire(&source->ports.progress->arms_accepted) != source->arms_seen)
        sluice_numbering_release(&source->numbering); /* [edge ARMED] */
    const struct sluice_image_contract *contract = &source->tracker.contract;
    const struct sluice_plane *plane = &source->decoded->image.planes[0];
    const int64_t limit_ns = sluice_source_idle_limit_ns(source);
    const bool fits = plane->width == contract->width && plane->height == contract->height &&
                      plane->dtype == contract->dtypes[0];
    const bool recent =
        limit_ns == 0 || source->decoded->arrival_ns - source->tracker.last_message_ns < limit_ns;
    return sluice_numbering_judge(&source->numbering, source->head.image_id, fits, recent);
}

/* 20261122081530: the time as people read it, in a number that every program can hold. */
static uint64_t readable_time(int64_t real_ns)
{
    const time_t seconds = (time_t)(real_ns / SLUICE_NS_PER_S);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    const uint64_t date = (uint64_t)(utc.tm_year + 1900) * 10000 +
                          (uint64_t)(utc.tm_mon + 1) * 100 + (uint64_t)utc.tm_mday;
    return date * 1000000 + (uint64_t)utc.tm_hour * 10000 + (uint64_t)utc.tm_min * 100 +
           (uint64_t)utc.tm_sec;
}

struct sluice_series *sluice_source_acquisition(struct sluice_source *source)
{
    struct sluice_parts parts;
    sluice_source_parts(source, &parts);
    struct sluice_series *series = source->protocol->open(&parts, &source->decoded->image);
    if (series == NULL)
        return NULL;
    const uint64_t first = source->head.image_id;
    const uint64_t armed =
        sluice_load_acquire(&source->ports.progress->armed_images); /* [edge ARMED] */
    series->series_id = readable_time(source->decoded->arrival_real_ns);
    series->number_of_images = armed != 0 ? armed : source->settings.images_per_series;
    source->acquisition_armed = armed != 0;
    sluice_numbering_open(&source->numbering, first, series->number_of_images);
    sluice_log_info(
        "source",
        "acquisition opened series_id=%" PRIu64 " first_frame=%" PRIu64 " shape=%ux%u type=%s",
        series->series_id, first, series->width, series->height, sluice_dtype_name(series->dtype));
    return series;
}

/* A stop, and the number of images that an arm gave, are somebody's word that this was all, while a
 * detector that runs freely goes on. Its frames must neither open a series that nobody wants nor
 * keep the next arm out. */
void sluice_source_end_acquisition(struct sluice_source *source, enum sluice_ended_by ended_by)
{
    const bool numbered = sluice_source_is_numbered(source); /* else an acquisition is long over */
    sluice_numbering_close(&source->numbering, numbered && ended_by == SLUICE_ENDED_BY_END);
    sluice_numbering_release(&source->numbering);
    if (!numbered || (ended_by != SLUICE_ENDED_BY_STOP &&
                      !(ended_by == SLUICE_ENDED_BY_END && source->acquisition_armed)))
        return;
    source->arms_seen =
        sluice_load_acquire(&source->ports.progress->arms_accepted); /* [edge ARMED] */
    sluice_numbering_hold(&source->numbering);
}

void sluice_source_turn_away(struct sluice_source *source)
{
    source->tracker.last_message_ns = source->decoded->arrival_ns;
    sluice_counter_add(source->ports.counters, SLUICE_COUNTER_SOURCE_FOREIGN, 1);
    if (source->finished) {
        sluice_log_warning("source", "frame %" PRIu64 " comes after the last series wanted",
                           source->head.image_id);
        return;
    }
    if (source->numbering.held) {
        sluice_log_warning("source",
                           "frame %" PRIu64
                           " comes after its acquisition was stopped; the next one "
                           "opens when it is armed, or after a pause of source.idle_timeout_ms",
                           source->head.image_id);
        return;
    }
    sluice_numbering_note_echo(&source->numbering, source->head.image_id);
    sluice_log_warning("source",
                       "frame %" PRIu64 " came twice, after the last image of its acquisition",
                       source->head.image_id);
}

static void note_restart(struct sluice_source *source, uint64_t frame)
{
    if (sluice_numbering_note(&source->numbering, frame))
        sluice_log_error("source",
                         "the frame counter went back from %" PRIu64 " to %" PRIu64
                         " and counts on: frames that were there already count as duplicates. If a "
                         "new acquisition began, set source.images_per_series, or let "
                         "source.idle_timeout_ms pass between acquisitions",
                         source->numbering.highest, frame);
}

bool sluice_source_renumber(struct sluice_source *source, bool good)
{
    const uint64_t frame = source->head.image_id, first = source->numbering.first;
    if (!source->head.has_image_id)
        return true;
    if (frame < first) {
        source->head.has_image_id = false; /* it is none of this series' images */
        if (good)
            source->decode_status = sluice_error_set(
                &source->decode_error, SLUICE_MISMATCH,
                "frame %" PRIu64 " is before the first one of the open acquisition, %" PRIu64,
                frame, first);
        return false;
    }
    source->head.image_id = source->decoded->image.image_id = frame - first;
    if (good)
        note_restart(source, frame);
    return true;
}
