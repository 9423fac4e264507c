/* SPDX-License-Identifier: Apache-2.0
 *
 * The files of a series: an array sorted by index, so that ids far ahead cost nothing for what is
 * between. Records stay until the series ends; at most files_open_max of them are open.
 *
 * Beyond that the oldest by creation closes, but never the one that stays the series' last: every
 * file but the last must have all its rows, and how far the last one reaches is known only at the
 * end. With files_open_max 1 an image for an earlier file therefore opens a second one. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "writer/layout/layout.h"
#include "writer/sink/arm.h"
#include "writer/sink/due.h"

/* One image with an id far ahead must not make a million files. */
#define GAP_FILES_MAX 4096

/* Where `index` is or would be. */
static size_t position(const struct sluice_open_series *series, uint64_t index)
{
    size_t low = 0, high = series->file_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (series->files[middle]->index < index)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct sluice_datafile *sluice_files_find(struct sluice_open_series *series, uint64_t index)
{
    if (series->last_used != NULL && series->last_used->index == index)
        return series->last_used;
    size_t at = position(series, index);
    if (at == series->file_count || series->files[at]->index != index)
        return NULL;
    series->last_used = series->files[at];
    return series->last_used;
}

struct sluice_datafile *sluice_files_plan(struct sluice_open_series *series, uint64_t index)
{
    if (series->file_count == series->file_room) {
        size_t room = series->file_room > 0 ? series->file_room * 2 : 16;
        struct sluice_datafile **files =
            realloc(series->files, room * sizeof(struct sluice_datafile *));
        if (files == NULL)
            return NULL;
        series->files = files;
        series->file_room = room;
    }
    struct sluice_datafile *file = sluice_datafile_new(&series->slab, index, series->per_file);
    if (file == NULL)
        return NULL;
    size_t at = position(series, index);
    memmove(&series->files[at + 1], &series->files[at],
            (series->file_count - at) * sizeof(struct sluice_datafile *));
    series->files[at] = file;
    series->file_count++;
    return file;
}

/* The highest file with an image in it; NULL: none. */
static struct sluice_datafile *last_file(const struct sluice_open_series *series)
{
    for (size_t i = series->file_count; i-- > 0;)
        if (series->files[i]->written_count > 0)
            return series->files[i];
    return NULL;
}

static void forget_open(struct sluice_open_series *series, const struct sluice_datafile *file)
{
    for (uint32_t i = 0; i < series->open_count; i++)
        if (series->open[i] == file) {
            series->open[i] = series->open[--series->open_count];
            return;
        }
}

void sluice_files_abandon(struct sluice_open_series *series, struct sluice_datafile *file,
                          const struct sluice_error *error)
{
    struct sluice_tally *tally = &series->tally;
    uint64_t failed = 0;
    for (uint32_t i = 0; i < series->pending_count; i++) {
        if (series->pending[i].file != file)
            continue;
        sluice_datafile_unmark(file, series->pending[i].row);
        series->pending[i].file = NULL;
        failed++;
    }
    if (file->state == SLUICE_DATAFILE_OPEN) {
        const struct sluice_columns *columns = &file->live->columns;
        for (uint32_t i = 0; i < columns->count; i++) {
            sluice_datafile_unmark(file, columns->cells[i].row);
            tally->bytes_written -= columns->cells[i].bytes;
        }
        failed += columns->count;
        series->unflushed -= columns->count;
        forget_open(series, file);
        sluice_datafile_abandon(series->sink, file);
    }
    file->state = SLUICE_DATAFILE_ABANDONED;
    tally->written -= failed;
    tally->failed += failed;
    sluice_counter_add(series->sink->counters, SLUICE_COUNTER_WRITER_FAILED, failed);
    sluice_account_find_next_id(series);
    sluice_series_fail(series, error);
    sluice_log_error("writer",
                     "file abandoned: images that were not flushed and all further ones of it are "
                     "lost series_id=%" PRIu64 " file=%s images_failed=%" PRIu64,
                     series->metadata->series_id, file->path != NULL ? file->path : "-", failed);
    if (error->status == SLUICE_NO_SPACE &&
        series->directory + 1 < series->sink->settings->directory_count) {
        series->directory++;
        sluice_log_error("writer", "no space left: going on in the next directory=%s",
                         series->sink->directories[series->directory]);
    }
}

void sluice_files_close(struct sluice_open_series *series, struct sluice_datafile *file,
                        uint64_t rows)
{
    struct sluice_error error = {0};
    if (sluice_datafile_close(series->sink, file, rows, &error) != SLUICE_OK) {
        sluice_files_abandon(series, file, &error);
        return;
    }
    forget_open(series, file);
    series->masters.due = true;
    sluice_log_debug("writer", "file closed file=%s rows=%" PRIu64, file->path, rows);
}

static uint32_t most_open(const struct sluice_open_series *series)
{
    uint32_t most = series->sink->settings->files_open_max;
    return most < 1 ? 1 : most > SLUICE_FILES_OPEN_MAX ? SLUICE_FILES_OPEN_MAX : most;
}

/* Closes the oldest files until file `index` may be opened too. */
static void make_room(struct sluice_open_series *series, uint64_t index)
{
    uint32_t most = most_open(series);
    if (series->open_count >= most) {
        sluice_store_commit(series);
        sluice_flush(series); /* closes what is complete */
    }
    while (series->open_count >= most) {
        const struct sluice_datafile *last = last_file(series);
        struct sluice_datafile *oldest = NULL;
        for (uint32_t i = 0; i < series->open_count; i++)
            if ((series->open[i] != last || index > last->index) &&
                (oldest == NULL || series->open[i]->creation < oldest->creation))
                oldest = series->open[i];
        if (oldest == NULL)
            return; /* only the last one: it stays, and the new one comes beside it */
        sluice_log_warning("writer",
                           "file closed before it is complete, later images for it are refused "
                           "(writer.files_open_max) file=%s images=%" PRIu64 " of %" PRIu64,
                           oldest->path, oldest->written_count, oldest->capacity);
        sluice_files_close(series, oldest, oldest->capacity);
    }
}

static enum sluice_status make_path(struct sluice_open_series *series, uint64_t index, char *path,
                                    size_t bytes, struct sluice_error *error)
{
    const char *directory = series->sink->directories[series->directory];
    if (sluice_layout_data_path(directory, series->name, index, path, bytes) != SLUICE_OK)
        return sluice_error_set(error, SLUICE_LIMIT,
                                "the path of data file %" PRIu64
                                " of %s is too long: shorten writer.directory or writer.name",
                                index + 1, series->name);
    if (strchr(series->name, '/') == NULL)
        return SLUICE_OK;
    char *slash = strrchr(path, '/');
    *slash = '\0';
    enum sluice_status status = sluice_sink_make_directory(series->sink, path, error);
    *slash = '/';
    return status;
}

/* One attempt in the directory in use. */
static enum sluice_status create_here(struct sluice_open_series *series,
                                      struct sluice_datafile *file, struct sluice_error *error)
{
    char path[SLUICE_PATH_BYTES];
    const struct sluice_datafile_plan plan = {
        .path = path,
        .channels = series->channels,
        .channel_count = series->channel_count,
        .user_data_bytes = series->user_data_bytes,
        .cell_capacity = sluice_due_images_max(series->sink) + SLUICE_PENDING_MAX,
    };
    enum sluice_status status = make_path(series, file->index, path, sizeof(path), error);
    if (status == SLUICE_OK)
        status = sluice_datafile_create(series->sink, &series->slab, file, &plan, error);
    return status;
}

static void tell_created(struct sluice_open_series *series, const struct sluice_datafile *file)
{
    struct sluice_event *event = sluice_sink_event(series->sink, SLUICE_EVENT_FILE);
    sluice_log_info("writer", "data file created series_id=%" PRIu64 " file=%s",
                    series->metadata->series_id, file->path);
    if (event == NULL)
        return;
    event->series_id = series->metadata->series_id;
    event->first = file->index * series->per_file;
    event->last = event->first + series->per_file - 1;
    event->images_visible = series->tally.visible;
    event->facts = sluice_series_facts(series);
    snprintf(event->file, sizeof(event->file), "%s", file->path);
    sluice_events_post(series->sink->events, event);
}

enum sluice_status sluice_files_create(struct sluice_open_series *series,
                                       struct sluice_datafile *file)
{
    struct sluice_error error = {0};
    make_room(series, file->index);
    enum sluice_status status = create_here(series, file, &error);
    /* Another process may have taken the name since it was chosen; later on it is ours. */
    for (int tries = 0; status == SLUICE_EXISTS && series->created_count == 0 && tries < 16;
         tries++) {
        sluice_error_clear(&error);
        sluice_series_choose_name(series);
        status = create_here(series, file, &error);
    }
    while (status == SLUICE_NO_SPACE &&
           series->directory + 1 < series->sink->settings->directory_count) {
        sluice_sink_fault(series->sink, &error);
        sluice_error_clear(&error);
        series->directory++;
        sluice_log_error("writer", "no space left: going on in the next directory=%s",
                         series->sink->directories[series->directory]);
        status = create_here(series, file, &error);
    }
    if (status != SLUICE_OK) {
        sluice_files_abandon(series, file, &error);
        return status;
    }
    file->creation = series->created_count++;
    series->open[series->open_count++] = file;
    if (series->created_count == 1)
        series->masters.directory = series->directory;
    series->masters.due = true;
    tell_created(series, file);
    return SLUICE_OK;
}

/* Creates and closes one that holds nothing but lost images. */
static bool make_gap_file(struct sluice_open_series *series, uint64_t index)
{
    struct sluice_datafile *file = sluice_files_find(series, index);
    if (file == NULL)
        file = sluice_files_plan(series, index);
    if (file == NULL) {
        struct sluice_error error = {0};
        sluice_error_set(&error, SLUICE_NO_MEMORY, "no memory for data file %" PRIu64, index + 1);
        sluice_series_fail(series, &error);
        return false;
    }
    if (file->state != SLUICE_DATAFILE_PLANNED)
        return true;
    if (sluice_files_create(series, file) != SLUICE_OK)
        return false;
    sluice_files_close(series, file, file->capacity);
    return file->state == SLUICE_DATAFILE_CLOSED;
}

void sluice_files_close_all(struct sluice_open_series *series)
{
    const struct sluice_datafile *last = last_file(series);
    while (series->open_count > 0) {
        struct sluice_datafile *lowest = series->open[0];
        for (uint32_t i = 1; i < series->open_count; i++)
            if (series->open[i]->index < lowest->index)
                lowest = series->open[i];
        sluice_files_close(series, lowest,
                           lowest == last ? sluice_datafile_rows_written(lowest)
                                          : lowest->capacity);
    }
    if (last == NULL)
        return;
    if (last->index > series->created_count + GAP_FILES_MAX) {
        sluice_log_error("writer",
                         "%" PRIu64 " files before the last one have no image at all and are not "
                         "made: programs that compute positions will miscount (source.id_jump_max) "
                         "name=%s",
                         last->index + 1 - series->created_count, series->name);
        return;
    }
    for (uint64_t index = 0; index < last->index; index++)
        if (!make_gap_file(series, index))
            return; /* said; a full disk would refuse all others too */
}
