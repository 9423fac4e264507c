/* SPDX-License-Identifier: Apache-2.0
 *
 * A made series: the scene is exposed for each distinct frame, and its channels are encoded once,
 * before anything is sent. */
#include "bench/detector/capture.h"

#include <stdlib.h>
#include <string.h>

#include "bench/detector/scene.h"
#include "bench/detector/stream2_encode.h"
#include "core/clock.h"
#include "core/codec/codec.h"

#define TICKS_PER_SECOND 50000000

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

static enum sluice_status bench_open(struct bench *bench,
                                     const struct sluice_capture_make_settings *settings,
                                     struct sluice_error *error)
{
    *bench = (struct bench){.settings = settings};
    struct sluice_scene_settings scene = {
        .model = settings->model,
        .dtype = settings->dtype,
        .channel_count = settings->channel_count,
        .frame_count = settings->frame_count,
        .frame_time = settings->frame_time,
        .seed = settings->seed,
    };
    if (sluice_scene_init(&bench->scene, &scene, error) != SLUICE_OK)
        return SLUICE_NO_MEMORY;
    size_t element_bytes = sluice_dtype_bytes(settings->dtype);
    bench->pixel_bytes = (size_t)bench->scene.width * bench->scene.height * element_bytes;
    bench->capacity = sluice_codec_bound(settings->encoding, element_bytes, bench->pixel_bytes);
    bench->series = sluice_scene_describe(&bench->scene);
    bench->pixels = malloc(bench->pixel_bytes);
    bench->payloads = malloc(bench->capacity * settings->channel_count);
    if (!bench->series || !bench->pixels || !bench->payloads)
        return sluice_error_set(error, SLUICE_NO_MEMORY, "no memory to make frames of %s",
                                settings->model->name);
    const struct sluice_clock *clock = sluice_clock_system();
    sluice_time_iso8601(clock->real_ns(clock), bench->date, sizeof bench->date);
    strcpy(bench->series->arm_date, bench->date);
    return SLUICE_OK;
}

static enum sluice_status make_start(struct bench *bench, struct sluice_capture *capture)
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
        .with_arrays = settings->with_arrays,
        .encoding = SLUICE_ENCODING_BSLZ4,
        .user_data = sluice_cbor_span(&user_data),
    };
    bench->series->series_id = capture->series_id;
    strcpy(bench->series->unique_id, capture->unique_id);
    bench->series->number_of_images = settings->frame_count;
    enum sluice_status status =
        user_data.failed ? SLUICE_NO_MEMORY
                         : sluice_stream2_encode_start(&capture->start, bench->series, &options);
    sluice_cbor_close(&user_data);
    return status;
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
        enum sluice_status status = sluice_codec_encode(
            settings->encoding, bench->pixels, bench->pixel_bytes,
            sluice_dtype_bytes(settings->dtype), payload, bench->capacity, &bytes, &bench->scratch);
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

static enum sluice_status make_image(struct bench *bench, struct sluice_capture *capture,
                                     uint32_t frame)
{
    struct sluice_plane planes[SLUICE_SCENE_CHANNELS_MAX];
    enum sluice_status status = make_planes(bench, frame, planes);
    if (status != SLUICE_OK)
        return status;
    struct sluice_cbor user_data = {0};
    sluice_cbor_head(&user_data, SLUICE_CBOR_MAP, 1);
    sluice_cbor_text(&user_data, "made frame №");
    sluice_cbor_head(&user_data, SLUICE_CBOR_UINT, frame);
    uint64_t exposure = (uint64_t)(bench->series->count_time * TICKS_PER_SECOND + 0.5);
    struct sluice_stream2_image image = {
        .series_id = capture->series_id,
        .unique_id = capture->unique_id,
        .series_date = bench->date,
        .image_id = frame,
        .ticks_per_second = TICKS_PER_SECOND,
        .start_ticks = frame * capture->period_ticks,
        .stop_ticks = frame * capture->period_ticks + exposure,
        .real_ticks = exposure,
        .user_data = sluice_cbor_span(&user_data),
        .planes = planes,
        .plane_count = bench->settings->channel_count,
    };
    status = user_data.failed ? SLUICE_NO_MEMORY
                              : sluice_stream2_encode_image(&capture->images[frame], &image);
    sluice_cbor_close(&user_data);
    return status;
}

enum sluice_status sluice_capture_make(struct sluice_capture *capture,
                                       const struct sluice_capture_make_settings *settings,
                                       struct sluice_error *error)
{
    *capture = (struct sluice_capture){.series_id = 1};
    sluice_unique_id_make(settings->seed, 0, capture->unique_id);
    capture->period_ticks = (uint64_t)(settings->frame_time * TICKS_PER_SECOND + 0.5);
    struct bench bench;
    enum sluice_status status = bench_open(&bench, settings, error);
    if (status == SLUICE_OK)
        capture->images = calloc(settings->frame_count, sizeof *capture->images);
    if (status == SLUICE_OK && !capture->images)
        status = SLUICE_NO_MEMORY;
    if (status == SLUICE_OK)
        status = make_start(&bench, capture);
    for (uint32_t frame = 0; status == SLUICE_OK && frame < settings->frame_count; frame++) {
        status = make_image(&bench, capture, frame);
        capture->image_count++;
    }
    if (status == SLUICE_OK)
        status = sluice_stream2_encode_end(&capture->end, capture->series_id, capture->unique_id);
    bench_close(&bench);
    if (status != SLUICE_OK) {
        sluice_capture_close(capture);
        sluice_error_set(error, status, "cannot make frames of %s: %s", settings->model->name,
                         sluice_status_text(status));
    }
    return status;
}
