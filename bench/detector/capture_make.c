/* SPDX-License-Identifier: Apache-2.0
 *
 * A made series: the scene is exposed for each distinct frame, and its channels are encoded once,
 * before anything is sent. */
#include "bench/detector/capture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/detector/array_encode.h"
#include "bench/detector/scene.h"
#include "bench/detector/stream1_encode.h"
#include "bench/detector/stream2_encode.h"
#include "core/clock.h"
#include "core/codec/codec.h"

#define TICKS_PER_SECOND 50000000 /* of Stream V2; the others have nanoseconds */

void sluice_unique_id_make(uint64_t high, uint64_t low, char text[SLUICE_MADE_ID_BYTES])
{
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    unsigned __int128 value = (unsigned __int128)high << 64 | low;
    for (int i = SLUICE_MADE_ID_BYTES - 2; i >= 0; i--) {
        text[i] = digits[value & 31];
        value >>= 5;
    }
    text[SLUICE_MADE_ID_BYTES - 1] = '\0';
}

/* What the maker works with; one allocation each, used for all frames. */
struct bench {
    const struct sluice_capture_make_settings *settings;
    struct sluice_scene scene;
    struct sluice_series *series;
    size_t pixel_bytes, capacity;
    uint64_t exposure_ticks;
    void *pixels;
    uint8_t *payloads; /* `capacity` for each channel */
    struct sluice_codec_scratch scratch;
    char date[32];
};

static void bench_close(struct bench *bench)
{
    sluice_scene_close(&bench->scene);
    sluice_series_destroy(bench->series);
    sluice_codec_scratch_close(&bench->scratch);
    free(bench->pixels);
    free(bench->payloads);
}

/* Stream V1 sends LZ4 without the framing of the filter. */
static bool is_bare_block(const struct sluice_capture_make_settings *settings)
{
    return settings->protocol == SLUICE_WIRE_STREAM1 && settings->encoding == SLUICE_ENCODING_LZ4;
}

static enum sluice_status bench_open(struct bench *bench,
                                     const struct sluice_capture_make_settings *settings,
                                     struct sluice_error *error)
{
    *bench = (struct bench){.settings = settings};
    struct sluice_scene_settings scene = {
        .model = settings->model,
        .dtype = settings->dtype,
        .channel_count = settings->channel_count,
        .frame_time = settings->frame_time,
        .rotation_start = settings->rotation_start,
        .rotation_increment = settings->rotation_increment,
        .seed = settings->seed,
    };
    if (sluice_scene_init(&bench->scene, &scene, error) != SLUICE_OK)
        return SLUICE_NO_MEMORY;
    size_t element_bytes = sluice_dtype_bytes(settings->dtype);
    bench->pixel_bytes = (size_t)bench->scene.width * bench->scene.height * element_bytes;
    bench->capacity =
        is_bare_block(settings)
            ? sluice_codec_block_bound(bench->pixel_bytes)
            : sluice_codec_bound(settings->encoding, element_bytes, bench->pixel_bytes);
    bench->series = sluice_scene_describe(&bench->scene);
    bench->pixels = malloc(bench->pixel_bytes);
    bench->payloads = malloc(bench->capacity * settings->channel_count);
    if (!bench->series || !bench->pixels || !bench->payloads)
        return sluice_error_set(error, SLUICE_NO_MEMORY, "no memory to make frames of %s",
                                settings->model->name);
    const struct sluice_clock *clock = sluice_clock_system();
    if (settings->date)
        snprintf(bench->date, sizeof bench->date, "%s", settings->date);
    else
        sluice_time_iso8601(clock->real_ns(clock), bench->date, sizeof bench->date);
    strcpy(bench->series->arm_date, bench->date);
    return SLUICE_OK;
}

