/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening, adopting a late start and closing of a series.
 *
 * The name is chosen at the opening, but nothing is created before the first image. The close goes
 * in one order: what was collected is written and flushed, files get their gap marks and are
 * closed, the masters are written a last time, and only then the end is announced. */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/log.h"
#include "writer/driver/direct.h"
#include "writer/layout/layout.h"
#include "writer/sink/arm.h"

void sluice_series_fail(struct sluice_open_series *series, const struct sluice_error *error)
{
    sluice_sink_fault(series->sink, error);
    if (!series->failed)
        snprintf(series->reason, sizeof(series->reason), "%s", error->message);
    series->failed = true;
}

/* Whether `entry` is a file of the set `base`. */
static bool belongs(const struct sluice_open_series *series, const char *base, const char *entry)
{
    char name[SLUICE_PATH_BYTES];
    size_t length = strlen(base);
    if (strncmp(entry, base, length) != 0)
        return false;
    if (strncmp(entry + length, "_data_", 6) == 0)
        return true;
    for (uint32_t c = 0; c == 0 || c < series->channel_count; c++)
        for (int nxs = 0; nxs < 2; nxs++)
            if (sluice_layout_master_path("", base, c, series->channels[c].dataset, nxs != 0, name,
                                          sizeof(name)) == SLUICE_OK &&
                strcmp(entry, name + 1) == 0)
                return true;
    return false;
}

bool sluice_series_name_is_taken(const struct sluice_open_series *series, const char *name)
{
    const char *base = sluice_layout_base_name(name);
    bool taken = false;
    for (size_t d = 0; !taken && d < series->sink->settings->directory_count; d++) {
        char path[SLUICE_PATH_BYTES];
        /* The two that nearly every set has, before a whole directory is read. */
        sluice_layout_data_path(series->sink->directories[d], name, 0, path, sizeof(path));
        if (access(path, F_OK) == 0)
            return true;
        sluice_layout_master_path(series->sink->directories[d], name, 0, NULL, false, path,
                                  sizeof(path));
        if (access(path, F_OK) == 0)
            return true;
        *strrchr(path, '/') = '\0';
        DIR *directory = opendir(path);
        if (directory == NULL)
            continue; /* not made yet, so nothing is in it */
        const struct dirent *entry;
        while (!taken && (entry = readdir(directory)) != NULL)
            taken = belongs(series, base, entry->d_name);
        closedir(directory);
    }
    return taken;
}

/* The name as it is wanted: an armed one is taken as it is, without a mark, since whoever armed it
 * will look for that file. */
static enum sluice_status wanted_name(const struct sluice_open_series *series, char *wanted,
                                      size_t bytes, struct sluice_error *error)
{
    const char *directory = series->arm != NULL ? series->arm->directory : "";
    const bool named = series->arm != NULL && series->arm->name[0] != '\0';
    char pattern[SLUICE_ARM_DIRECTORY_BYTES + 256];
    snprintf(pattern, sizeof(pattern), "%s%s%s", directory, directory[0] != '\0' ? "/" : "",
             named ? series->arm->name : series->sink->settings->name);
    if (!named)
        return sluice_layout_series_name(pattern, series->metadata, series->open_real_ns, wanted,
                                         bytes, error);
    const int length = snprintf(wanted, bytes, "%s", pattern); /* fits: see arm.c */
    return length < 0 || (size_t)length >= bytes ? SLUICE_LIMIT : SLUICE_OK;
}

void sluice_series_choose_name(struct sluice_open_series *series)
{
    struct sluice_error error = {0};
    char wanted[SLUICE_SET_NAME_BYTES - 24]; /* "_<number>" fits behind it */
    enum sluice_status status = wanted_name(series, wanted, sizeof(wanted), &error);
    if (status != SLUICE_OK) {
        snprintf(wanted, sizeof(wanted), "series_%" PRIu64, series->metadata->series_id);
        sluice_log_error("writer", "%s: the images go to name=%s", error.message, wanted);
    }
    snprintf(series->name, sizeof(series->name), "%s", wanted);
    for (uint64_t n = 2; sluice_series_name_is_taken(series, series->name); n++)
        snprintf(series->name, sizeof(series->name), "%s_%" PRIu64, wanted, n);
    if (strcmp(series->name, wanted) != 0)
        sluice_log_warning("writer", "files of this name exist, another is used: wanted=%s name=%s",
                           wanted, series->name);
}

