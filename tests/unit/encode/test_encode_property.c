/* SPDX-License-Identifier: Apache-2.0
 *
 * Re-encoding made-up and mutated payloads; prints its seed, SLUICE_SEED runs another one. Whatever
 * comes in, a worker gives either an image that it could not decode, or one whose planes decode to
 * exactly what the payload itself decodes to; every buffer comes home. */
#include "rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 1500

static uint64_t seed;

static uint64_t below(uint64_t limit)
{
    return rig_random(&seed) % limit;
}

/* Flips, cuts or overwrites; sometimes leaves it as it is. */
static size_t mutate(uint8_t *payload, size_t bytes)
{
    switch (below(6)) {
    case 0:
        return bytes;
    case 1:
        return below(bytes + 1);
    case 2:
        for (uint64_t n = 1 + below(4); n > 0; n--)
            payload[below(bytes)] ^= (uint8_t)(1u << below(8));
        return bytes;
    case 3:
        payload[below(bytes < 32 ? bytes : 32)] = (uint8_t)below(256); /* header, first lengths */
        return bytes;
    case 4: {
        const size_t at = below(bytes);
        memset(payload + at, (int)below(256), below(bytes - at) + 1);
        return bytes;
    }
    default:
        payload[bytes - 1 - below(bytes < 16 ? bytes : 16)] ^= (uint8_t)(1 + below(255));
        return bytes;
    }
}

static void judge(const struct sluice_frame *frame, struct sluice_span payload,
                  enum sluice_encoding sent, enum sluice_encoding wanted)
{
    const struct sluice_plane *plane = &frame->image.planes[0];
    const size_t element_bytes = sluice_dtype_bytes(plane->dtype);
    const size_t bytes = (size_t)plane->width * plane->height * element_bytes;
    struct sluice_codec_scratch scratch = {0};
    uint8_t *expected = malloc(bytes);
    assert_non_null(expected);
    const enum sluice_status status =
        sluice_codec_decode(sent, payload, element_bytes, expected, bytes, &scratch);
    sluice_codec_scratch_close(&scratch);
    if (sent == wanted) { /* stored as it came, whatever it is */
        assert_int_equal(frame->encode_status, SLUICE_OK);
        assert_int_equal(plane->payload.bytes, payload.bytes);
        assert_memory_equal(plane->payload.data, payload.data, payload.bytes);
    } else if (status != SLUICE_OK && sent == SLUICE_ENCODING_LZ4_BLOCK &&
               wanted == SLUICE_ENCODING_LZ4 && payload.bytes != bytes) { /* as it came, framed */
        assert_int_equal(frame->encode_status, SLUICE_OK);
        assert_int_equal(plane->payload.bytes, SLUICE_BLOCK_FRAMING_BYTES + payload.bytes);
        assert_memory_equal(plane->payload.data + SLUICE_BLOCK_FRAMING_BYTES, payload.data,
                            payload.bytes);
    } else {
        assert_int_equal(frame->encode_status, status);
        if (status == SLUICE_OK)
            rig_assert_plane(plane, wanted, expected);
    }
    free(expected);
}

static void any_payload_is_either_refused_or_stored_as_what_it_is(void **state)
{
    static const enum sluice_encoding wanted[] = {[SLUICE_CODEC_BSLZ4] = SLUICE_ENCODING_BSLZ4,
                                                  [SLUICE_CODEC_LZ4] = SLUICE_ENCODING_LZ4,
                                                  [SLUICE_CODEC_NONE] = SLUICE_ENCODING_NONE};
    uint64_t refused = 0, good = 0;
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        const enum sluice_codec_filter filter = (enum sluice_codec_filter)(1 + below(3));
        struct rig rig;
        rig_open(&rig, filter, 1 + (uint32_t)below(3));
        struct sluice_span payloads[RIG_SLOTS];
        enum sluice_encoding sent[RIG_SLOTS];
        const uint32_t count = 1 + (uint32_t)below(RIG_SLOTS);
        for (uint32_t i = 0; i < count; i++) {
            const enum sluice_dtype dtype = (enum sluice_dtype)below(SLUICE_DTYPE_COUNT);
            const uint32_t width = 1 + (uint32_t)below(90), height = 1 + (uint32_t)below(60);
            const size_t element_bytes = sluice_dtype_bytes(dtype);
            const size_t bytes = (size_t)width * height * element_bytes;
            uint8_t *pixels =
                rig_pixels((enum rig_content)below(RIG_CONTENT_COUNT), bytes, element_bytes, seed);
            sent[i] = (enum sluice_encoding)below(4);
            payloads[i] = rig_encode(sent[i], pixels, bytes, element_bytes);
            payloads[i].bytes = mutate((uint8_t *)(uintptr_t)payloads[i].data, payloads[i].bytes);
            rig_plane(&rig, rig_image(&rig, i), payloads[i], width, height, dtype, sent[i]);
            sluice_handover_push_work(&rig.handover, i);
            free(pixels);
        }
        for (uint32_t i = 0; i < count; i++) {
            rig_work(&rig);
            struct sluice_frame *frame = rig_pop(&rig);
            assert_non_null(frame);
            assert_int_equal(frame->image.image_id, i);
            judge(frame, payloads[i], sent[i], wanted[filter]);
            refused += frame->encode_status != SLUICE_OK;
            good += frame->encode_status == SLUICE_OK;
            rig_release(frame);
            free((void *)(uintptr_t)payloads[i].data);
        }
        rig_close(&rig);
    }
    printf("%llu refused, %llu stored\n", (unsigned long long)refused, (unsigned long long)good);
    assert_true(refused > ROUNDS && good > ROUNDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_payload_is_either_refused_or_stored_as_what_it_is),
    };
    const char *given = getenv("SLUICE_SEED");
    seed = given != NULL ? strtoull(given, NULL, 0) : 20261122;
    if (seed == 0)
        seed = 1; /* xorshift stays at 0 */
    printf("SLUICE_SEED=%llu\n", (unsigned long long)seed);
    return cmocka_run_group_tests_name("encode: property", tests, NULL, NULL);
}
