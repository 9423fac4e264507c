/* SPDX-License-Identifier: Apache-2.0
 *
 * When the masters are written and over which files.
 *
 * While the series runs they map the files in order, complete ones as they are and the first that
 * is still open without limit; what follows an open or missing file is left out until that is
 * closed, because only the last mapping may be without limit. Files that were abandoned keep the
 * rows that are visible, and the next file its place. They are due when a file was created or
 * closed, and written when there are other files to map than the last time: a file that is closed
 * is read in full through a mapping without limit too.
 *
 * Masks of big detectors and long lists of files make a master slow, and images would wait: so they
 * are written in pieces between the batches, more of them at a time when a batch took long, and
 * take at most a twentieth of the time; what was due is made up for later. At the end they are
 * written at once, that of the first channel last: it says "done" when all others are there, and
 * readers rely on that. They lie with the first data file; where that disk is full at the end, the
 * last ones go to the directory in use, and name the data files elsewhere in full. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
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

static enum sluice_status begin_list(struct sluice_open_series *series, bool final,
                                     struct sluice_error *error)
{
    struct sluice_masters *masters = &series->masters;
    masters->list = calloc(series->file_count + 1, sizeof(*masters->list));
    if (masters->list == NULL)
        return sluice_error_set(error, SLUICE_NO_MEMORY, "no memory for the masters of %s",
                                series->name);
    masters->count = list_files(series, final, masters->list);
    masters->channel = 0;
    masters->backward = final;
    masters->took_ns = 0;
    return SLUICE_OK;
}

static enum sluice_status begin_channel(struct sluice_open_series *series,
                                        enum sluice_master_state state, struct sluice_error *error)
{
    const struct sluice_sink *sink = series->sink;
    const struct sluice_writer_settings *settings = sink->settings;
    struct sluice_masters *masters = &series->masters;
    const uint32_t c =
        masters->backward ? series->channel_count - 1 - masters->channel : masters->channel;
    const struct sluice_file_channel *channel = &series->channels[c];
    const struct sluice_master_input input = {
        .series = series->metadata,
        .metadata = &settings->metadata,
        .directory = sink->directories[masters->directory],
        .name = series->name,
        .channel_index = c,
        .dataset = channel->dataset,
        .dtype = channel->dtype,
        .files = masters->list,
        .file_count = masters->count,
        .state = state,
        .open_real_ns = series->open_real_ns,
        .end_real_ns = sink->clock->real_ns(sink->clock),
        .mode = settings->mode,
        .group = settings->group,
        .sync = settings->durable != SLUICE_DURABLE_NONE,
        .direct = settings->io == SLUICE_IO_DIRECT && settings->direct_masters,
        .ours = &masters->ours[c],
    };
    return sluice_master_begin(&input, &masters->job, error);
}

/* AGAIN: there is more to do. */
static enum sluice_status write_piece(struct sluice_open_series *series,
                                      enum sluice_master_state state, struct sluice_error *error)
{
    struct sluice_masters *masters = &series->masters;
    int64_t begin_ns = sluice_now_ns(series->sink->clock);
    enum sluice_status status = SLUICE_OK;
    if (masters->job == NULL)
        status = begin_channel(series, state, error);
    if (status == SLUICE_OK)
        status = sluice_master_step(masters->job, error);
    if (status == SLUICE_OK) {
        sluice_master_end(masters->job);
        masters->job = NULL;
        masters->exist = true;
        if (++masters->channel < series->channel_count)
            status = SLUICE_AGAIN;
    }
    if (status != SLUICE_OK && status != SLUICE_AGAIN)
        sluice_error_prefix(error, "master");
    masters->took_ns += sluice_sink_took(series->sink, SLUICE_COUNTER_WRITER_MASTER_MAX, begin_ns,
                                         "writing a part of a master", series->name) -
                        begin_ns;
    return status;
}

static void leave_off(struct sluice_masters *masters)
{
    sluice_master_end(masters->job);
    masters->job = NULL;
    free(masters->list);
    masters->list = NULL;
}

void sluice_masters_stop(struct sluice_open_series *series)
{
    leave_off(&series->masters);
    series->masters.mapped = 0;
    series->masters.due = series->created_count > 0;
}

int64_t sluice_masters_due_ns(const struct sluice_open_series *series)
{
    const struct sluice_masters *masters = &series->masters;
    if (masters->list != NULL)
        return 0; /* at once */
    return masters->due ? masters->next_ns : INT64_MAX;
}

bool sluice_masters_work(struct sluice_open_series *series, int64_t until_ns)
{
    struct sluice_masters *masters = &series->masters;
    struct sluice_error error = {0};
    enum sluice_status status = SLUICE_OK;
    int64_t now_ns = sluice_now_ns(series->sink->clock);
    if (now_ns < sluice_masters_due_ns(series))
        return false;
    if (masters->list == NULL) {
        masters->due = false;
        status = begin_list(series, false, &error);
        if (status == SLUICE_OK && masters->count == masters->mapped) {
            leave_off(masters);
            return false;
        }
        masters->mapped = masters->count;
    }
    if (status == SLUICE_OK) {
        do {
            status = write_piece(series, SLUICE_MASTER_WRITING, &error);
            now_ns = sluice_now_ns(series->sink->clock);
        } while (status == SLUICE_AGAIN && now_ns < until_ns);
    }
    if (status == SLUICE_AGAIN)
        return true;
    if (status != SLUICE_OK) {
        sluice_sink_fault(series->sink, &error); /* the one at the end decides */
        masters->mapped = 0;
    }
    masters->next_ns = now_ns + PAUSE_FACTOR * masters->took_ns;
    leave_off(masters);
    return true;
}

static enum sluice_status write_all(struct sluice_open_series *series,
                                    enum sluice_master_state state, struct sluice_error *error)
{
    leave_off(&series->masters);
    enum sluice_status status = begin_list(series, true, error);
    if (status == SLUICE_OK) {
        do
            status = write_piece(series, state, error);
        while (status == SLUICE_AGAIN);
    }
    leave_off(&series->masters);
    return status;
}

void sluice_masters_finish(struct sluice_open_series *series)
{
    enum sluice_master_state state = series->failed ? SLUICE_MASTER_FAILED : SLUICE_MASTER_DONE;
    struct sluice_masters *masters = &series->masters;
    struct sluice_error error = {0};
    if (series->created_count == 0)
        return;
    enum sluice_status status = write_all(series, state, &error);
    if (status == SLUICE_NO_SPACE && series->directory != masters->directory) {
        sluice_log_error("writer", "%s: it goes to directory=%s", error.message,
                         series->sink->directories[series->directory]);
        sluice_error_clear(&error);
        masters->directory = series->directory;
        memset(masters->ours, 0, sizeof(masters->ours));
        status = write_all(series, state, &error);
    }
    if (status != SLUICE_OK)
        sluice_series_fail(series, &error);
}