static void name_channels(struct sluice_open_series *series)
{
    char names[SLUICE_PLANES_MAX][SLUICE_NAME_BYTES];
    series->channel_count = series->metadata->channel_count;
    sluice_layout_channel_names(series->metadata, names);
    for (uint32_t c = 0; c < series->channel_count; c++) {
        struct sluice_file_channel *channel = &series->channels[c];
        memcpy(channel->dataset, names[c], sizeof(channel->dataset));
        snprintf(channel->name, sizeof(channel->name), "%s", series->metadata->channels[c].name);
    }
}

/* One file is bounded too: its dimensions are finite. Room for so many costs nothing, and lets the
 * announced number be too small. */
#define ONE_FILE_LEAST 1000

/* 0 means one file. */
static uint64_t images_per_file(const struct sluice_open_series *series)
{
    const struct sluice_writer_settings *settings = series->sink->settings;
    uint64_t number = series->metadata->number_of_images;
    uint64_t most = settings->images_per_file_max > 0 ? settings->images_per_file_max : 1;
    if (settings->images_per_file > 0)
        return settings->images_per_file;
    if (number == 0 || number > most)
        return most;
    return number > ONE_FILE_LEAST || most < ONE_FILE_LEAST ? number : ONE_FILE_LEAST;
}

static void tell_opened(const struct sluice_open_series *series)
{
    struct sluice_event *event = sluice_sink_event(series->sink, SLUICE_EVENT_START);
    sluice_log_info(
        "writer", "series open series_id=%" PRIu64 " name=%s channels=%u number_of_images=%" PRIu64,
        series->metadata->series_id, series->name, series->channel_count,
        series->metadata->number_of_images);
    if (event == NULL)
        return;
    event->series_id = series->metadata->series_id;
    sluice_layout_master_path(series->sink->directories[0], series->name, 0, NULL, false,
                              event->file, sizeof(event->file));
    event->facts = sluice_series_facts(series);
    sluice_events_post(series->sink->events, event);
}

static void free_series(struct sluice_open_series *series)
{
    sluice_masters_stop(series);
    free(series->files);
    sluice_slab_close(&series->slab);
    sluice_recode_close(&series->recode);
    sluice_series_destroy(series->metadata);
    free(series->arm);
    free(series);
}

/* The number that the detector announced counts; without one, that of the arm. */
static void take_number(struct sluice_open_series *series)
{
    struct sluice_series *metadata = series->metadata;
    if (series->arm == NULL || series->arm->images == 0)
        return;
    if (metadata->number_of_images == 0)
        metadata->number_of_images = series->arm->images;
    if (metadata->number_of_images != series->arm->images)
        sluice_log_warning("writer",
                           "the detector announces another number of images than was armed: "
                           "announced=%" PRIu64 " armed=%" PRIu64,
                           metadata->number_of_images, series->arm->images);
}

struct sluice_open_series *sluice_series_open(const struct sluice_sink *sink,
                                              struct sluice_series *metadata, uint64_t serial,
                                              struct sluice_arm *arm)
{
    struct sluice_open_series *series = calloc(1, sizeof(*series));
    if (series == NULL) {
        struct sluice_error error = {0};
        sluice_error_set(&error, SLUICE_NO_MEMORY,
                         "no memory for a series: its images are refused");
        sluice_sink_fault(sink, &error);
        sluice_series_destroy(metadata);
        free(arm);
        return NULL;
    }
    series->sink = sink;
    series->metadata = metadata;
    series->arm = arm;
    take_number(series);
    series->serial = serial;
    series->ways = sluice_direct_counts(sink->direct);
    series->open_real_ns = sink->clock->real_ns(sink->clock);
    name_channels(series);
    series->per_file = images_per_file(series);
    sluice_series_choose_name(series);
    sluice_counter_add(sink->counters, SLUICE_COUNTER_WRITER_SERIES_OPENED, 1);
    tell_opened(series);
    return series;
}

