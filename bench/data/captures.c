/* SPDX-License-Identifier: Apache-2.0
 *
 * A start message is made from the description of the simulated detector (or from the captured
 * start, with its first channel alone), so that ingest writes the same masters as in life. */
#include "bench/data/captures.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/data/stock.h"
#include "bench/detector/capture.h"
#include "bench/detector/scene.h"
#include "bench/detector/stream2_encode.h"
#include "ingest/protocol/stream2.h"

#define TICKS_PER_SECOND 1000000000
#define PERIOD_TICKS     1000000
#define FRAME_TIME_S     1e-3
#define SEED             20260101
#define UNIQUE_ID        "01BENCH0000000000000000001"
#define DATE             "2026-01-01T00:00:00.000000Z"

struct folder {
    const char *path;
    uint32_t next; /* number of the next file */
    uint32_t images;
    double image_bytes;
    struct sluice_error *error;
};

static enum sluice_status put(struct folder *folder, struct sluice_span message)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%06u.cbor", folder->path, folder->next++);
    FILE *file = fopen(path, "wbxe");
    bool good = file != NULL && fwrite(message.data, 1, message.bytes, file) == message.bytes;
    int code = errno;
    if (file != NULL && fclose(file) != 0 && good) {
        code = errno;
        good = false;
    }
    return good ? SLUICE_OK
                : sluice_error_errno(folder->error, code == ENOSPC ? SLUICE_NO_SPACE : SLUICE_IO,
                                     code, "cannot write %s", path);
}

/* Takes the buffer over. */
static enum sluice_status put_cbor(struct folder *folder, struct sluice_cbor *cbor,
                                   enum sluice_status status)
{
    if (cbor->failed)
        status = SLUICE_NO_MEMORY;
    if (status == SLUICE_OK)
        status = put(folder, sluice_cbor_span(cbor));
    else
        sluice_error_set(folder->error, status, "cannot make a message for %s", folder->path);
    sluice_cbor_close(cbor);
    return status;
}

static enum sluice_status put_start(struct folder *folder, struct sluice_series *series,
                                    uint32_t images)
{
    const struct sluice_stream2_start_options options = {
        .with_arrays = true, .encoding = SLUICE_ENCODING_BSLZ4, .user_data = {0}};
    struct sluice_cbor cbor = {0};
    series->series_id = 1;
    snprintf(series->unique_id, sizeof series->unique_id, "%s", UNIQUE_ID);
    series->number_of_images = images;
    return put_cbor(folder, &cbor, sluice_stream2_encode_start(&cbor, series, &options));
}

static enum sluice_status put_image(struct folder *folder, const struct sluice_plane *plane)
{
    struct sluice_cbor cbor = {0};
    const uint64_t begin = (uint64_t)folder->images * PERIOD_TICKS;
    const struct sluice_stream2_image image = {
        .series_id = 1,
        .unique_id = UNIQUE_ID,
        .series_date = DATE,
        .image_id = folder->images,
        .ticks_per_second = TICKS_PER_SECOND,
        .start_ticks = begin,
        .stop_ticks = begin + PERIOD_TICKS,
        .real_ticks = PERIOD_TICKS,
        .planes = plane,
        .plane_count = 1,
    };
    const enum sluice_status status = sluice_stream2_encode_image(&cbor, &image);
    folder->images++;
    folder->image_bytes += (double)cbor.bytes;
    return put_cbor(folder, &cbor, status);
}

static enum sluice_status put_end(struct folder *folder, double *image_bytes)
{
    struct sluice_cbor cbor = {0};
    *image_bytes = folder->images > 0 ? folder->image_bytes / folder->images : 0;
    return put_cbor(folder, &cbor, sluice_stream2_encode_end(&cbor, 1, UNIQUE_ID));
}

static enum sluice_status put_frames(struct folder *folder, const struct sluice_frames *frames,
                                     const char *channel, enum sluice_encoding encoding)
{
    const size_t element_bytes = sluice_dtype_bytes(frames->dtype);
    uint8_t *encoded = malloc(sluice_stock_bound(frames->frame_bytes, element_bytes));
    enum sluice_status status = encoded != NULL ? SLUICE_OK : SLUICE_NO_MEMORY;
    for (uint32_t i = 0; status == SLUICE_OK && i < frames->count; i++) {
        struct sluice_span payload = {sluice_frames_at(frames, i), frames->frame_bytes};
        if (encoding == SLUICE_ENCODING_BSLZ4)
            payload = (struct sluice_span){
                encoded, sluice_stock_encode(payload.data, payload.bytes, element_bytes, encoded)};
        const struct sluice_plane plane = {
            .channel = {(const uint8_t *)channel, strlen(channel)},
            .payload = payload,
            .width = frames->width,
            .height = frames->height,
            .dtype = frames->dtype,
            .encoding = encoding,
        };
        status = put_image(folder, &plane);
    }
    free(encoded);
    return status;
}

