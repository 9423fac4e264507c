/* SPDX-License-Identifier: Apache-2.0
 *
 * When the masters are written and over which files.
 *
 * While the series runs they map the files in order, complete ones as they are and the first that
 * is still open without limit; what follows an open or missing file is left out until that is
 * closed, because only the last mapping may be without limit. Files that were abandoned keep the
 * rows that are visible, and the next file its place.
 *
 * Masks of big detectors and long lists of files make a master slow, and images wait meanwhile: so
 * they take at most a twentieth of the time; what was due is made up for later. They lie with the
 * first data file; where that disk is full at the end, the last ones go to the directory in use,
 * and name the data files elsewhere in full. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "writer/master/master.h"
#include "writer/sink/series.h"

#define PAUSE_FACTOR 20

/* The files to map, in `list`, which has room for all. */
static size_t list_files(const struct sluice_open_series *series, bool final,
                         struct sluice_master_file *list)
{
    size_t count = 0;
    uint64_t next = 0; /* the index that must follow */
    for (size_t i = 0; i < series->file_count; i++) {
        const struct sluice_datafile *file = series->files[i];
        struct sluice_master_file entry = {.path = file->path,
                                           .first_row = file->index * series->per_file};
        if (!final && file->index != next)
            break;
        next++;
        switch (file->state) {
        case SLUICE_DATAFILE_OPEN:
            entry.rows = file->capacity;
            entry.growing = true;
            list[count++] = entry;
            return count;
        case SLUICE_DATAFILE_CLOSED:
            entry.rows = file->rows_closed;
            break;
        case SLUICE_DATAFILE_ABANDONED:
            entry.rows = file->rows_visible;
            break;
        case SLUICE_DATAFILE_PLANNED:
            if (!final)
                return count;
            break;
        }
        if (entry.rows > 0 && entry.path != NULL)
            list[count++] = entry;
    }
    return count;
}

static enum sluice_status write_channels(struct sluice_open_series *series,
                                         enum sluice_master_state state, struct sluice_error *error)
{
    const struct sluice_sink *sink = series->sink;
    const struct sluice_writer_settings *settings = sink->settings;
    enum sluice_status status = SLUICE_OK;
    struct sluice_master_file *list = calloc(series->file_count + 1, sizeof(*list));
    if (list == NULL)
        return sluice_error_set(error, SLUICE_NO_MEMORY, "no memory for the masters of %s",
                                series->name);
    size_t count = list_files(series, state != SLUICE_MASTER_WRITING, list);
    for (uint32_t c = 0; status == SLUICE_OK && c < series->channel_count; c++) {
        const struct sluice_master_input input = {
            .series = series->metadata,
            .metadata = &settings->metadata,
            .directory = sink->directories[series->master_directory],
            .name = series->name,
            .channel_index = c,
            .dataset = series->channels[c].dataset,
            .dtype = series->channels[c].dtype,
            .files = list,
            .file_count = count,
            .state = state,
            .open_real_ns = series->open_real_ns,
            .end_real_ns = sink->clock->real_ns(sink->clock),
            .mode = settings->mode,
            .group = settings->group,
            .sync = settings->durable != SLUICE_DURABLE_NONE,
            .ours = &series->masters_ours[c],
        };
        status = sluice_master_write(&input, error);
    }
    free(list);
    return status;
}

static enum sluice_status write_masters(struct sluice_open_series *series,
                                        enum sluice_master_state state, struct sluice_error *error)
{
    int64_t begin_ns = sluice_now_ns(series->sink->clock);
    enum sluice_status status = write_channels(series, state, error);
    int64_t now_ns = sluice_sink_took(series->sink, SLUICE_COUNTER_WRITER_MASTER_MAX, begin_ns,
                                      "writing the masters", series->name);
    series->master_next_ns = now_ns + PAUSE_FACTOR * (now_ns - begin_ns);
    if (status == SLUICE_OK)
        series->master_exists = true;
    else
        sluice_error_prefix(error, "master");
    return status;
}

void sluice_masters_write(struct sluice_open_series *series, bool at_once)
{
    struct sluice_error error = {0};
    bool due = series->master_due && sluice_now_ns(series->sink->clock) >= series->master_next_ns;
    if ((at_once || due) && write_masters(series, SLUICE_MASTER_WRITING, &error) != SLUICE_OK)
        sluice_sink_fault(series->sink, &error); /* the one at the end decides */
}

void sluice_masters_finish(struct sluice_open_series *series)
{
    enum sluice_master_state state = series->failed ? SLUICE_MASTER_FAILED : SLUICE_MASTER_DONE;
    struct sluice_error error = {0};
    if (series->created_count == 0)
        return;
    enum sluice_status status = write_masters(series, state, &error);
    if (status == SLUICE_NO_SPACE && series->directory != series->master_directory) {
        sluice_log_error("writer", "%s: it goes to directory=%s", error.message,
                         series->sink->directories[series->directory]);
        sluice_error_clear(&error);
        series->master_directory = series->directory;
        memset(series->masters_ours, 0, sizeof(series->masters_ours));
        status = write_masters(series, state, &error);
    }
    if (status != SLUICE_OK)
        sluice_series_fail(series, &error);
}
