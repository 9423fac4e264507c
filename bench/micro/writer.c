/* SPDX-License-Identifier: Apache-2.0
 *
 * The writer agent driven by hand on this thread: images of 64 x 64 pixels, so small that what is
 * measured is HDF5, columns, checksums, flushes and our own book-keeping, not the copy. Default
 * settings; images come in batches as large as the flush, so each batch costs one. Beside it the
 * same payloads with one pwrite an image, the least that storing them can cost.
 *
 * Files go to a folder of their own in $TMPDIR (or /tmp), which is removed. */
#include "writer/sink/writer.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/detector/capture.h"
#include "bench/micro/micro.h"
#include "config/config.h"
#include "ingest/protocol/stream2.h"

#define IMAGES 8
#define BATCH  128 /* writer.flush_images */
#define SLOTS  256
#define SEED   20260101

struct rig {
    char directory[4096];
    struct sluice_config config;
    struct sluice_capture capture;
    struct sluice_frame frames[SLOTS];
    struct sluice_handover in;
    struct sluice_spsc free;
    struct sluice_wake free_wake;
    struct sluice_progress progress;
    struct sluice_events events;
    struct sluice_writer *writer;
    struct sluice_error error;
};

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)status;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void rig_destroy(struct rig *rig)
{
    sluice_writer_destroy(rig->writer);
    sluice_events_close(&rig->events);
    sluice_handover_close(&rig->in);
    sluice_spsc_close(&rig->free);
    sluice_capture_close(&rig->capture);
    sluice_config_close(&rig->config);
    if (rig->directory[0] != '\0') {
        nftw(rig->directory, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    }
    free(rig);
}

static enum sluice_status make_directory(struct rig *rig)
{
    const char *parent = getenv("TMPDIR");
    snprintf(rig->directory, sizeof rig->directory, "%s/sluice-bench-XXXXXX",
             parent != NULL ? parent : "/tmp");
    if (mkdtemp(rig->directory) == NULL) {
        rig->directory[0] = '\0';
        return sluice_error_set(&rig->error, SLUICE_IO, "no folder in TMPDIR or /tmp");
    }
    return SLUICE_OK;
}

/* Every slot holds one of the images already; only its id and arrival change later. */
static enum sluice_status fill_slots(struct rig *rig)
{
    const struct sluice_capture_make_settings settings = {.model = sluice_model_find("tiny"),
                                                          .dtype = SLUICE_U16,
                                                          .encoding = SLUICE_ENCODING_BSLZ4,
                                                          .channel_count = 1,
                                                          .frame_count = IMAGES,
                                                          .frame_time = 1e-3,
                                                          .seed = SEED};
    enum sluice_status status = sluice_capture_make(&rig->capture, &settings, &rig->error);
    for (uint32_t slot = 0; status == SLUICE_OK && slot < SLOTS; slot++) {
        struct sluice_message_head head;
        static char text[256];
        const struct sluice_text_buffer user_data = {text, sizeof text};
        struct sluice_span message = sluice_multipart_span(&rig->capture.images[slot % IMAGES], 0);
        struct sluice_frame *frame = &rig->frames[slot];
        frame->message_bytes = message.bytes;
        frame->series_serial = 1;
        status = sluice_stream2_decode(message, &head, &frame->image, &user_data, &rig->error);
        sluice_spsc_push(&rig->free, slot); /* holds every slot: cannot be full */
    }
    return status;
}

static enum sluice_status open_writer(struct rig *rig)
{
    char assignment[sizeof rig->directory + 32];
    snprintf(assignment, sizeof assignment, "writer.directory=%s", rig->directory);
    enum sluice_status status = sluice_config_init(&rig->config, &rig->error);
    if (status == SLUICE_OK) {
        status = sluice_config_set(&rig->config, assignment, &rig->error);
    }
    if (status == SLUICE_OK) { /* no rollover within the measured loop */
        status = sluice_config_set(&rig->config, "writer.images_per_file=0", &rig->error);
    }
    if (status == SLUICE_OK) {
        status = sluice_config_finish(&rig->config, &rig->error);
    }
    if (status == SLUICE_OK) {
        const struct sluice_writer_ports ports = {.frames = rig->frames,
                                                  .in = &rig->in,
                                                  .free = &rig->free,
                                                  .free_wake = &rig->free_wake,
                                                  .events = &rig->events,
                                                  .progress = &rig->progress,
                                                  .clock = sluice_clock_system()};
        status = sluice_writer_create(&rig->config.writer, &ports, &rig->writer, &rig->error);
    }
    return status;
}

static struct rig *rig_create(struct sluice_bench *bench)
{
    struct rig *rig = aligned_alloc(SLUICE_CACHE_LINE, sizeof *rig);
    if (rig == NULL) {
        sluice_bench_fail(bench, "out of memory");
        return NULL;
    }
    memset(rig, 0, sizeof *rig);
    enum sluice_status status = make_directory(rig);
    if (status == SLUICE_OK && (sluice_handover_init(&rig->in, 0, SLOTS) != SLUICE_OK ||
                                sluice_spsc_init(&rig->free, SLOTS, 0) != SLUICE_OK ||
                                sluice_events_init(&rig->events) != SLUICE_OK)) {
        status = sluice_error_set(&rig->error, SLUICE_NO_MEMORY, "out of memory");
    }
    if (status == SLUICE_OK) {
        status = fill_slots(rig);
    }
    if (status == SLUICE_OK) {
        status = open_writer(rig);
    }
    if (status != SLUICE_OK) {
        sluice_bench_fail(bench, rig->error.message);
        rig_destroy(rig);
        return NULL;
    }
    return rig;
}

static void drain(struct rig *rig)
{
    while (sluice_handover_count(&rig->in) > 0) {
        sluice_writer_agent_ops.do_work(rig->writer);
    }
}

/* A frame of the kind goes in and is worked on. */
static void control(struct rig *rig, enum sluice_frame_kind kind, struct sluice_series *series)
{
    uint32_t slot;
    while (sluice_spsc_pop(&rig->free, &slot) != SLUICE_OK) {
        sluice_writer_agent_ops.do_work(rig->writer); /* the last images are being flushed */
    }
    rig->frames[slot].kind = kind;
    rig->frames[slot].series = series;
    sluice_handover_push(&rig->in, slot);
    drain(rig);
}

/* What the writer says at the end: every image visible? */
static bool all_visible(struct rig *rig, uint64_t images)
{
    bool ok = false;
    struct sluice_event *event;
    while ((event = sluice_events_take(&rig->events)) != NULL) {
        if (event->kind == SLUICE_EVENT_END && event->summary != NULL) {
            ok = !event->summary->failed && event->summary->visible == images &&
                 event->summary->lost == 0;
        }
        sluice_events_give_back(&rig->events, event);
    }
    return ok;
}

/* So that notices find room: the service would do this. */
static void discard_events(struct rig *rig)
{
    struct sluice_event *event;
    while ((event = sluice_events_take(&rig->events)) != NULL) {
        sluice_events_give_back(&rig->events, event);
    }
}

static void write_images(struct sluice_bench *bench)
{
    struct rig *rig = rig_create(bench);
    if (rig == NULL) {
        return;
    }
    struct sluice_series *series = NULL;
    if (sluice_stream2_start(sluice_multipart_span(&rig->capture.start, 0), &series, &rig->error) !=
        SLUICE_OK) {
        sluice_bench_fail(bench, rig->error.message);
        rig_destroy(rig);
        return;
    }
    series->number_of_images = 0; /* unknown: the library decides how many it will be */
    control(rig, SLUICE_FRAME_OPEN, series);
    const struct sluice_clock *clock = sluice_clock_system();
    static struct sluice_histogram batches;
    sluice_histogram_clear(&batches);
    uint64_t image_id = 0;
    uint32_t wrong = 0;
    while (sluice_bench_next_batch(bench, BATCH)) {
        int64_t now_ns = sluice_now_ns(clock);
        for (uint32_t i = 0; i < BATCH; i++) {
            uint32_t slot = 0;
            wrong += sluice_spsc_pop(&rig->free, &slot) != SLUICE_OK;
            struct sluice_frame *frame = &rig->frames[slot];
            frame->kind = SLUICE_FRAME_IMAGE;
            frame->arrival_ns = now_ns;
            frame->image.image_id = image_id++;
            sluice_handover_push(&rig->in, slot);
        }
        drain(rig);
        discard_events(rig);
        sluice_histogram_record(&batches, sluice_now_ns(clock) - now_ns);
    }
    sluice_bench_set_items(bench, sluice_bench_iterations(bench));
    sluice_micro_percentiles(bench, &batches);
    sluice_bench_label(bench, "latencies are of a batch of 128");
    control(rig, SLUICE_FRAME_CLOSE, NULL);
    if (wrong != 0 || !all_visible(rig, image_id)) {
        sluice_bench_fail(bench, "not every image is visible at the end");
    }
    control(rig, SLUICE_FRAME_FINISH, NULL);
    rig_destroy(rig);
}

static void write_floor(struct sluice_bench *bench)
{
    struct rig *rig = rig_create(bench);
    if (rig == NULL) {
        return;
    }
    char path[sizeof rig->directory + 16];
    snprintf(path, sizeof path, "%s/floor", rig->directory);
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    off_t offset = 0;
    uint32_t wrong = 0;
    for (uint32_t i = 0; sluice_bench_next(bench); i = (i + 1) % SLOTS) {
        struct sluice_span payload = rig->frames[i].image.planes[0].payload;
        wrong += pwrite(file, payload.data, payload.bytes, offset) != (ssize_t)payload.bytes;
        offset += (off_t)payload.bytes;
    }
    sluice_bench_set_items(bench, sluice_bench_iterations(bench));
    if (wrong != 0) {
        sluice_bench_fail(bench, "pwrite failed");
    }
    close(file);
    rig_destroy(rig);
}

void sluice_micro_writer(void)
{
    sluice_bench_register(&(struct sluice_bench_case){
        .name = "writer/pwrite_floor/64x64", .run = write_floor, .wall_time = true});
    sluice_bench_register(&(struct sluice_bench_case){
        .name = "writer/image/64x64", .run = write_images, .wall_time = true});
}