static enum sluice_status make_stream2_start(struct bench *bench, struct sluice_cbor *part)
{
    const struct sluice_capture_make_settings *settings = bench->settings;
    struct sluice_cbor user_data = {0};
    sluice_cbor_head(&user_data, SLUICE_CBOR_MAP, 3);
    sluice_cbor_text(&user_data, "sample");
    sluice_cbor_text(&user_data, "simulé");
    sluice_cbor_text(&user_data, "detector");
    sluice_cbor_text(&user_data, settings->model->name);
    sluice_cbor_text(&user_data, "seed");
    sluice_cbor_head(&user_data, SLUICE_CBOR_UINT, settings->seed);
    struct sluice_stream2_start_options options = {
        .with_arrays = settings->header == SLUICE_HEADER_ALL,
        .encoding = SLUICE_ENCODING_BSLZ4,
        .user_data = sluice_cbor_span(&user_data),
    };
    enum sluice_status status = user_data.failed
                                    ? SLUICE_NO_MEMORY
                                    : sluice_stream2_encode_start(part, bench->series, &options);
    sluice_cbor_close(&user_data);
    return status;
}

static enum sluice_status make_start(struct bench *bench, struct sluice_capture *capture)
{
    const struct sluice_capture_make_settings *settings = bench->settings;
    bench->series->series_id = capture->series_id;
    strcpy(bench->series->unique_id, capture->unique_id);
    bench->series->number_of_images = settings->frame_count;
    switch (settings->protocol) {
    case SLUICE_WIRE_STREAM2:
        return make_stream2_start(bench,
                                  sluice_multipart_add(&capture->start, (struct sluice_span){0}));
    case SLUICE_WIRE_STREAM1:
        return sluice_stream1_encode_start(&capture->start, bench->series, settings->header,
                                           settings->header_appendix);
    default:
        return SLUICE_OK;
    }
}

static enum sluice_status make_end(struct sluice_capture *capture)
{
    switch (capture->protocol) {
    case SLUICE_WIRE_STREAM2:
        return sluice_stream2_encode_end(
            sluice_multipart_add(&capture->end, (struct sluice_span){0}), capture->series_id,
            capture->unique_id);
    case SLUICE_WIRE_STREAM1:
        return sluice_stream1_encode_end(&capture->end, capture->series_id);
    default:
        return SLUICE_OK;
    }
}

static enum sluice_status make_planes(struct bench *bench, uint32_t frame,
                                      struct sluice_plane *planes)
{
    const struct sluice_capture_make_settings *settings = bench->settings;
    sluice_scene_expose(&bench->scene, frame);
    for (uint32_t c = 0; c < settings->channel_count; c++) {
        const char *name = bench->series->channels[c].name;
        uint8_t *payload = bench->payloads + c * bench->capacity;
        size_t bytes = 0;
        sluice_scene_read(&bench->scene, c, bench->pixels);
        enum sluice_status status =
            is_bare_block(settings)
                ? sluice_codec_encode_block(bench->pixels, bench->pixel_bytes, payload,
                                            bench->capacity, &bytes)
                : sluice_codec_encode(settings->encoding, bench->pixels, bench->pixel_bytes,
                                      sluice_dtype_bytes(settings->dtype), payload, bench->capacity,
                                      &bytes, &bench->scratch);
        if (status != SLUICE_OK)
            return status;
        planes[c] = (struct sluice_plane){
            .channel = {(const uint8_t *)name, strlen(name)},
            .payload = {payload, bytes},
            .width = bench->scene.width,
            .height = bench->scene.height,
            .dtype = settings->dtype,
            .encoding = settings->encoding,
            .channel_index = c,
        };
    }
    return SLUICE_OK;
}

