/* SPDX-License-Identifier: Apache-2.0
 *
 * One cycle of a worker: take an image, get a buffer if it needs one, encode, hand it on. An image
 * that was taken stays in hand until there is a buffer, so order is kept and do_work never blocks.
 *
 * Memory: codec.memory_bytes_max is divided by the workers. Of its share a worker takes what a
 * decoded plane needs, and makes the rest into buffers of the size of an encoded image, at least
 * one. It does so when a series is announced and it has nothing else to do, and touches the pages
 * of the first ones then, so that they are there before the images; an image that needs more than
 * was announced makes it do so at once, when all its buffers have come back. A buffer that comes
 * back late only delays this worker: the writer needs nothing that lies behind its image to give it
 * back (ring/pool.h).
 *
 * An image is judged here in one respect only, whether it can be decoded; everything else is the
 * writer's to say, which sees the images in order. */
#include "ingest/encode/encode.h"

#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "ingest/encode/plane.h"
#include "ingest/ring/pool.h"

#define CPUS_LEFT 2 /* for source, writer and what else the machine does */

struct worker {
    _Alignas(SLUICE_CACHE_LINE) struct sluice_encode *encode;
    uint32_t number;
    char name[24];
    struct sluice_agent agent;
    struct sluice_pool pool;
    struct sluice_plane_encoder encoder;
    uint32_t announced_seen;
    bool holding; /* `slot` is in hand and waits for a buffer */
    bool wait_said;
    uint32_t slot;
    size_t needed; /* by the image in hand, of a buffer */
};

struct sluice_encode {
    struct sluice_encode_settings settings;
    struct sluice_encode_ports ports;
    enum sluice_encoding encoding;
    uint32_t worker_count;
    size_t share_bytes; /* of memory_bytes_max, for each */
    struct worker *workers;
    /* the last announced series, of one plane and of all; two hints, which need not agree */
    _Atomic size_t announced_plane, announced_image;
    _Atomic uint32_t announced; /* counts them [edge ANNOUNCE] */
    _Atomic bool given_up;      /* [edge GIVE_UP] */
    _Atomic bool finish;        /* [edge FINISH] */
};

uint32_t sluice_encode_worker_count(const struct sluice_encode_settings *settings)
{
    cpu_set_t cpus;
    int count = 0;
    if (settings->filter == SLUICE_CODEC_KEEP)
        return 0;
    if (settings->workers > 0)
        return settings->workers < SLUICE_FAN_WORKERS_MAX ? settings->workers
                                                          : SLUICE_FAN_WORKERS_MAX;
    if (sched_getaffinity(0, sizeof cpus, &cpus) == 0)
        count = CPU_COUNT(&cpus) - CPUS_LEFT;
    return count < 1                        ? 1
           : count < SLUICE_FAN_WORKERS_MAX ? (uint32_t)count
                                            : SLUICE_FAN_WORKERS_MAX;
}

enum sluice_encoding sluice_encode_encoding(const struct sluice_encode_settings *settings)
{
    switch (settings->filter) {
    case SLUICE_CODEC_BSLZ4:
        return SLUICE_ENCODING_BSLZ4;
    case SLUICE_CODEC_LZ4:
        return SLUICE_ENCODING_LZ4;
    case SLUICE_CODEC_NONE:
    case SLUICE_CODEC_KEEP:
        break;
    }
    return SLUICE_ENCODING_NONE;
}

/* ---- buffers ---- */

/* AGAIN while one is with the writer; NO_MEMORY. */
static enum sluice_status make_buffers(struct worker *worker, size_t image_bytes,
                                       size_t plane_bytes)
{
    struct sluice_encode *encode = worker->encode;
    struct sluice_counters *counters = encode->ports.counters;
    struct sluice_pool *pool = &worker->pool;
    const uint64_t count = pool->count, bytes = pool->memory_bytes;
    const size_t rest = encode->share_bytes > plane_bytes ? encode->share_bytes - plane_bytes : 0;
    enum sluice_status status = sluice_pool_shape(pool, image_bytes, rest);
    if (status == SLUICE_AGAIN)
        return status;
    if (status == SLUICE_OK)
        status = sluice_plane_encoder_reserve(&worker->encoder, plane_bytes);
    sluice_counter_add_shared(counters, SLUICE_COUNTER_ENCODE_BUFFERS, pool->count - count);
    sluice_counter_add_shared(counters, SLUICE_COUNTER_ENCODE_BUFFER_BYTES,
                              pool->memory_bytes - bytes);
    if (status == SLUICE_OK && pool->memory_bytes > rest)
        sluice_log_warning("encode",
                           "a buffer of %zu bytes for each of %" PRIu32
                           " workers is more than codec.memory_bytes_max (%" PRIu64 ")",
                           pool->buffer_bytes, encode->worker_count,
                           encode->settings.memory_bytes_max);
    return status;
}

