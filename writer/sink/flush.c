/* SPDX-License-Identifier: Apache-2.0
 *
 * The two-step flush. One H5Fflush cannot order a cell of an existing chunk against another
 * dataset's index, so images and columns of all files go first, and only then the key cells, with a
 * second flush. What a reader sees in the key column is therefore complete. Only after that do the
 * images count as visible. */
#include <stdio.h>
#include <string.h>

#include "core/meters.h"
#include "writer/driver/direct.h"
#include "writer/sink/series.h"

/* Runs one step over the open files; those that fail are abandoned. */
static void run_step(struct sluice_open_series *series, bool keys)
{
    for (uint32_t i = series->open_count; i-- > 0;) {
        struct sluice_datafile *file = series->open[i];
        struct sluice_error error = {0};
        enum sluice_status status = keys ? sluice_datafile_flush_keys(series->sink, file, &error)
                                         : sluice_datafile_flush_values(file, &error);
        if (status != SLUICE_OK)
            sluice_files_abandon(series, file, &error); /* puts the last one in its place */
    }
}

static void tell_visible(const struct sluice_open_series *series,
                         const struct sluice_datafile *file, uint64_t first, uint64_t last)
{
    struct sluice_event *event = sluice_sink_event(series->sink, SLUICE_EVENT_VISIBLE);
    if (event == NULL)
        return;
    event->series_id = series->metadata->series_id;
    event->first = first;
    event->last = last;
    event->images_visible = series->tally.visible;
    event->images_lost = series->next_id - series->tally.written;
    snprintf(event->file, sizeof(event->file), "%s", file->path);
    sluice_events_post(series->sink->events, event);
}

/* The cells of one file have become visible. */
static void count_visible(struct sluice_open_series *series, struct sluice_datafile *file,
                          int64_t now_ns)
{
    struct sluice_columns *columns = &file->live->columns;
    uint64_t first = UINT64_MAX, last = 0;
    if (columns->count == 0)
        return;
    for (uint32_t i = 0; i < columns->count; i++) {
        const struct sluice_cell *cell = &columns->cells[i];
        sluice_histogram_record(&series->latency, now_ns - cell->arrival_ns);
        sluice_meter_record(series->sink->counters, SLUICE_METER_LATENCY,
                            now_ns - cell->arrival_ns);
        first = cell->image_id < first ? cell->image_id : first;
        last = cell->image_id > last ? cell->image_id : last;
        if (cell->row >= file->rows_visible)
            file->rows_visible = cell->row + 1;
    }
    file->visible_count += columns->count;
    series->tally.visible += columns->count;
    series->unflushed -= columns->count;
    series->last_visible_ns = now_ns;
    sluice_counter_add(series->sink->counters, SLUICE_COUNTER_WRITER_IMAGES_VISIBLE,
                       columns->count);
    sluice_columns_clear(columns);
    tell_visible(series, file, first, last);
}

void sluice_flush_tell_complete(struct sluice_open_series *series)
{
    if (series->complete || !sluice_account_is_complete(series))
        return;
    series->complete = true;
    if (series->sink->progress != NULL)
        sluice_store_release(&series->sink->progress->complete_serial,
                             series->serial); /* [edge COMPLETE] */
}

void sluice_flush(struct sluice_open_series *series)
{
    const struct sluice_sink *sink = series->sink;
    int64_t begin_ns = sluice_now_ns(sink->clock);
    if (series->unflushed > 0) {
        run_step(series, false);
        run_step(series, true);
        sluice_direct_tell_visible(sink->direct);
        int64_t now_ns = sluice_sink_took(sink, SLUICE_COUNTER_WRITER_FLUSH_MAX, begin_ns,
                                          "a flush", series->name);
        sluice_counter_set(sink->counters, SLUICE_COUNTER_WRITER_FLUSH_LAST,
                           (uint64_t)(now_ns - begin_ns));
        sluice_counter_add(sink->counters, SLUICE_COUNTER_WRITER_FLUSHES, 1);
        sluice_sink_count_pieces(sink);
        for (uint32_t i = 0; i < series->open_count; i++)
            count_visible(series, series->open[i], now_ns);
        series->last_flush_ns = now_ns;
        series->bytes_flushed = series->tally.bytes_written;
        sluice_flush_tell_complete(series);
    }
    for (uint32_t i = series->open_count; i-- > 0;)
        if (series->open[i]->visible_count == series->open[i]->capacity)
            sluice_files_close(series, series->open[i], series->open[i]->capacity);
}
