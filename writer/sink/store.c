/* SPDX-License-Identifier: Apache-2.0
 *
 * The way of an image into its file. Images are judged one by one and collected; a commit then
 * knows how far each file must reach, extends it once, exactly so far, and writes the chunks from
 * the pointers they came with. A slot goes back as soon as its chunks are written.
 *
 * Judged in this order: is it valid (could it be encoded; planes, shape, type), is its id in range,
 * is it there already, is its file still open. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/log.h"
#include "writer/sink/held.h"
#include "writer/sink/series.h"

/* Records that only remember refused images of files that do not exist. */
#define PLANNED_MAX 1024

enum verdict { GOOD, REFUSED, DUPLICATE, FAILED };

/* The source numbers the planes; after a late start its order may be another than the files'. */
static bool find_channel(const struct sluice_open_series *series, struct sluice_plane *plane)
{
    const struct sluice_span *name = &plane->channel;
    size_t bytes = name->bytes < SLUICE_NAME_BYTES - 1 ? name->bytes : SLUICE_NAME_BYTES - 1;
    for (uint32_t i = 0; i < series->channel_count; i++) {
        uint32_t c = (plane->channel_index + i) % series->channel_count;
        const char *known = series->channels[c].name;
        if (strlen(known) == bytes && (bytes == 0 || memcmp(known, name->data, bytes) == 0)) {
            plane->channel_index = c;
            return true;
        }
    }
    return plane->channel_index < series->channel_count;
}

static bool fits(const struct sluice_file_channel *channel, const struct sluice_plane *plane)
{
    return channel->width == plane->width && channel->height == plane->height &&
           channel->dtype == plane->dtype;
}

/* Every channel once, each of its shape. The first image makes the shape. */
static bool is_valid(struct sluice_open_series *series, struct sluice_image *image)
{
    uint32_t seen = 0;
    if (image->plane_count != series->channel_count || image->plane_count == 0)
        return false;
    for (uint32_t p = 0; p < image->plane_count; p++) {
        struct sluice_plane *plane = &image->planes[p];
        if (!find_channel(series, plane) || (seen >> plane->channel_index & 1) != 0 ||
            plane->width == 0 || plane->height == 0 || plane->payload.bytes == 0)
            return false;
        seen |= UINT32_C(1) << plane->channel_index;
        if (series->has_shape && !fits(&series->channels[plane->channel_index], plane))
            return false;
    }
    return true;
}

/* What a file that is created now is made for. */
static void shape_like(struct sluice_open_series *series, const struct sluice_image *image)
{
    for (uint32_t p = 0; p < image->plane_count; p++) {
        const struct sluice_plane *plane = &image->planes[p];
        struct sluice_file_channel *channel = &series->channels[plane->channel_index];
        channel->width = plane->width;
        channel->height = plane->height;
        channel->dtype = plane->dtype;
        channel->encoding = sluice_encoding_stored(plane->encoding);
    }
    if (image->user_data.bytes > 0 && series->sink->settings->user_data_bytes_max > 0)
        series->user_data_bytes = series->sink->settings->user_data_bytes_max + 1;
    series->has_shape = true;
    series->metadata->width = series->channels[0].width;
    series->metadata->height = series->channels[0].height;
}

static uint64_t payload_bytes(const struct sluice_image *image)
{
    uint64_t bytes = 0;
    for (uint32_t p = 0; p < image->plane_count; p++)
        bytes += image->planes[p].payload.bytes;
    return bytes;
}

static enum verdict create_file(struct sluice_open_series *series, struct sluice_datafile **file,
                                uint64_t index, const struct sluice_image *image)
{
    if (*file == NULL)
        *file = sluice_files_plan(series, index);
    if (*file == NULL) {
        struct sluice_error error = {0};
        sluice_error_set(&error, SLUICE_NO_MEMORY, "no memory for data file %" PRIu64, index + 1);
        sluice_series_fail(series, &error);
        return FAILED;
    }
    shape_like(series, image);
    sluice_space_choose_directory(series, index, payload_bytes(image));
    if (series->created_count == 0)
        sluice_space_check_first(series, payload_bytes(image));
    return sluice_files_create(series, *file) == SLUICE_OK ? GOOD : FAILED;
}