static void wake_all(struct sluice_encode *encode)
{
    for (uint32_t i = 0; i < encode->worker_count; i++)
        sluice_wake_signal(sluice_handover_worker_wake(encode->ports.handover, i));
}

void sluice_encode_announce(void *context, const struct sluice_series *series)
{
    struct sluice_encode *encode = context;
    const struct sluice_plane plane = {
        .width = series->width,
        .height = series->height,
        .dtype = series->dtype,
        .encoding =
            encode->encoding == SLUICE_ENCODING_NONE ? SLUICE_ENCODING_BSLZ4 : SLUICE_ENCODING_NONE,
    };
    const size_t room = sluice_plane_room(&plane, encode->encoding);
    const uint32_t planes = series->channel_count > 0 ? series->channel_count : 1;
    if (sluice_plane_pixel_bytes(&plane) == 0)
        return; /* the start did not say: the first image will */
    if (room > encode->settings.memory_bytes_max / planes)
        return; /* its images will be refused one by one */
    sluice_store_relaxed(&encode->announced_plane, sluice_plane_pixel_bytes(&plane));
    sluice_store_relaxed(&encode->announced_image, room * planes);
    /* [edge ANNOUNCE]: the two above, and all images of the series before */
    sluice_store_release(&encode->announced, sluice_load_relaxed(&encode->announced) + 1);
    wake_all(encode);
}

/* Makes buffers for a series that was announced, when the size that they have is another. */
static bool prepare(struct worker *worker, uint32_t announced)
{
    struct sluice_encode *encode = worker->encode;
    const size_t image = sluice_load_relaxed(&encode->announced_image);
    if (worker->pool.buffer_bytes != image &&
        make_buffers(worker, image, sluice_load_relaxed(&encode->announced_plane)) == SLUICE_AGAIN)
        return false;
    worker->announced_seen = announced; /* no memory: the first image will say so */
    return true;
}

/* ---- an image ---- */

/* What it needs of a buffer, 0: nothing is to be encoded; and of a decoded plane. */
static size_t needs(const struct sluice_encode *encode, const struct sluice_image *image,
                    size_t *plane_bytes)
{
    size_t sum = 0;
    *plane_bytes = 0;
    for (uint32_t p = 0; p < image->plane_count; p++) {
        const struct sluice_plane *plane = &image->planes[p];
        const size_t room = sluice_plane_room(plane, encode->encoding);
        if (room > encode->settings.memory_bytes_max - sum)
            return SIZE_MAX;
        sum += room;
        if (sluice_plane_needs_pixels(plane, encode->encoding) &&
            sluice_plane_pixel_bytes(plane) > *plane_bytes)
            *plane_bytes = sluice_plane_pixel_bytes(plane);
    }
    return sum;
}

struct tally {
    uint64_t bytes_in, bytes_pixels, bytes_out;
};

static enum sluice_status encode_planes(struct worker *worker, struct sluice_frame *frame,
                                        uint8_t *out, struct tally *tally)
{
    const enum sluice_encoding encoding = worker->encode->encoding;
    for (uint32_t p = 0; p < frame->image.plane_count; p++) {
        struct sluice_plane *plane = &frame->image.planes[p];
        const size_t room = sluice_plane_room(plane, encoding);
        if (room == 0) {
            if (!plane->has_checksum)
                plane->checksum = sluice_checksum(plane->payload);
            plane->has_checksum = true;
            continue;
        }
        tally->bytes_in += plane->payload.bytes;
        tally->bytes_pixels += sluice_plane_pixel_bytes(plane);
        const enum sluice_status status =
            sluice_plane_encode(&worker->encoder, plane, encoding, out, room);
        if (status != SLUICE_OK) {
            frame->bad_plane = p;
            return status;
        }
        tally->bytes_out += plane->payload.bytes;
        out += room;
    }
    return SLUICE_OK;
}

/* AGAIN: no buffer is there. */
static enum sluice_status take_buffer(struct worker *worker, size_t plane_bytes, uint32_t *buffer)
{
    if (worker->needed > worker->pool.buffer_bytes) {
        const enum sluice_status status = make_buffers(worker, worker->needed, plane_bytes);
        if (status != SLUICE_OK)
            return status;
    }
    return sluice_pool_try_take(&worker->pool, buffer) == SLUICE_OK ? SLUICE_OK : SLUICE_AGAIN;
}

