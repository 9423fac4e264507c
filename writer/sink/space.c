/* SPDX-License-Identifier: Apache-2.0
 *
 * Free space, ahead of time: before the first image against what the announced images will need,
 * then about once a second against what is still to come, and against the configured floor. It only
 * warns: whether the detector stops is not the writer's to decide, and a full disk has its own
 * answer. An alarm that stands is repeated every 10 s, and its end is said. */
#include <inttypes.h>
#include <stdio.h>

#include "core/log.h"
#include "writer/sink/series.h"

#define ALARM_REPEAT_NS (10 * SLUICE_NS_PER_S)
/* The least room that a series is begun with: some images, its masters, and metadata. */
#define LEAST_IMAGES         16
#define LEAST_METADATA_BYTES (UINT64_C(256) << 10)

static void judge(struct sluice_open_series *series, uint64_t free_bytes, uint64_t needed_bytes,
                  int64_t now_ns)
{
    const struct sluice_sink *sink = series->sink;
    const char *directory = sink->directories[series->directory];
    bool short_of = free_bytes < needed_bytes;
    bool low = free_bytes < sink->settings->free_space_alarm_bytes;
    sluice_counter_set(sink->counters, SLUICE_COUNTER_WRITER_FREE_SPACE, free_bytes);
    if (!short_of && !low) {
        if (series->space_alarmed)
            sluice_log_info("writer", "there is enough free space again directory=%s", directory);
        series->space_alarmed = false;
        return;
    }
    if (series->space_alarmed && now_ns - series->space_alarm_ns < ALARM_REPEAT_NS)
        return;
    series->space_alarmed = true;
    series->space_alarm_ns = now_ns;
    char text[SLUICE_PATH_BYTES];
    snprintf(text, sizeof(text), "free space %s: make room now directory=%s",
             short_of ? "will not suffice" : "is low", directory);
    sluice_log_error("writer", "%s free_bytes=%" PRIu64 " needed_bytes=%" PRIu64, text, free_bytes,
                     short_of ? needed_bytes : sink->settings->free_space_alarm_bytes);
    sluice_counters_error(sink->counters, sink->clock->real_ns(sink->clock), text);
}

static uint64_t product(uint64_t a, uint64_t b)
{
    uint64_t result;
    return __builtin_mul_overflow(a, b, &result) ? UINT64_MAX : result;
}

/* A directory without room for a few images is passed over while there is another. */
static void choose_directory(struct sluice_open_series *series, uint64_t image_bytes)
{
    const struct sluice_sink *sink = series->sink;
    const struct sluice_series *metadata = series->metadata;
    /* Two files a channel, each with mask and flatfield, 4 bytes a pixel. */
    const uint64_t masters_bytes =
        UINT64_C(16) * series->channel_count * metadata->width * metadata->height;
    const uint64_t least_bytes = LEAST_IMAGES * image_bytes + masters_bytes + LEAST_METADATA_BYTES;
    while (series->directory + 1 < sink->settings->directory_count &&
           sluice_sink_free_space(sink->directories[series->directory]) < least_bytes) {
        sluice_log_error("writer", "no space for a new series in directory=%s: the next is taken",
                         sink->directories[series->directory]);
        series->directory++;
    }
}

void sluice_space_check_first(struct sluice_open_series *series, uint64_t image_bytes)
{
    choose_directory(series, image_bytes);
    int64_t now_ns = sluice_now_ns(series->sink->clock);
    judge(series, sluice_sink_free_space(series->sink->directories[series->directory]),
          product(series->metadata->number_of_images, image_bytes), now_ns);
    series->space_check_ns = now_ns;
}

void sluice_space_check(struct sluice_open_series *series, int64_t now_ns)
{
    const struct sluice_tally *tally = &series->tally;
    uint64_t number = series->metadata->number_of_images;
    uint64_t to_come = number > tally->written ? number - tally->written : 0;
    uint64_t image_bytes = tally->written > 0 ? tally->bytes_written / tally->written : 0;
    if (series->created_count == 0 || now_ns - series->space_check_ns < SLUICE_SPACE_INTERVAL_NS)
        return;
    series->space_check_ns = now_ns;
    judge(series, sluice_sink_free_space(series->sink->directories[series->directory]),
          product(to_come, image_bytes), now_ns);
}