/* Encodes planes again that are not encoded as the open file's datasets are. */
static enum verdict match_encoding(struct sluice_open_series *series, struct sluice_datafile *file,
                                   struct sluice_image *image, bool *recoded)
{
    for (uint32_t p = 0; p < image->plane_count; p++) {
        struct sluice_plane *plane = &image->planes[p];
        enum sluice_encoding wanted = file->live->encoding[plane->channel_index];
        if (sluice_encoding_stored(plane->encoding) == wanted)
            continue;
        if (!series->recode_told) {
            sluice_log_warning("writer",
                               "images change their encoding within a file and are encoded again, "
                               "which costs time: series_id=%" PRIu64 " from=%s to=%s",
                               series->metadata->series_id, sluice_encoding_name(plane->encoding),
                               sluice_encoding_name(wanted));
            series->recode_told = true;
        }
        if (!*recoded)
            sluice_store_commit(series); /* the buffers may still be in use */
        *recoded = true;
        if (file->state != SLUICE_DATAFILE_OPEN)
            return FAILED; /* that commit failed */
        enum sluice_status status = sluice_recode_plane(&series->recode, plane, wanted);
        if (status != SLUICE_OK)
            return status == SLUICE_NO_MEMORY ? FAILED : REFUSED;
    }
    return GOOD;
}

/* `why` is filled for a refused one. */
static enum verdict judge(struct sluice_open_series *series, struct sluice_image *image,
                          struct sluice_datafile **file, bool *recoded, const char **why)
{
    uint64_t id = image->image_id, index = id / series->per_file;
    *why = "its channels, shape or type are not those of the first image";
    if (!is_valid(series, image))
        return REFUSED;
    *why = "its id is too far ahead (source.id_jump_max)";
    if (id >= series->next_id && id - series->next_id >= series->sink->settings->id_jump_max)
        return REFUSED;
    *why = "it cannot be decoded";
    *file = sluice_files_find(series, index);
    if (*file != NULL && (*file)->state == SLUICE_DATAFILE_OPEN) {
        enum verdict verdict = match_encoding(series, *file, image, recoded);
        if (verdict != GOOD)
            return verdict;
    }
    if (*file != NULL && sluice_datafile_has(*file, id % series->per_file))
        return DUPLICATE;
    if (*file == NULL || (*file)->state == SLUICE_DATAFILE_PLANNED)
        return create_file(series, file, index, image);
    switch ((*file)->state) {
    case SLUICE_DATAFILE_CLOSED:
        *why = "it is late, its file is closed (writer.files_open_max)";
        return REFUSED;
    case SLUICE_DATAFILE_ABANDONED:
        return FAILED;
    default:
        return GOOD;
    }
}

/* What a codec worker could not encode. */
static enum verdict judge_unencoded(struct sluice_open_series *series,
                                    const struct sluice_frame *frame, const char **why)
{
    struct sluice_error error = {0};
    switch (frame->encode_status) {
    case SLUICE_LIMIT:
        *why = "it is larger than codec.memory_bytes_max allows";
        return REFUSED;
    case SLUICE_NO_MEMORY:
        sluice_error_set(&error, SLUICE_NO_MEMORY,
                         "no memory to encode images: codec.memory_bytes_max and codec.workers say "
                         "how much is wanted");
        sluice_series_fail(series, &error);
        return FAILED;
    default:
        *why = "it cannot be decoded, its compressed data are damaged";
        return REFUSED;
    }
}

static void collect(struct sluice_open_series *series, uint32_t slot,
                    const struct sluice_frame *frame, struct sluice_datafile *file)
{
    uint64_t id = frame->image.image_id, row = id % series->per_file;
    series->pending[series->pending_count++] = (struct sluice_pending){slot, frame, file, row};
    sluice_datafile_mark(file, row);
    series->tally.written++;
    if (id >= series->next_id)
        series->next_id = id + 1;
}