static void say_damaged(const struct worker *worker, const struct sluice_frame *frame)
{
    const struct sluice_encode_ports *ports = &worker->encode->ports;
    const struct sluice_plane *plane = &frame->image.planes[frame->bad_plane];
    struct sluice_error error = {0};
    sluice_error_set(&error, frame->encode_status, "channel \"%.*s\" cannot be decoded (%s): %s",
                     (int)plane->channel.bytes, (const char *)plane->channel.data,
                     sluice_encoding_name(plane->encoding),
                     sluice_status_text(frame->encode_status));
    sluice_counters_error(ports->counters, ports->clock->real_ns(ports->clock), error.message);
    sluice_log_warning("encode", "%s image_id=%" PRIu64, error.message, frame->image.image_id);
    sluice_counter_add_shared(ports->counters, SLUICE_COUNTER_ENCODE_DAMAGED, 1);
}

static bool is_damage(enum sluice_status status)
{
    return status != SLUICE_OK && status != SLUICE_NO_MEMORY && status != SLUICE_LIMIT;
}

/* Fills the frame. AGAIN: it has to wait for a buffer, and nothing has happened. */
static enum sluice_status encode_image(struct worker *worker, struct sluice_frame *frame)
{
    struct sluice_encode *encode = worker->encode;
    struct sluice_counters *counters = encode->ports.counters;
    struct sluice_pool *pool = &worker->pool;
    struct tally tally = {0};
    size_t plane_bytes;
    uint32_t buffer = 0;
    enum sluice_status status = SLUICE_OK;
    worker->needed = needs(encode, &frame->image, &plane_bytes);
    const bool buffered = worker->needed > 0;
    if (worker->needed == SIZE_MAX)
        status = SLUICE_LIMIT;
    else if (buffered)
        status = take_buffer(worker, plane_bytes, &buffer);
    if (status == SLUICE_AGAIN)
        return status;
    frame->pool = NULL;
    if (status == SLUICE_OK) {
        uint8_t *out = buffered ? sluice_pool_buffer(pool, buffer) : NULL;
        status = encode_planes(worker, frame, out, &tally);
        if (status != SLUICE_OK && buffered)
            sluice_pool_put_back(pool, buffer);
    }
    frame->encode_status = status;
    if (status != SLUICE_OK) {
        if (is_damage(status))
            say_damaged(worker, frame);
        return SLUICE_OK;
    }
    if (!buffered) {
        sluice_counter_add_shared(counters, SLUICE_COUNTER_ENCODE_UNCHANGED, 1);
        return SLUICE_OK;
    }
    frame->pool = pool;
    frame->buffer = buffer;
    sluice_counter_add_shared(counters, SLUICE_COUNTER_ENCODE_BYTES_IN, tally.bytes_in);
    sluice_counter_add_shared(counters, SLUICE_COUNTER_ENCODE_BYTES_PIXELS, tally.bytes_pixels);
    sluice_counter_add_shared(counters, SLUICE_COUNTER_ENCODE_BYTES_OUT, tally.bytes_out);
    return SLUICE_OK;
}

/* False: the image in hand waits for a buffer. */
static bool work_on(struct worker *worker)
{
    struct sluice_encode *encode = worker->encode;
    const struct sluice_encode_ports *ports = &encode->ports;
    struct sluice_frame *frame = &ports->frames[worker->slot];
    const int64_t begin_ns = sluice_now_ns(ports->clock);
    if (sluice_load_acquire(&encode->given_up)) { /* [edge GIVE_UP] */
        frame->pool = NULL;
        frame->encode_status = SLUICE_OK;
    } else if (encode_image(worker, frame) == SLUICE_AGAIN) {
        if (!worker->wait_said)
            sluice_counter_add_shared(ports->counters, SLUICE_COUNTER_ENCODE_WAITS, 1);
        worker->wait_said = true;
        return false;
    }
    sluice_counter_add_shared(ports->counters, SLUICE_COUNTER_ENCODE_IMAGES, 1);
    sluice_counter_add_shared(ports->counters, SLUICE_COUNTER_ENCODE_BUSY,
                              (uint64_t)(sluice_now_ns(ports->clock) - begin_ns));
    worker->holding = worker->wait_said = false;
    sluice_handover_give(ports->handover, worker->number, worker->slot);
    return true;
}

/* ---- the agent ---- */

static int do_work(void *context)
{
    struct worker *worker = context;
    struct sluice_encode *encode = worker->encode;
    if (!worker->holding) {
        /* [edge ANNOUNCE], [edge FINISH]: before the look at the ring, so that with what they say
         * all images before it are seen. */
        const uint32_t announced = sluice_load_acquire(&encode->announced);
        const bool finish = sluice_load_acquire(&encode->finish);
        if (sluice_handover_take(encode->ports.handover, worker->number, &worker->slot) !=
            SLUICE_OK) {
            if (finish)
                return SLUICE_AGENT_DONE;
            return (announced != worker->announced_seen && prepare(worker, announced)) ||
                   sluice_pool_touch(&worker->pool);
        }
        worker->holding = true;
    }
    return work_on(worker);
}