enum sluice_status sluice_capture_write_frames(const char *path, const struct sluice_frames *frames,
                                               const struct sluice_model *model,
                                               enum sluice_encoding encoding, double *image_bytes,
                                               struct sluice_error *error)
{
    struct folder folder = {.path = path, .error = error};
    struct sluice_scene scene = {0};
    const struct sluice_scene_settings settings = {.model = model,
                                                   .dtype = frames->dtype,
                                                   .channel_count = 1,
                                                   .frame_time = FRAME_TIME_S,
                                                   .seed = SEED};
    if (sluice_scene_init(&scene, &settings, error) != SLUICE_OK)
        return SLUICE_NO_MEMORY;
    struct sluice_series *series = sluice_scene_describe(&scene);
    sluice_scene_close(&scene);
    if (series == NULL)
        return sluice_error_set(error, SLUICE_NO_MEMORY, "no memory for a start message");
    snprintf(series->arm_date, sizeof series->arm_date, "%s", DATE);
    enum sluice_status status = put_start(&folder, series, frames->count);
    if (status == SLUICE_OK)
        status = put_frames(&folder, frames, series->channels[0].name, encoding);
    if (status == SLUICE_OK)
        status = put_end(&folder, image_bytes);
    sluice_series_destroy(series);
    return status;
}

/* The captured start message with its first channel alone. */
static enum sluice_status put_first_channel(struct folder *folder,
                                            const struct sluice_capture *capture)
{
    struct sluice_series *series = NULL;
    enum sluice_status status =
        sluice_stream2_start(sluice_multipart_span(&capture->start, 0), &series, folder->error);
    if (status != SLUICE_OK)
        return status;
    for (uint32_t i = 1; i < series->channel_count; i++) {
        free(series->channels[i].pixel_mask);
        free(series->channels[i].flatfield);
        series->channels[i] = (struct sluice_channel){0};
    }
    series->channel_count = series->channel_count > 0 ? 1 : 0;
    status = put_start(folder, series, (uint32_t)capture->image_count);
    sluice_series_destroy(series);
    return status;
}

enum sluice_status sluice_capture_write_plane(const char *path, const char *captured,
                                              double *image_bytes, struct sluice_error *error)
{
    struct folder folder = {.path = path, .error = error};
    struct sluice_capture capture = {0};
    enum sluice_status status = sluice_capture_load(&capture, captured, error);
    if (status == SLUICE_OK)
        status = put_first_channel(&folder, &capture);
    for (size_t i = 0; status == SLUICE_OK && i < capture.image_count; i++) {
        struct sluice_message_head head;
        static struct sluice_image image;
        status = sluice_stream2_decode(sluice_multipart_span(&capture.images[i], 0), &head, &image,
                                       NULL, error);
        if (status == SLUICE_OK)
            status = put_image(&folder, &image.planes[0]);
    }
    if (status == SLUICE_OK)
        status = put_end(&folder, image_bytes);
    sluice_capture_close(&capture);
    return status;
}

enum sluice_status sluice_capture_write_made(const char *path, const struct sluice_model *model,
                                             uint32_t channels, uint32_t count, double *image_bytes,
                                             struct sluice_error *error)
{
    struct folder folder = {.path = path, .error = error};
    struct sluice_capture capture = {0};
    const struct sluice_capture_make_settings settings = {
        .protocol = SLUICE_WIRE_STREAM2,
        .model = model,
        .dtype = SLUICE_U16,
        .encoding = SLUICE_ENCODING_BSLZ4,
        .channel_count = channels,
        .frame_count = count,
        .frame_time = FRAME_TIME_S,
        .seed = SEED,
        .header = SLUICE_HEADER_ALL,
        .date = DATE,
    };
    enum sluice_status status = sluice_capture_make(&capture, &settings, error);
    if (status != SLUICE_OK)
        return status;
    status = put(&folder, sluice_multipart_span(&capture.start, 0));
    for (size_t i = 0; status == SLUICE_OK && i < capture.image_count; i++) {
        const struct sluice_span message = sluice_multipart_span(&capture.images[i], 0);
        folder.images++;
        folder.image_bytes += (double)message.bytes;
        status = put(&folder, message);
    }
    if (status == SLUICE_OK)
        status = put(&folder, sluice_multipart_span(&capture.end, 0));
    *image_bytes = folder.images > 0 ? folder.image_bytes / folder.images : 0;
    sluice_capture_close(&capture);
    return status;
}
