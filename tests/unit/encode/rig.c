/* SPDX-License-Identifier: Apache-2.0
 *
 * Slots are used once, one after the other, and keep their payloads until the rig is closed; a test
 * that needs more of them opens another rig. */
#include "rig.h"

#include <stdlib.h>
#include <string.h>

#include <lz4.h>

void rig_open(struct rig *rig, enum sluice_codec_filter filter, uint32_t workers)
{
    const struct sluice_encode_settings settings = {
        .filter = filter, .workers = workers, .memory_bytes_max = 64 << 20, .cpu = -1};
    rig_open_with(rig, &settings);
}

void rig_open_with(struct rig *rig, const struct sluice_encode_settings *settings)
{
    struct sluice_error error = {0};
    memset(rig, 0, sizeof *rig);
    rig->settings = *settings;
    sluice_clock_fake_init(&rig->clock, SLUICE_NS_PER_S, SLUICE_NS_PER_S);
    assert_int_equal(sluice_counters_create(NULL, &rig->counters, &error), SLUICE_OK);
    assert_int_equal(sluice_handover_init(&rig->handover, settings->workers, RIG_SLOTS), SLUICE_OK);
    const struct sluice_encode_ports ports = {.handover = &rig->handover,
                                              .frames = rig->frames,
                                              .slot_count = RIG_SLOTS,
                                              .counters = rig->counters,
                                              .clock = &rig->clock.clock};
    assert_int_equal(sluice_encode_create(settings, &ports, &rig->encode, &error), SLUICE_OK);
}

void rig_close(struct rig *rig)
{
    sluice_encode_destroy(rig->encode);
    sluice_handover_close(&rig->handover);
    sluice_counters_destroy(rig->counters);
    for (uint32_t slot = 0; slot < RIG_SLOTS; slot++)
        for (uint32_t p = 0; p < SLUICE_PLANES_MAX; p++)
            free(rig->payloads[slot][p]);
}

uint64_t rig_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed >> 11;
}

uint8_t *rig_pixels(enum rig_content content, size_t bytes, size_t element_bytes, uint64_t seed)
{
    uint8_t *pixels = malloc(bytes > 0 ? bytes : 1);
    assert_non_null(pixels);
    seed = seed * 2 + 1;
    for (size_t i = 0; i < bytes; i++) {
        const uint64_t chance = rig_random(&seed);
        pixels[i] = content == RIG_NOISE                              ? (uint8_t)chance
                    : content == RIG_COUNTS && i % element_bytes == 0 ? (uint8_t)(chance & 7)
                    : content == RIG_COUNTS && chance % 512 == 0      ? 0xff
                                                                      : 0;
    }
    return pixels;
}

struct sluice_span rig_encode(enum sluice_encoding encoding, const uint8_t *pixels, size_t bytes,
                              size_t element_bytes)
{
    struct sluice_codec_scratch scratch = {0};
    const size_t bound = sluice_codec_bound(encoding, element_bytes, bytes);
    size_t encoded = 0;
    uint8_t *payload = malloc(bound + 1);
    assert_non_null(payload);
    if (encoding == SLUICE_ENCODING_LZ4_BLOCK) {
        const int room = LZ4_compressBound((int)bytes);
        payload = realloc(payload, (size_t)room);
        assert_non_null(payload);
        encoded =
            (size_t)LZ4_compress_default((const char *)pixels, (char *)payload, (int)bytes, room);
        assert_int_not_equal(encoded, 0);
        return (struct sluice_span){realloc(payload, encoded), encoded};
    }
    assert_int_equal(sluice_codec_encode(encoding, pixels, bytes, element_bytes, payload, bound,
                                         &encoded, &scratch),
                     SLUICE_OK);
    sluice_codec_scratch_close(&scratch);
    payload = realloc(payload, encoded > 0 ? encoded : 1);
    assert_non_null(payload);
    return (struct sluice_span){payload, encoded};
}

uint32_t rig_image(struct rig *rig, uint64_t image_id)
{
    assert_true(rig->used < RIG_SLOTS);
    struct sluice_frame *frame = &rig->frames[rig->used];
    memset(frame, 0, sizeof *frame);
    frame->kind = SLUICE_FRAME_IMAGE;
    frame->image.image_id = image_id;
    return rig->used++;
}

void rig_plane(struct rig *rig, uint32_t slot, struct sluice_span payload, uint32_t width,
               uint32_t height, enum sluice_dtype dtype, enum sluice_encoding encoding)
{
    struct sluice_image *image = &rig->frames[slot].image;
    uint8_t **memory = &rig->payloads[slot][image->plane_count];
    *memory = malloc(payload.bytes > 0 ? payload.bytes : 1);
    assert_non_null(*memory);
    memcpy(*memory, payload.data, payload.bytes);
    image->planes[image->plane_count++] = (struct sluice_plane){
        .channel = {(const uint8_t *)"threshold_1", 11},
        .payload = {*memory, payload.bytes},
        .width = width,
        .height = height,
        .dtype = dtype,
        .encoding = encoding,
    };
}

int rig_cycle(struct rig *rig, uint32_t worker)
{
    return sluice_encode_agent_ops.do_work(sluice_encode_worker(rig->encode, worker));
}

uint32_t rig_work(struct rig *rig)
{
    uint32_t cycles = 0;
    for (uint32_t idle = 0, worker = 0; idle < rig->handover.worker_count;
         worker = (worker + 1) % rig->handover.worker_count) {
        const int did = rig_cycle(rig, worker);
        assert_true(did >= 0);
        idle = did > 0 ? 0 : idle + 1;
        cycles += did > 0;
    }
    return cycles;
}

struct sluice_frame *rig_pop(struct rig *rig)
{
    uint32_t slot;
    return sluice_handover_pop_many(&rig->handover, &slot, 1) == 1 ? &rig->frames[slot] : NULL;
}

void rig_release(struct sluice_frame *frame)
{
    if (frame->pool != NULL)
        sluice_pool_give_back(frame->pool, frame->buffer);
    frame->pool = NULL;
}

void rig_assert_plane(const struct sluice_plane *plane, enum sluice_encoding encoding,
                      const uint8_t *pixels)
{
    const size_t element_bytes = sluice_dtype_bytes(plane->dtype);
    const size_t bytes = (size_t)plane->width * plane->height * element_bytes;
    struct sluice_codec_scratch scratch = {0};
    uint8_t *decoded = malloc(bytes > 0 ? bytes : 1);
    assert_non_null(decoded);
    assert_int_equal(plane->encoding, encoding);
    assert_true(plane->has_checksum);
    assert_int_equal(plane->checksum, sluice_checksum(plane->payload));
    assert_int_equal(sluice_codec_check(encoding, plane->payload, element_bytes, bytes), SLUICE_OK);
    assert_int_equal(
        sluice_codec_decode(encoding, plane->payload, element_bytes, decoded, bytes, &scratch),
        SLUICE_OK);
    assert_memory_equal(decoded, pixels, bytes);
    sluice_codec_scratch_close(&scratch);
    free(decoded);
}

uint64_t rig_counter(const struct rig *rig, enum sluice_counter counter)
{
    return sluice_counter_get(rig->counters, counter);
}