static bool may_work(struct worker *worker)
{
    struct sluice_encode *encode = worker->encode;
    const uint32_t idle = sluice_pool_idle(&worker->pool);
    const bool home = idle == worker->pool.count;
    if (worker->holding)
        return sluice_load_acquire(&encode->given_up) || /* [edge GIVE_UP] */
               (worker->needed > worker->pool.buffer_bytes ? home : idle > 0);
    return sluice_handover_work_count(encode->ports.handover, worker->number) > 0 ||
           sluice_load_acquire(&encode->finish) || /* [edge FINISH] */
           (home && sluice_load_acquire(&encode->announced) != worker->announced_seen);
}

static void wait_for_work(void *context)
{
    struct worker *worker = context;
    struct sluice_wake *wake =
        sluice_handover_worker_wake(worker->encode->ports.handover, worker->number);
    const uint32_t prepared = sluice_wake_prepare(wake);
    if (may_work(worker))
        sluice_wake_cancel(wake);
    else
        sluice_wake_wait(wake, prepared, -1);
}

const struct sluice_agent_ops sluice_encode_agent_ops = {
    .name = "encode",
    .do_work = do_work,
    .wait = wait_for_work,
};

void *sluice_encode_worker(struct sluice_encode *encode, uint32_t number)
{
    return &encode->workers[number];
}

/* ---- life ---- */

enum sluice_status sluice_encode_create(const struct sluice_encode_settings *settings,
                                        const struct sluice_encode_ports *ports,
                                        struct sluice_encode **out, struct sluice_error *error)
{
    const uint32_t count = sluice_encode_worker_count(settings);
    struct sluice_encode *encode = calloc(1, sizeof *encode);
    *out = NULL;
    if (encode != NULL)
        encode->workers = aligned_alloc(SLUICE_CACHE_LINE, count * sizeof *encode->workers);
    if (encode == NULL || encode->workers == NULL)
        goto fail;
    memset(encode->workers, 0, count * sizeof *encode->workers);
    encode->settings = *settings;
    encode->ports = *ports;
    encode->encoding = sluice_encode_encoding(settings);
    encode->share_bytes = settings->memory_bytes_max / count;
    for (; encode->worker_count < count; encode->worker_count++) {
        struct worker *worker = &encode->workers[encode->worker_count];
        worker->encode = encode;
        worker->number = encode->worker_count;
        snprintf(worker->name, sizeof worker->name, "encode-%" PRIu32, worker->number);
        /* more than its part of the slots cannot be on their way at once for long */
        if (sluice_pool_init(&worker->pool, ports->slot_count / count + 2,
                             sluice_handover_worker_wake(ports->handover, worker->number)) !=
            SLUICE_OK)
            goto fail;
    }
    sluice_counter_set(ports->counters, SLUICE_COUNTER_ENCODE_WORKERS, count);
    *out = encode;
    return SLUICE_OK;
fail:
    sluice_encode_destroy(encode);
    return sluice_error_set(error, SLUICE_NO_MEMORY, "no memory for the codec workers");
}

void sluice_encode_destroy(struct sluice_encode *encode)
{
    if (encode == NULL)
        return;
    for (uint32_t i = 0; i < encode->worker_count; i++) {
        sluice_pool_close(&encode->workers[i].pool);
        sluice_plane_encoder_close(&encode->workers[i].encoder);
    }
    free(encode->workers);
    free(encode);
}

enum sluice_status sluice_encode_start(struct sluice_encode *encode, struct sluice_error *error)
{
    enum sluice_status status = SLUICE_OK;
    for (uint32_t i = 0; i < encode->worker_count && status == SLUICE_OK; i++) {
        struct worker *worker = &encode->workers[i];
        const struct sluice_agent_settings settings = {
            .cpu = encode->settings.cpu < 0 ? -1 : encode->settings.cpu + (int)i,
        };
        struct sluice_agent_ops ops = sluice_encode_agent_ops;
        ops.name = worker->name;
        status = sluice_agent_start(&worker->agent, &ops, worker, &settings, error);
    }
    return status;
}

void sluice_encode_give_up(struct sluice_encode *encode)
{
    sluice_store_release(&encode->given_up, true); /* [edge GIVE_UP] */
    wake_all(encode);
}

void sluice_encode_finish(struct sluice_encode *encode)
{
    sluice_store_release(&encode->finish, true); /* [edge FINISH] */
    wake_all(encode);
    for (uint32_t i = 0; i < encode->worker_count; i++)
        sluice_agent_join(&encode->workers[i].agent);
}
