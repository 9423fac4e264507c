/* SPDX-License-Identifier: Apache-2.0
 *
 * The column with the time of writing is read in a second pass over the finished files, so that it
 * delays no image. Times in columns are CLOCK_REALTIME; the distance to CLOCK_MONOTONIC is taken
 * once, for a run of seconds. */
#include "bench/pipeline/reader.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/pipeline/latency.h"
#include "core/clock.h"
#include "readers/follow/follow.h"

#define SILENCE_NS  (60 * SLUICE_NS_PER_S)
#define ALIGN_BYTES 4096

struct reader {
    struct sluice_follow *follow;
    struct sluice_passage *passages; /* by image */
    uint64_t place_count;
    uint8_t *pixels;
    size_t pixel_bytes;
    int64_t real_minus_monotonic_ns;
    int64_t begin_cpu_ns;
    struct sluice_bench_reader_report *report;
};

static int64_t now(void)
{
    return sluice_now_ns(sluice_clock_system());
}

static enum sluice_status prepare(struct reader *reader, struct sluice_error *error)
{
    for (uint32_t i = 0; i < sluice_follow_channel_count(reader->follow); i++) {
        const struct sluice_follow_channel *channel = sluice_follow_channel(reader->follow, i);
        const size_t bytes =
            (size_t)channel->width * channel->height * sluice_dtype_bytes(channel->dtype);
        if (bytes > reader->pixel_bytes)
            reader->pixel_bytes = bytes;
    }
    const size_t bytes = (reader->pixel_bytes + ALIGN_BYTES) / ALIGN_BYTES * ALIGN_BYTES;
    reader->pixels = aligned_alloc(ALIGN_BYTES, bytes);
    return reader->pixels != NULL ? SLUICE_OK
                                  : sluice_error_set(error, SLUICE_NO_MEMORY, "no memory");
}

/* The image's place; NULL: no memory. */
static struct sluice_passage *place_of(struct reader *reader, uint64_t image)
{
    if (image >= reader->place_count) {
        const uint64_t count = (image + 1) * 2;
        struct sluice_passage *more = realloc(reader->passages, count * sizeof(*more));
        if (more == NULL)
            return NULL;
        memset(more + reader->place_count, 0, (count - reader->place_count) * sizeof(*more));
        reader->passages = more;
        reader->place_count = count;
    }
    return &reader->passages[image];
}

static enum sluice_status read_image(struct reader *reader, const struct sluice_follow_row *row,
                                     int64_t visible_ns, struct sluice_error *error)
{
    enum sluice_status status = SLUICE_OK;
    struct sluice_passage *passage = place_of(reader, row->image);
    if (passage == NULL)
        return sluice_error_set(error, SLUICE_NO_MEMORY, "no memory for times");
    for (uint32_t i = 0; status == SLUICE_OK && i < sluice_follow_channel_count(reader->follow);
         i++) {
        const struct sluice_follow_channel *channel = sluice_follow_channel(reader->follow, i);
        status = sluice_follow_pixels(
            reader->follow, row, i, reader->pixels,
            (size_t)channel->width * channel->height * sluice_dtype_bytes(channel->dtype), error);
    }
    *passage =
        (struct sluice_passage){.image = row->image, .visible_ns = visible_ns, .read_ns = now()};
    if (row->arrival_real_ns > 0)
        passage->received_ns = row->arrival_real_ns - reader->real_minus_monotonic_ns;
    reader->report->images++;
    return status;
}

static enum sluice_status follow_all(struct reader *reader, struct sluice_error *error)
{
    enum sluice_status status;
    struct sluice_follow_row row;
    while ((status = sluice_follow_next(reader->follow, SILENCE_NS, &row, error)) == SLUICE_OK) {
        const int64_t visible_ns = now();
        if (row.status != SLUICE_ROW_WRITTEN)
            continue;
        if (reader->report->images == 0)
            reader->begin_cpu_ns = sluice_process_cpu_ns();
        status = read_image(reader, &row, visible_ns, error);
        if (status != SLUICE_OK)
            return status;
    }
    if (status == SLUICE_AGAIN)
        return sluice_error_set(error, SLUICE_TIMEOUT, "no new image for %d s",
                                (int)(SILENCE_NS / SLUICE_NS_PER_S));
    return status == SLUICE_END ? SLUICE_OK : status;
}

/* Where the column is missing the stage stays unknown. */
static enum sluice_status add_times_of_writing(struct reader *reader, const char *path,
                                               struct sluice_error *error)
{
    struct sluice_follow_row row;
    sluice_follow_close(reader->follow);
    reader->follow = NULL;
    enum sluice_status status = sluice_follow_open(path, 0, NULL, &reader->follow, error);
    while (status == SLUICE_OK &&
           (status = sluice_follow_next(reader->follow, 0, &row, error)) == SLUICE_OK) {
        int64_t real_ns = 0;
        if (row.image < reader->place_count &&
            sluice_follow_column(reader->follow, &row, "write_time", SLUICE_CELL_I64, &real_ns,
                                 sizeof(real_ns), NULL) == SLUICE_OK &&
            real_ns > 0)
            reader->passages[row.image].written_ns = real_ns - reader->real_minus_monotonic_ns;
    }
    return status == SLUICE_END ? SLUICE_OK : status;
}

static enum sluice_status save(const struct reader *reader, FILE *file, const char *path,
                               struct sluice_error *error)
{
    for (uint64_t i = 0; i < reader->place_count; i++)
        if (reader->passages[i].visible_ns != 0 &&
            fwrite(&reader->passages[i], sizeof(*reader->passages), 1, file) != 1)
            return sluice_error_errno(error, SLUICE_IO, errno, "cannot write %s", path);
    return SLUICE_OK;
}

enum sluice_status sluice_bench_read(const struct sluice_bench_reader_settings *settings,
                                     struct sluice_bench_reader_report *report,
                                     struct sluice_error *error)
{
    const struct sluice_clock *clock = sluice_clock_system();
    struct reader reader = {.report = report};
    *report = (struct sluice_bench_reader_report){0};
    reader.real_minus_monotonic_ns = clock->real_ns(clock) - clock->monotonic_ns(clock);
    FILE *file = fopen(settings->file, "wbxe");
    if (file == NULL)
        return sluice_error_errno(error, SLUICE_IO, errno, "cannot create %s", settings->file);
    enum sluice_status status =
        sluice_follow_open(settings->path, SILENCE_NS, NULL, &reader.follow, error);
    if (status == SLUICE_OK)
        status = prepare(&reader, error);
    if (status == SLUICE_OK)
        status = follow_all(&reader, error);
    report->cpu_seconds =
        (double)(sluice_process_cpu_ns() - reader.begin_cpu_ns) / (double)SLUICE_NS_PER_S;
    if (status == SLUICE_OK)
        status = add_times_of_writing(&reader, settings->path, error);
    if (status == SLUICE_OK)
        status = save(&reader, file, settings->file, error);
    if (fclose(file) != 0 && status == SLUICE_OK)
        status = sluice_error_errno(error, SLUICE_IO, errno, "cannot write %s", settings->file);
    sluice_follow_close(reader.follow);
    free(reader.pixels);
    free(reader.passages);
    return status;
}
