/* SPDX-License-Identifier: Apache-2.0
 *
 * Prints what Sluice's Stream V2 decoder finds in message files, one JSON line a message, so that a
 * test in Python can hold it against an independent decoder. Pixels appear as the sum over all of
 * (2 i + 1) × value modulo 2^64, which numpy computes as well. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/codec/codec.h"
#include "core/json.h"
#include "ingest/protocol/stream2.h"

static uint64_t pixel_sum(const uint8_t *pixels, size_t count, size_t element_bytes)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++) {
        uint64_t value = 0;

        memcpy(&value, pixels + i * element_bytes, element_bytes);
        sum += (2 * i + 1) * value;
    }
    return sum;
}

static void key_text(struct sluice_json *json, const char *key, struct sluice_span text)
{
    sluice_json_key(json, key);
    sluice_json_text_span(json, (const char *)text.data, text.bytes);
}

static bool print_planes(struct sluice_json *json, const struct sluice_image *image)
{
    struct sluice_codec_scratch scratch = {0};
    bool good = true;

    sluice_json_key(json, "planes");
    sluice_json_array_begin(json);
    for (uint32_t p = 0; p < image->plane_count; p++) {
        const struct sluice_plane *plane = &image->planes[p];
        size_t element_bytes = sluice_dtype_bytes(plane->dtype);
        size_t count = (size_t)plane->width * plane->height;
        uint8_t *pixels = malloc(count * element_bytes);

        if (pixels == NULL ||
            sluice_codec_decode(plane->encoding, plane->payload, element_bytes, pixels,
                                count * element_bytes, &scratch) != SLUICE_OK) {
            fprintf(stderr, "plane %u does not decode\n", p);
            good = false;
        } else {
            sluice_json_object_begin(json);
            key_text(json, "channel", plane->channel);
            sluice_json_put_uint(json, "width", plane->width);
            sluice_json_put_uint(json, "height", plane->height);
            sluice_json_put_text(json, "dtype", sluice_dtype_name(plane->dtype));
            sluice_json_put_text(json, "encoding", sluice_encoding_name(plane->encoding));
            sluice_json_put_uint(json, "payload_bytes", plane->payload.bytes);
            sluice_json_put_uint(json, "pixel_sum", pixel_sum(pixels, count, element_bytes));
            sluice_json_object_end(json);
        }
        free(pixels);
    }
    sluice_json_array_end(json);
    sluice_codec_scratch_close(&scratch);
    return good;
}

static void print_channels(struct sluice_json *json, const struct sluice_series *series)
{
    size_t count = (size_t)series->width * series->height;

    sluice_json_key(json, "channels");
    sluice_json_array_begin(json);
    for (uint32_t c = 0; c < series->channel_count; c++) {
        const struct sluice_channel *channel = &series->channels[c];

        sluice_json_object_begin(json);
        sluice_json_put_text(json, "name", channel->name);
        sluice_json_put_double(json, "threshold_energy", channel->threshold_energy);
        if (channel->pixel_mask != NULL)
            sluice_json_put_uint(
                json, "pixel_mask",
                pixel_sum((const uint8_t *)channel->pixel_mask, count, sizeof(uint32_t)));
        if (channel->flatfield != NULL)
            sluice_json_put_uint(
                json, "flatfield",
                pixel_sum((const uint8_t *)channel->flatfield, count, sizeof(float)));
        sluice_json_object_end(json);
    }
    sluice_json_array_end(json);
    sluice_json_key(json, "axes");
    sluice_json_object_begin(json);
    for (uint32_t a = 0; a < series->axis_count; a++) {
        sluice_json_key(json, series->axes[a].name);
        sluice_json_array_begin(json);
        sluice_json_double(json, series->axes[a].start);
        sluice_json_double(json, series->axes[a].increment);
        sluice_json_array_end(json);
    }
    sluice_json_object_end(json);
}

static void print_series(struct sluice_json *json, const struct sluice_series *series)
{
    sluice_json_put_text(json, "arm_date", series->arm_date);
    sluice_json_put_uint(json, "width", series->width);
    sluice_json_put_uint(json, "height", series->height);
    sluice_json_put_text(json, "dtype", sluice_dtype_name(series->dtype));
    sluice_json_put_uint(json, "number_of_images", series->number_of_images);
    sluice_json_put_text(json, "detector_description", series->detector_description);
    sluice_json_put_text(json, "detector_serial_number", series->detector_serial_number);
    sluice_json_put_text(json, "sensor_material", series->sensor_material);
    sluice_json_put_double(json, "sensor_thickness", series->sensor_thickness);
    sluice_json_put_double(json, "beam_center_x", series->beam_center_x);
    sluice_json_put_double(json, "beam_center_y", series->beam_center_y);
    sluice_json_put_double(json, "pixel_size_x", series->pixel_size_x);
    sluice_json_put_double(json, "pixel_size_y", series->pixel_size_y);
    sluice_json_key(json, "detector_translation");
    sluice_json_array_begin(json);
    for (int i = 0; i < 3; i++)
        sluice_json_double(json, series->detector_translation[i]);
    sluice_json_array_end(json);
    sluice_json_put_double(json, "incident_energy", series->incident_energy);
    sluice_json_put_double(json, "incident_wavelength", series->incident_wavelength);
    sluice_json_put_double(json, "count_time", series->count_time);
    sluice_json_put_double(json, "frame_time", series->frame_time);
    sluice_json_key(json, "saturation_value");
    if (series->has_saturation_value)
        sluice_json_int(json, series->saturation_value);
    else
        sluice_json_null(json);
    sluice_json_key(json, "applied");
    sluice_json_array_begin(json);
    sluice_json_int(json, series->flatfield_applied);
    sluice_json_int(json, series->pixel_mask_applied);
    sluice_json_int(json, series->countrate_correction_applied);
    sluice_json_int(json, series->virtual_pixel_interpolation_applied);
    sluice_json_array_end(json);
    sluice_json_put_uint(json, "countrate_table_count", series->countrate_table_count);
    sluice_json_put_uint(
        json, "countrate_table",
        pixel_sum((const uint8_t *)series->countrate_table, series->countrate_table_count, 4));
    print_channels(json, series);
    sluice_json_put_text(json, "start_message", series->start_message);
}

/* One line; false with words on stderr when the message or a plane does not decode. */
static bool print_message(struct sluice_span message, struct sluice_json *json)
{
    static const char *const kinds[] = {"unknown", "start", "image", "end"};
    static char user_data[4096];
    const struct sluice_text_buffer buffer = {user_data, sizeof(user_data)};
    struct sluice_message_head head;
    struct sluice_image image;
    struct sluice_error error = {0};
    struct sluice_series *series = NULL;
    bool good = true;

    if (sluice_stream2_decode(message, &head, &image, &buffer, &error) != SLUICE_OK ||
        (head.kind == SLUICE_MESSAGE_START &&
         sluice_stream2_start(message, &series, &error) != SLUICE_OK)) {
        fprintf(stderr, "%s\n", error.message);
        return false;
    }
    sluice_json_object_begin(json);
    sluice_json_put_text(json, "type", kinds[head.kind]);
    sluice_json_key(json, "probe");
    sluice_json_bool(json, sluice_stream2_probe(message));
    sluice_json_put_uint(json, "series_id", head.series_id);
    key_text(json, "series_unique_id", head.unique_id);
    if (head.kind == SLUICE_MESSAGE_IMAGE) {
        sluice_json_put_uint(json, "image_id", image.image_id);
        key_text(json, "series_date", head.series_date);
        sluice_json_put_double(json, "start_time", image.start_time);
        sluice_json_put_double(json, "stop_time", image.stop_time);
        sluice_json_put_double(json, "real_time", image.real_time);
        key_text(json, "user_data", image.user_data);
        good = print_planes(json, &image);
    }
    if (series != NULL)
        print_series(json, series);
    sluice_json_object_end(json);
    sluice_series_destroy(series);
    return good;
}

int main(int argc, char **argv)
{
    struct sluice_json json = {0};
    bool good = true;

    for (int a = 1; a < argc; a++) {
        FILE *file = fopen(argv[a], "rb");
        uint8_t *bytes = NULL;
        long size = -1;

        if (file != NULL && fseek(file, 0, SEEK_END) == 0)
            size = ftell(file);
        if (size > 0)
            bytes = malloc((size_t)size);
        if (bytes == NULL || fseek(file, 0, SEEK_SET) != 0 ||
            fread(bytes, 1, (size_t)size, file) != (size_t)size) {
            fprintf(stderr, "%s: cannot be read\n", argv[a]);
            return 1;
        }
        sluice_json_reset(&json);
        if (print_message((struct sluice_span){bytes, (size_t)size}, &json)) {
            puts(json.text);
        } else {
            fprintf(stderr, "%s: refused\n", argv[a]);
            good = false;
        }
        free(bytes);
        fclose(file);
    }
    sluice_json_close(&json);
    return good ? 0 : 1;
}