/* When the series began comes with its first image, and is wanted by the first master. */
static void note_series_date(struct sluice_open_series *series, const struct sluice_span *date)
{
    char *known = series->metadata->series_date;
    if (known[0] == '\0' && date->bytes > 0)
        snprintf(known, sizeof(series->metadata->series_date), "%.*s", (int)date->bytes,
                 (const char *)date->data);
}

void sluice_store_image(struct sluice_open_series *series, uint32_t slot,
                        struct sluice_frame *frame)
{
    struct sluice_counters *counters = series->sink->counters;
    struct sluice_datafile *file = NULL;
    bool recoded = false;
    const char *why;
    note_series_date(series, &frame->series_date);
    if (series->pending_count == SLUICE_PENDING_MAX)
        sluice_store_commit(series);
    const enum verdict verdict = frame->encode_status == SLUICE_OK
                                     ? judge(series, &frame->image, &file, &recoded, &why)
                                     : judge_unencoded(series, frame, &why);
    switch (verdict) {
    case GOOD:
        collect(series, slot, frame, file);
        if (recoded)
            sluice_store_commit(series);
        return;
    case REFUSED:
        series->tally.refused++;
        sluice_counter_add(counters, SLUICE_COUNTER_WRITER_REFUSED, 1);
        sluice_store_refused(series, frame->image.image_id);
        sluice_log_warning("writer", "image refused series_id=%" PRIu64 " image_id=%" PRIu64 ": %s",
                           series->metadata->series_id, frame->image.image_id, why);
        break;
    case DUPLICATE:
        series->tally.duplicate++;
        sluice_counter_add(counters, SLUICE_COUNTER_WRITER_DUPLICATES, 1);
        break;
    case FAILED:
        series->tally.failed++;
        sluice_counter_add(counters, SLUICE_COUNTER_WRITER_FAILED, 1);
        break;
    }
    sluice_sink_release(series->sink, slot);
}

void sluice_store_refused(struct sluice_open_series *series, uint64_t image_id)
{
    struct sluice_datafile *file = sluice_files_find(series, image_id / series->per_file);
    if (image_id >= series->next_id &&
        image_id - series->next_id >= series->sink->settings->id_jump_max)
        return;
    if (file == NULL && series->planned_count < PLANNED_MAX) {
        file = sluice_files_plan(series, image_id / series->per_file);
        series->planned_count += file != NULL;
    }
    if (file != NULL)
        sluice_datafile_mark_refused(&series->slab, file, image_id % series->per_file);
}

/* Each file's extent, once: exactly to the highest row that is about to be written. */
static void extend_files(struct sluice_open_series *series)
{
    for (uint32_t i = 0; i < series->pending_count; i++) {
        struct sluice_datafile *file = series->pending[i].file;
        uint64_t rows = 0;
        struct sluice_error error = {0};
        if (file == NULL || (i > 0 && file == series->pending[i - 1].file))
            continue; /* seen: the loop below looked at all of this file's */
        for (uint32_t k = i; k < series->pending_count; k++)
            if (series->pending[k].file == file && series->pending[k].row >= rows)
                rows = series->pending[k].row + 1;
        if (sluice_datafile_extend(file, rows, &error) != SLUICE_OK)
            sluice_files_abandon(series, file, &error);
    }
}

/* Lending has to be wanted: live readers find no loans in memory. */
static enum sluice_lent lent_as(const struct sluice_sink *sink, const struct sluice_plane *plane)
{
    const bool wanted = plane->lent == SLUICE_LENT_BARE ? sink->borrows : sink->lends;
    return wanted ? plane->lent : SLUICE_LENT_NOT;
}

/* The time of a commit: the clock is asked once for each chunk, and for nothing else. */
struct moment {
    int64_t ns;         /* now */
    int64_t until_real; /* from it to the real time */
};

