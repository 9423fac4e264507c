/* SPDX-License-Identifier: Apache-2.0
 *
 * Free space, ahead of time: before the first image against what the announced images will need,
 * then about once a second against what is still to come, and against the configured floor. It only
 * warns: whether the detector stops is not the writer's to decide, and a full disk has its own
 * answer. An alarm that stands is repeated every 10 s, and its end is said.
 *
 * With several directories a file is begun where the whole of it will fit, so that the change to
 * the next one falls between two files and costs no image. */
#include <inttypes.h>
#include <stdio.h>

#include "core/log.h"
#include "writer/sink/series.h"

#define ALARM_REPEAT_NS (10 * SLUICE_NS_PER_S)
/* The least that a file is begun with. */
#define LEAST_IMAGES   16
#define METADATA_BYTES (UINT64_C(256) << 10)

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

/* What file `index` will need, as far as that can be told, and the masters where they are still to
 * be made: two a channel, each with mask and flatfield, 4 bytes a pixel. */
static uint64_t file_needs(const struct sluice_open_series *series, uint64_t index,
                           uint64_t image_bytes)
{
    const struct sluice_series *metadata = series->metadata;
    const uint64_t first = index * series->per_file;
    uint64_t images = series->per_file;
    uint64_t masters = 0;
    if (metadata->number_of_images > first && metadata->number_of_images - first < images)
        images = metadata->number_of_images - first;
    if (series->created_count == 0)
        masters = UINT64_C(16) * series->channel_count * metadata->width * metadata->height;
    const uint64_t chunks = product(images, image_bytes);
    return chunks > UINT64_MAX / 2 ? chunks : chunks + masters + METADATA_BYTES;
}

static bool has_room(const struct sluice_open_series *series, size_t directory, uint64_t bytes)
{
    return sluice_sink_free_space(series->sink->directories[directory]) >= bytes;
}

void sluice_space_choose_directory(struct sluice_open_series *series, uint64_t index,
                                   uint64_t image_bytes)
{
    const struct sluice_sink *sink = series->sink;
    const uint64_t whole = file_needs(series, index, image_bytes);
    const uint64_t least = product(LEAST_IMAGES, image_bytes) + METADATA_BYTES;
    const size_t before = series->directory;
    size_t best = before;
    while (best < sink->settings->directory_count && !has_room(series, best, whole))
        best++;
    if (best == sink->settings->directory_count) /* nowhere the whole file: where it begins */
        for (best = before; best + 1 < sink->settings->directory_count; best++)
            if (has_room(series, best, least))
                break;
    series->directory = best;
    if (best != before)
        sluice_log_error("writer",
                         "no room for the next file in directory=%s: going on in directory=%s",
                         sink->directories[before], sink->directories[best]);
}

void sluice_space_check_first(struct sluice_open_series *series, uint64_t image_bytes)
{
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
