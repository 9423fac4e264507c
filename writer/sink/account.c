/* SPDX-License-Identifier: Apache-2.0
 *
 * Counts to a summary. What was written is known from the files' bits alone, so lost images are
 * found by walking them, one word at a time; a file that is not there is one range. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "writer/sink/series.h"

void sluice_account_find_next_id(struct sluice_open_series *series)
{
    series->next_id = 0;
    for (size_t i = series->file_count; i-- > 0;) {
        const struct sluice_datafile *file = series->files[i];
        if (file->written_count == 0)
            continue;
        series->next_id = file->index * series->per_file + sluice_datafile_rows_written(file);
        return;
    }
}

static uint64_t count_rows(const struct sluice_datafile *file, uint64_t rows)
{
    uint64_t count = 0;
    if (rows >= file->capacity)
        return file->written_count;
    for (uint64_t word = 0; word < rows / 64; word++)
        count += (uint64_t)__builtin_popcountll(file->written[word]);
    for (uint64_t row = rows / 64 * 64; row < rows; row++)
        count += sluice_datafile_has(file, row);
    return count;
}

bool sluice_account_is_complete(const struct sluice_open_series *series)
{
    uint64_t number = series->metadata->number_of_images, count = 0;
    if (number == 0 || series->tally.written < number)
        return false;
    if (series->next_id <= number)
        return series->tally.written == number;
    for (size_t i = 0; i < series->file_count; i++) {
        uint64_t first = series->files[i]->index * series->per_file;
        if (first < number)
            count += count_rows(series->files[i], number - first);
    }
    return count == number;
}

struct ranges {
    struct sluice_range *items;
    size_t count, room;
    bool failed;
};

static void add_lost(struct ranges *ranges, uint64_t first, uint64_t last)
{
    if (ranges->count > 0 && ranges->items[ranges->count - 1].last + 1 == first) {
        ranges->items[ranges->count - 1].last = last;
        return;
    }
    if (ranges->count == ranges->room) {
        size_t room = ranges->room > 0 ? ranges->room * 2 : 16;
        struct sluice_range *items = realloc(ranges->items, room * sizeof(*items));
        if (items == NULL) {
            ranges->failed = true;
            return;
        }
        ranges->items = items;
        ranges->room = room;
    }
    ranges->items[ranges->count++] = (struct sluice_range){first, last};
}

static void add_lost_of_file(struct ranges *ranges, const struct sluice_datafile *file,
                             uint64_t first, uint64_t rows)
{
    for (uint64_t row = 0; row < rows;) {
        if (row % 64 == 0 && file->written[row / 64] == UINT64_MAX) {
            row += 64;
            continue;
        }
        if (!sluice_datafile_has(file, row))
            add_lost(ranges, first + row, first + row);
        row++;
    }
}

static struct ranges find_lost(const struct sluice_open_series *series, uint64_t expected)
{
    struct ranges ranges = {0};
    uint64_t at = 0;
    for (size_t i = 0; i < series->file_count && at < expected; i++) {
        const struct sluice_datafile *file = series->files[i];
        uint64_t first = file->index * series->per_file;
        if (first >= expected)
            break;
        if (first > at)
            add_lost(&ranges, at, first - 1);
        uint64_t rows = expected - first < file->capacity ? expected - first : file->capacity;
        add_lost_of_file(&ranges, file, first, rows);
        at = first + rows;
    }
    if (at < expected)
        add_lost(&ranges, at, expected - 1);
    return ranges;
}

static void put_counts(struct sluice_summary *summary, const struct sluice_tally *tally,
                       const struct sluice_source_counts *counts)
{
    summary->received = counts->received;
    summary->written = tally->written;
    summary->visible = tally->visible;
    summary->lost = summary->expected - tally->written;
    summary->refused = counts->refused + tally->refused;
    summary->duplicate = tally->duplicate;
    summary->foreign = counts->foreign;
    summary->dropped = counts->dropped + tally->dropped;
    summary->image_failures = tally->failed;
    summary->bytes_received = counts->bytes_received;
    summary->bytes_written = tally->bytes_written;
}

/* Of this series: there is one at a time. */
static void put_io(struct sluice_summary *summary, const struct sluice_open_series *series)
{
    const struct sluice_driver_counts *before = &series->ways;
    const struct sluice_driver_counts now = sluice_sink_count_pieces(series->sink);
    summary->has_io = series->sink->direct != NULL;
    summary->io = (struct sluice_summary_io){
        .direct_pieces = now.direct.pieces - before->direct.pieces,
        .direct_bytes = now.direct.bytes - before->direct.bytes,
        .cached_pieces = now.cached.pieces - before->cached.pieces,
        .cached_bytes = now.cached.bytes - before->cached.bytes,
        .spilled_pieces = now.spilled.pieces - before->spilled.pieces,
        .spilled_bytes = now.spilled.bytes - before->spilled.bytes,
        .spills_held = now.held - before->held,
        .waits = now.waits - before->waits,
    };
}

static void put_times(struct sluice_summary *summary, const struct sluice_open_series *series)
{
    const struct sluice_histogram *latency = &series->latency;
    bool any = latency->count > 0;
    summary->seconds =
        any ? (double)(series->last_visible_ns - series->first_arrival_ns) / 1e9 : 0.0;
    summary->cpu_seconds = (double)sluice_process_cpu_ns() / 1e9;
    summary->latency_p50_ms = any ? (double)sluice_histogram_percentile(latency, 0.5) / 1e6 : NAN;
    summary->latency_p99_ms = any ? (double)sluice_histogram_percentile(latency, 0.99) / 1e6 : NAN;
    summary->latency_max_ms = any ? (double)latency->max / 1e6 : NAN;
}

static bool put_files(struct sluice_summary *summary, const struct sluice_open_series *series)
{
    char path[SLUICE_PATH_BYTES];
    summary->files = calloc(series->file_count + 1, sizeof(*summary->files));
    if (summary->files == NULL)
        return false;
    for (size_t i = 0; i < series->file_count; i++) {
        if (series->files[i]->path == NULL)
            continue;
        char *copy = strdup(series->files[i]->path);
        if (copy == NULL)
            return false;
        summary->files[summary->file_count++] = copy;
    }
    if (!series->masters.exist)
        return true;
    sluice_layout_master_path(series->sink->directories[series->masters.directory], series->name, 0,
                              NULL, false, path, sizeof(path));
    summary->master = strdup(path);
    return summary->master != NULL;
}

struct sluice_summary *sluice_account_summary(const struct sluice_open_series *series,
                                              enum sluice_ended_by ended_by,
                                              const struct sluice_source_counts *counts)
{
    uint64_t number = series->metadata->number_of_images;
    struct sluice_summary *summary = sluice_summary_create();
    if (summary == NULL)
        return NULL;
    summary->series_id = series->metadata->series_id;
    snprintf(summary->name, sizeof(summary->name), "%s", series->name);
    if (series->arm != NULL)
        memcpy(summary->acquisition_id, series->arm->acquisition_id,
               sizeof(summary->acquisition_id));
    summary->failed = series->failed;
    summary->ended_by = ended_by;
    summary->expected = series->next_id > number ? series->next_id : number;
    put_counts(summary, &series->tally, counts);
    put_times(summary, series);
    put_io(summary, series);
    snprintf(summary->reason, sizeof(summary->reason), "%s", series->reason);
    struct ranges lost = find_lost(series, summary->expected);
    summary->lost_ranges = lost.items;
    summary->lost_range_count = lost.count;
    if (lost.failed || !put_files(summary, series)) {
        sluice_summary_destroy(summary);
        return NULL;
    }
    return summary;
}
