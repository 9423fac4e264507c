/* SPDX-License-Identifier: Apache-2.0
 *
 * Design: the keys and their order are those of the captured EIGER2 messages. */
#include "tests/unit/protocol/messages.h"

#include <stdlib.h>
#include <string.h>

#include "core/codec/codec.h"

static void build_self_described(struct builder *builder)
{
    build_head(builder, MAJOR_TAG, 55799);
}

static void build_head_keys(struct builder *builder, const char *type)
{
    build_text(builder, "type");
    build_text(builder, type);
    build_text(builder, "series_id");
    build_int(builder, 7);
    build_text(builder, "series_unique_id");
    build_text(builder, MESSAGE_UNIQUE_ID);
}

void message_image_begin(struct builder *builder, uint64_t image_id, unsigned more)
{
    build_self_described(builder);
    build_head(builder, MAJOR_MAP, MESSAGE_IMAGE_KEYS + more);
    build_head_keys(builder, "image");
    build_text(builder, "image_id");
    build_head(builder, MAJOR_UINT, image_id);
}

void message_start_begin(struct builder *builder, uint32_t width, uint32_t height,
                         const char *dtype, unsigned more)
{
    build_self_described(builder);
    build_head(builder, MAJOR_MAP, MESSAGE_START_KEYS + more);
    build_head_keys(builder, "start");
    build_text(builder, "image_size_x");
    build_int(builder, width);
    build_text(builder, "image_size_y");
    build_int(builder, height);
    build_text(builder, "image_dtype");
    build_text(builder, dtype);
}

void message_shape(struct builder *builder, uint64_t width, uint64_t height)
{
    build_head(builder, MAJOR_TAG, 40);
    build_head(builder, MAJOR_ARRAY, 2);
    build_head(builder, MAJOR_ARRAY, 2);
    build_head(builder, MAJOR_UINT, height);
    build_head(builder, MAJOR_UINT, width);
}

uint64_t message_typed_tag(enum sluice_dtype dtype)
{
    static const uint64_t tags[SLUICE_DTYPE_COUNT] = {
        [SLUICE_U8] = 64,  [SLUICE_U16] = 69, [SLUICE_U32] = 70, [SLUICE_U64] = 71,
        [SLUICE_I8] = 72,  [SLUICE_I16] = 77, [SLUICE_I32] = 78, [SLUICE_I64] = 79,
        [SLUICE_F32] = 85, [SLUICE_F64] = 86,
    };

    return tags[dtype];
}

void message_compressed(struct builder *builder, const char *algorithm, uint64_t element_bytes,
                        struct sluice_span payload)
{
    build_head(builder, MAJOR_TAG, 56500);
    build_head(builder, MAJOR_ARRAY, 3);
    build_text(builder, algorithm);
    build_head(builder, MAJOR_UINT, element_bytes);
    build_bytes(builder, payload.data, payload.bytes);
}

uint8_t *message_pixels(size_t bytes, uint32_t seed)
{
    uint8_t *pixels = malloc(bytes);

    if (pixels == NULL)
        abort();
    for (size_t i = 0; i < bytes; i++) {
        seed = seed * 1664525u + 1013904223u;
        pixels[i] = (uint8_t)(seed >> 30);
    }
    return pixels;
}

struct sluice_span message_encode(enum sluice_encoding encoding, const void *pixels, size_t bytes,
                                  size_t element_bytes)
{
    struct sluice_codec_scratch scratch = {0};
    size_t bound = sluice_codec_bound(encoding, element_bytes, bytes), size = 0;
    uint8_t *payload = malloc(bound);

    if (payload == NULL || sluice_codec_encode(encoding, pixels, bytes, element_bytes, payload,
                                               bound, &size, &scratch) != SLUICE_OK)
        abort();
    sluice_codec_scratch_close(&scratch);
    return (struct sluice_span){payload, size};
}

void message_array(struct builder *builder, uint32_t width, uint32_t height,
                   enum sluice_dtype dtype, enum sluice_encoding encoding, const void *pixels)
{
    size_t element_bytes = sluice_dtype_bytes(dtype);
    size_t bytes = (size_t)width * height * element_bytes;

    message_shape(builder, width, height);
    build_head(builder, MAJOR_TAG, message_typed_tag(dtype));
    if (encoding == SLUICE_ENCODING_NONE) {
        build_bytes(builder, pixels, bytes);
    } else {
        struct sluice_span payload = message_encode(encoding, pixels, bytes, element_bytes);
        bool is_bslz4 = encoding == SLUICE_ENCODING_BSLZ4;

        message_compressed(builder, is_bslz4 ? "bslz4" : "lz4", is_bslz4 ? element_bytes : 0,
                           payload);
        free((void *)(uintptr_t)payload.data);
    }
}

static void build_time(struct builder *builder, const char *key, int64_t numerator)
{
    build_text(builder, key);
    build_head(builder, MAJOR_ARRAY, 2);
    build_int(builder, numerator);
    build_int(builder, 50000000);
}

