/* SPDX-License-Identifier: Apache-2.0
 *
 * Decoding Stream V2 messages into descriptors: what the source does with each image before it is
 * handed on. Made messages, and captured ones where SLUICE_SHARED names a folder with data/ in it.
 */
#include "ingest/protocol/stream2.h"

#include <stdio.h>
#include <stdlib.h>

#include "bench/detector/capture.h"
#include "bench/micro/micro.h"

#define IMAGES 8
#define SEED   20260101

struct subject {
    const char *model; /* made; NULL: captured, in `directory` */
    const char *directory;
    uint32_t channel_count;
    bool is_loaded;
    struct sluice_capture capture;
};

static struct subject tiny = {.model = "tiny", .channel_count = 1};
static struct subject one_plane = {.model = "eiger2-r-500k", .channel_count = 1};
static struct subject three_planes = {.model = "eiger2-r-500k", .channel_count = 3};
static struct subject captured = {.directory = "data/stream2/eiger2_r500k_bslz4_16bit"};

static enum sluice_status load(struct subject *subject, struct sluice_error *error)
{
    if (subject->model == NULL) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", getenv("SLUICE_SHARED"), subject->directory);
        return sluice_capture_load(&subject->capture, path, error);
    }
    return sluice_capture_make(
        &subject->capture,
        &(struct sluice_capture_make_settings){.model = sluice_model_find(subject->model),
                                               .dtype = SLUICE_U16,
                                               .encoding = SLUICE_ENCODING_BSLZ4,
                                               .channel_count = subject->channel_count,
                                               .frame_count = IMAGES,
                                               .frame_time = 1e-3,
                                               .seed = SEED,
                                               .header = SLUICE_HEADER_ALL},
        error);
}

/* What is loaded stays until the program ends. */
static const struct sluice_capture *capture_of(struct sluice_bench *bench)
{
    /* The library's context is constant; these are ours. */
    struct subject *const *context = sluice_bench_context(bench);
    struct subject *subject = *context;
    if (!subject->is_loaded) {
        struct sluice_error error = {0};
        if (load(subject, &error) != SLUICE_OK) {
            sluice_bench_fail(bench, error.message);
            return NULL;
        }
        subject->is_loaded = true;
    }
    return &subject->capture;
}

static void decode_image(struct sluice_bench *bench)
{
    const struct sluice_capture *capture = capture_of(bench);
    if (capture == NULL) {
        return;
    }
    static char text[65536];
    const struct sluice_text_buffer user_data = {text, sizeof text};
    struct sluice_message_head head;
    struct sluice_image image;
    struct sluice_error error = {0};
    uint32_t wrong = 0;
    for (size_t i = 0; sluice_bench_next(bench); i = (i + 1) % capture->image_count) {
        struct sluice_span message = sluice_multipart_span(&capture->images[i], 0);
        wrong += sluice_stream2_decode(message, &head, &image, &user_data, &error) != SLUICE_OK;
    }
    sluice_bench_set_items(bench,
                           sluice_bench_iterations(bench)); /* no byte of a payload is read */
    if (wrong != 0) {
        sluice_bench_fail(bench, error.message);
    } else {
        sluice_bench_counter(bench, "planes", image.plane_count);
    }
}

static void decode_start(struct sluice_bench *bench)
{
    const struct sluice_capture *capture = capture_of(bench);
    if (capture == NULL) {
        return;
    }
    struct sluice_span message = sluice_multipart_span(&capture->start, 0);
    struct sluice_error error = {0};
    uint32_t wrong = 0;
    while (sluice_bench_next(bench)) {
        struct sluice_series *series = NULL;
        wrong += sluice_stream2_start(message, &series, &error) != SLUICE_OK;
        sluice_series_destroy(series);
    }
    sluice_bench_set_bytes(bench, sluice_bench_iterations(bench) * (int64_t)message.bytes);
    if (wrong != 0) {
        sluice_bench_fail(bench, error.message);
    }
}

void sluice_micro_protocol(void)
{
    static struct subject *const contexts[] = {&tiny, &one_plane, &three_planes, &captured};
    static const char *const names[] = {"stream2/image/tiny", "stream2/image/r500k_1_plane",
                                        "stream2/image/r500k_3_planes",
                                        "stream2/image/captured_r500k_3_planes"};
    size_t count = getenv("SLUICE_SHARED") != NULL ? 4 : 3;
    for (size_t i = 0; i < count; i++) {
        sluice_bench_register(&(struct sluice_bench_case){
            .name = names[i], .run = decode_image, .context = &contexts[i]});
    }
    sluice_bench_register(&(struct sluice_bench_case){
        .name = "stream2/start/r500k_3_planes", .run = decode_start, .context = &contexts[2]});
}