/* Puts the new channels into the order of the files' datasets; false when the sets differ. */
static bool reorder_channels(const struct sluice_open_series *series,
                             struct sluice_series *metadata)
{
    if (metadata->channel_count != series->channel_count)
        return false;
    for (uint32_t c = 0; c < series->channel_count; c++) {
        uint32_t at = c;
        while (at < metadata->channel_count &&
               strcmp(metadata->channels[at].name, series->channels[c].name) != 0)
            at++;
        if (at == metadata->channel_count)
            return false;
        struct sluice_channel moved = metadata->channels[at];
        metadata->channels[at] = metadata->channels[c];
        metadata->channels[c] = moved;
    }
    return true;
}

static bool fits_files(const struct sluice_open_series *series, struct sluice_series *metadata)
{
    if (series->has_shape && (metadata->width != series->channels[0].width ||
                              metadata->height != series->channels[0].height ||
                              metadata->dtype != series->channels[0].dtype))
        return false;
    return reorder_channels(series, metadata);
}

void sluice_series_adopt(struct sluice_open_series *series, struct sluice_series *metadata)
{
    if (series->created_count == 0 && series->channel_count == 0) {
        sluice_series_destroy(series->metadata);
        series->metadata = metadata;
        name_channels(series);
        return;
    }
    if (!fits_files(series, metadata)) {
        sluice_log_error("writer",
                         "the late start message does not fit the images that are written already, "
                         "its metadata is left out series_id=%" PRIu64 " name=%s",
                         metadata->series_id, series->name);
        sluice_series_destroy(metadata);
        return;
    }
    memcpy(metadata->series_date, series->metadata->series_date, sizeof(metadata->series_date));
    sluice_masters_stop(series); /* what is being written is of the old ones */
    sluice_series_destroy(series->metadata);
    series->metadata = metadata;
    if (series->unflushed == 0)
        sluice_flush_tell_complete(series);
    sluice_log_info("writer", "late start message taken over series_id=%" PRIu64 " name=%s",
                    metadata->series_id, series->name);
}

static void tell_closed(const struct sluice_open_series *series, struct sluice_summary *summary)
{
    struct sluice_event *event = NULL;
    if (summary == NULL) {
        struct sluice_error error = {0};
        sluice_error_set(&error, SLUICE_NO_MEMORY, "no memory for the summary of %s", series->name);
        sluice_sink_fault(series->sink, &error);
        return;
    }
    sluice_counter_add(series->sink->counters, SLUICE_COUNTER_WRITER_LOST, summary->lost);
    sluice_log_info("writer",
                    "series closed series_id=%" PRIu64 " name=%s state=%s written=%" PRIu64
                    " lost=%" PRIu64 " refused=%" PRIu64 " failed=%" PRIu64,
                    summary->series_id, summary->name, summary->failed ? "failed" : "done",
                    summary->written, summary->lost, summary->refused, summary->image_failures);
    event = sluice_sink_event(series->sink, SLUICE_EVENT_END);
    if (event == NULL) {
        if (series->sink->events != NULL) {
            struct sluice_error error = {0};
            sluice_error_set(&error, SLUICE_FULL,
                             "the service is far behind: the summary of %s is left out",
                             series->name);
            sluice_sink_fault(series->sink, &error);
        }
        sluice_summary_destroy(summary);
        return;
    }
    event->series_id = summary->series_id;
    event->images_visible = summary->visible;
    event->images_lost = summary->lost;
    if (summary->master != NULL)
        snprintf(event->file, sizeof(event->file), "%s", summary->master);
    event->summary = summary;
    sluice_events_post(series->sink->events, event);
}

void sluice_series_close(struct sluice_open_series *series, enum sluice_ended_by ended_by,
                         const struct sluice_source_counts *counts)
{
    struct sluice_counters *counters = series->sink->counters;
    sluice_store_commit(series);
    sluice_flush(series);
    sluice_files_close_all(series);
    sluice_masters_finish(series);
    if (series->tally.dropped > 0)
        sluice_log_error("writer",
                         "given up: images that waited were not written series_id=%" PRIu64
                         " images=%" PRIu64,
                         series->metadata->series_id, series->tally.dropped);
    tell_closed(series, sluice_account_summary(series, ended_by, counts));
    sluice_counter_add(counters, SLUICE_COUNTER_WRITER_SERIES_CLOSED, 1);
    if (series->failed)
        sluice_counter_add(counters, SLUICE_COUNTER_WRITER_SERIES_FAILED, 1);
    free_series(series);
}