void message_whole_image(struct builder *builder, uint32_t width, uint32_t height)
{
    static const char *const channels[] = {"threshold_1", "threshold_2", "difference"};
    static const enum sluice_encoding encodings[] = {SLUICE_ENCODING_BSLZ4, SLUICE_ENCODING_LZ4,
                                                     SLUICE_ENCODING_NONE};

    message_image_begin(builder, 41, 6);
    build_time(builder, "real_time", 999995);
    build_text(builder, "series_date");
    build_head(builder, MAJOR_TAG, 0);
    build_text(builder, "2023-02-10T15:49:05.281+01:00");
    build_time(builder, "start_time", 1000000);
    build_time(builder, "stop_time", 1999995);
    build_text(builder, "user_data");
    build_head(builder, MAJOR_ARRAY, 2);
    build_int(builder, 1);
    build_text(builder, "\xf0\x9f\x92\x99");
    build_text(builder, "data");
    build_head(builder, MAJOR_MAP, 3);
    for (uint32_t c = 0; c < 3; c++) {
        uint8_t *pixels = message_pixels((size_t)width * height * 2, c);

        build_text(builder, channels[c]);
        message_array(builder, width, height, SLUICE_U16, encodings[c], pixels);
        free(pixels);
    }
}

static void build_channel_arrays(struct builder *builder, const char *key, uint32_t width,
                                 uint32_t height, enum sluice_dtype dtype)
{
    static const char *const channels[] = {"threshold_1", "threshold_2"};

    build_text(builder, key);
    build_head(builder, MAJOR_MAP, 2);
    for (uint32_t c = 0; c < 2; c++) {
        uint8_t *pixels = message_pixels((size_t)width * height * 4, c + 10);

        build_text(builder, channels[c]);
        message_array(builder, width, height, dtype,
                      c == 0 ? SLUICE_ENCODING_NONE : SLUICE_ENCODING_BSLZ4, pixels);
        free(pixels);
    }
}

static void build_key_double(struct builder *builder, const char *key, double value)
{
    build_text(builder, key);
    build_double(builder, value);
}

static void build_goniometer(struct builder *builder)
{
    build_text(builder, "goniometer");
    build_head(builder, MAJOR_MAP, 3);
    build_text(builder, "omega");
    build_head(builder, MAJOR_MAP, 2);
    build_key_double(builder, "start", 12.5);
    build_key_double(builder, "increment", 0.1);
    build_text(builder, "chi");
    build_head(builder, MAJOR_MAP, 1);
    build_key_double(builder, "start", -3);
    build_text(builder, "phi");
    build_null(builder);
}

void message_whole_start(struct builder *builder, uint32_t width, uint32_t height)
{
    static const uint32_t table[] = {0, 1, 3, 7, 70000};
    static const char *const doubles[] = {"beam_center_x", "beam_center_y",   "count_time",
                                          "frame_time",    "incident_energy", "incident_wavelength",
                                          "pixel_size_x",  "pixel_size_y",    "sensor_thickness"};
    static const char *const flags[] = {"countrate_correction_enabled", "flatfield_enabled",
                                        "pixel_mask_enabled",
                                        "virtual_pixel_interpolation_enabled"};
    static const char *const texts[][2] = {{"detector_description", "Dectris EIGER2 R 500K"},
                                           {"detector_serial_number", "E-01-0000"},
                                           {"sensor_material", "Si"}};

    message_start_begin(builder, width, height, "uint16", 27);
    build_text(builder, "arm_date");
    build_head(builder, MAJOR_TAG, 0);
    build_text(builder, "2023-02-10T15:49:05.170+01:00");
    build_text(builder, "channels");
    build_head(builder, MAJOR_ARRAY, 3);
    build_text(builder, "threshold_1");
    build_text(builder, "threshold_2");
    build_text(builder, "difference");
    for (size_t i = 0; i < sizeof(doubles) / sizeof(doubles[0]); i++)
        build_key_double(builder, doubles[i], 0.5 + (double)i);
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        build_text(builder, flags[i]);
        build_bool(builder, i % 2 == 0);
    }
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        build_text(builder, texts[i][0]);
        build_text(builder, texts[i][1]);
    }
    build_text(builder, "number_of_images");
    build_int(builder, 1000);
    build_text(builder, "saturation_value");
    build_int(builder, 65534);
    build_text(builder, "threshold_energy");
    build_head(builder, MAJOR_MAP, 2);
    build_key_double(builder, "threshold_1", 4020.5);
    build_text(builder, "threshold_2");
    build_int(builder, 6030);
    build_goniometer(builder);
    build_text(builder, "detector_translation");
    build_head(builder, MAJOR_ARRAY, 3);
    build_int(builder, 0);
    build_float(builder, -0.25f);
    build_double(builder, 0.1);
    build_channel_arrays(builder, "pixel_mask", width, height, SLUICE_U32);
    build_channel_arrays(builder, "flatfield", width, height, SLUICE_F32);
    build_text(builder, "countrate_correction_lookup_table");
    build_head(builder, MAJOR_TAG, 70);
    build_bytes(builder, table, sizeof(table));
    build_text(builder, "user_data");
    build_head(builder, MAJOR_MAP, 2);
    build_text(builder, "sample");
    build_text(builder, "lysozyme \xc3\xa9");
    build_text(builder, "source_name");
    build_text(builder, "Ring");
}