static enum sluice_status make_stream2_image(struct bench *bench, struct sluice_capture *capture,
                                             uint32_t frame, const struct sluice_plane *planes)
{
    struct sluice_cbor user_data = {0};
    sluice_cbor_head(&user_data, SLUICE_CBOR_MAP, 1);
    sluice_cbor_text(&user_data, "made frame №");
    sluice_cbor_head(&user_data, SLUICE_CBOR_UINT, frame);
    struct sluice_stream2_image image = {
        .series_id = capture->series_id,
        .unique_id = capture->unique_id,
        .series_date = bench->date,
        .image_id = frame,
        .ticks_per_second = TICKS_PER_SECOND,
        .start_ticks = frame * capture->period_ticks,
        .stop_ticks = frame * capture->period_ticks + bench->exposure_ticks,
        .real_ticks = bench->exposure_ticks,
        .user_data = sluice_cbor_span(&user_data),
        .planes = planes,
        .plane_count = bench->settings->channel_count,
    };
    struct sluice_cbor *part =
        sluice_multipart_add(&capture->images[frame], (struct sluice_span){0});
    enum sluice_status status =
        user_data.failed ? SLUICE_NO_MEMORY : sluice_stream2_encode_image(part, &image);
    sluice_cbor_close(&user_data);
    return status;
}

static enum sluice_status make_image(struct bench *bench, struct sluice_capture *capture,
                                     uint32_t frame)
{
    const struct sluice_capture_make_settings *settings = bench->settings;
    struct sluice_plane planes[SLUICE_SCENE_CHANNELS_MAX];
    enum sluice_status status = make_planes(bench, frame, planes);
    uint64_t begin = frame * capture->period_ticks;
    if (status != SLUICE_OK)
        return status;
    if (settings->protocol == SLUICE_WIRE_STREAM2)
        return make_stream2_image(bench, capture, frame, planes);
    if (settings->protocol == SLUICE_WIRE_ARRAY) {
        struct sluice_array_image image = {.frame = settings->first_frame + frame,
                                           .timestamp_ns = begin,
                                           .width = bench->scene.width,
                                           .height = bench->scene.height,
                                           .dtype = settings->dtype,
                                           .pixels = planes[0].payload};
        return sluice_array_encode_image(&capture->images[frame], &image);
    }
    struct sluice_stream1_image image = {.series_id = capture->series_id,
                                         .frame = frame,
                                         .start_ns = begin,
                                         .stop_ns = begin + bench->exposure_ticks,
                                         .real_ns = bench->exposure_ticks,
                                         .width = bench->scene.width,
                                         .height = bench->scene.height,
                                         .dtype = settings->dtype,
                                         .encoding = settings->encoding,
                                         .payload = planes[0].payload,
                                         .appendix = settings->image_appendix};
    return sluice_stream1_encode_image(&capture->images[frame], &image);
}

enum sluice_status sluice_capture_make(struct sluice_capture *capture,
                                       const struct sluice_capture_make_settings *settings,
                                       struct sluice_error *error)
{
    double ticks = settings->protocol == SLUICE_WIRE_STREAM2 ? TICKS_PER_SECOND : 1e9;
    *capture =
        (struct sluice_capture){.protocol = settings->protocol,
                                .series_id = 1,
                                .first_frame = settings->first_frame,
                                .period_ticks = (uint64_t)(settings->frame_time * ticks + 0.5)};
    if (settings->protocol == SLUICE_WIRE_STREAM2)
        sluice_unique_id_make(settings->seed, 0, capture->unique_id);
    struct bench bench;
    enum sluice_status status = bench_open(&bench, settings, error);
    if (status == SLUICE_OK) {
        bench.exposure_ticks = (uint64_t)(bench.series->count_time * ticks + 0.5);
        capture->images = calloc(settings->frame_count, sizeof *capture->images);
    }
    if (status == SLUICE_OK && !capture->images)
        status = SLUICE_NO_MEMORY;
    if (status == SLUICE_OK)
        status = make_start(&bench, capture);
    for (uint32_t frame = 0; status == SLUICE_OK && frame < settings->frame_count; frame++) {
        status = make_image(&bench, capture, frame);
        capture->image_count++;
    }
    if (status == SLUICE_OK)
        status = make_end(capture);
    bench_close(&bench);
    if (status != SLUICE_OK) {
        sluice_capture_close(capture);
        sluice_error_set(error, status, "cannot make frames of %s: %s", settings->model->name,
                         sluice_status_text(status));
    }
    return status;
}