/* All chunks of one image, then its cell. */
static enum sluice_status write_image(struct sluice_open_series *series,
                                      const struct sluice_pending *pending, struct moment *moment,
                                      struct sluice_error *error)
{
    const struct sluice_sink *sink = series->sink;
    const struct sluice_frame *frame = pending->frame;
    const struct sluice_image *image = &frame->image;
    uint64_t checksums[SLUICE_PLANES_MAX];
    struct sluice_cell cell = {.row = pending->row,
                               .image_id = image->image_id,
                               .arrival_ns = frame->arrival_ns,
                               .arrival_real_ns = frame->arrival_real_ns,
                               .write_real_ns = moment->ns + moment->until_real,
                               .start_time = image->start_time,
                               .stop_time = image->stop_time,
                               .real_time = image->real_time};
    for (uint32_t p = 0; p < image->plane_count; p++) {
        const struct sluice_plane *plane = &image->planes[p];
        struct sluice_span chunk = plane->payload;
        enum sluice_status status = SLUICE_OK;
        if (plane->encoding == SLUICE_ENCODING_LZ4_BLOCK)
            status = sluice_recode_frame(&series->recode, plane, &chunk, error);
        if (status == SLUICE_OK)
            status = sluice_datafile_write(
                sink, pending->file, plane->channel_index, pending->row, chunk,
                chunk.data == plane->payload.data ? lent_as(sink, plane) : SLUICE_LENT_NOT, error);
        if (status != SLUICE_OK)
            return status;
        moment->ns = sluice_sink_took(sink, SLUICE_COUNTER_WRITER_CHUNK_WRITE_MAX, moment->ns,
                                      "writing a chunk", pending->file->path);
        checksums[plane->channel_index] =
            plane->has_checksum ? plane->checksum : sluice_checksum(chunk);
        cell.bytes += chunk.bytes;
    }
    if (image->user_data.bytes > 0 && pending->file->live->columns.user_data_bytes == 0)
        sluice_log_warning(
            "writer",
            "user data left out: the first image of the file had none image_id=%" PRIu64 " file=%s",
            image->image_id, pending->file->path);
    sluice_columns_add(&pending->file->live->columns, &cell, checksums, image->user_data);
    series->tally.bytes_written += cell.bytes;
    if (series->unflushed++ == 0)
        series->oldest_unflushed_ns = moment->ns;
    sluice_counter_add(sink->counters, SLUICE_COUNTER_WRITER_IMAGES_WRITTEN, 1);
    sluice_counter_add(sink->counters, SLUICE_COUNTER_WRITER_BYTES_WRITTEN, cell.bytes);
    return SLUICE_OK;
}

static bool is_lent(const struct sluice_sink *sink, const struct sluice_image *image)
{
    bool lent = false;
    for (uint32_t p = 0; p < image->plane_count; p++)
        lent = lent || lent_as(sink, &image->planes[p]) != SLUICE_LENT_NOT;
    return lent;
}

void sluice_store_commit(struct sluice_open_series *series)
{
    const struct sluice_sink *sink = series->sink;
    struct moment moment = {0};
    extend_files(series);
    if (series->pending_count > 0) {
        moment.ns = sluice_now_ns(sink->clock);
        moment.until_real = sink->clock->real_ns(sink->clock) - moment.ns;
    }
    for (uint32_t i = 0; i < series->pending_count; i++) {
        struct sluice_pending *pending = &series->pending[i];
        struct sluice_error error = {0};
        if (pending->file != NULL) {
            if (write_image(series, pending, &moment, &error) == SLUICE_OK)
                pending->file = NULL;
            else
                sluice_files_abandon(series, pending->file, &error);
        }
        if (is_lent(sink, &pending->frame->image)) {
            sink->frames[pending->slot].written_from = true;
            sluice_held_add(sink, pending->slot);
        } else {
            sluice_sink_release(sink, pending->slot);
        }
    }
    series->pending_count = 0;
    sluice_held_release(sink);
}
