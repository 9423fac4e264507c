/* SPDX-License-Identifier: Apache-2.0
 *
 * Each part is written by core's JSON writer and copied into the message. Shapes are [x, y] in this
 * protocol, the fast axis first. */
#include "bench/detector/stream1_encode.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/detector/md5.h"
#include "core/json.h"

/* Takes the text over as a part more. */
static void add_json(struct sluice_multipart *message, struct sluice_json *json)
{
    struct sluice_span text = {(const uint8_t *)json->text, json->failed ? 0 : json->bytes};
    struct sluice_cbor *part = sluice_multipart_add(message, text);
    part->failed |= json->failed;
    sluice_json_close(json);
}

static void add_text(struct sluice_multipart *message, const char *text)
{
    if (text)
        sluice_multipart_add(message, (struct sluice_span){(const uint8_t *)text, strlen(text)});
}

static void begin(struct sluice_json *json, const char *htype)
{
    sluice_json_object_begin(json);
    sluice_json_put_text(json, "htype", htype);
}

static void put_double(struct sluice_json *json, const char *key, double value)
{
    if (!isnan(value))
        sluice_json_put_double(json, key, value);
}

static void put_flag(struct sluice_json *json, const char *key, int value)
{
    if (value < 0)
        return;
    sluice_json_key(json, key);
    sluice_json_bool(json, value != 0);
}

static void put_shape(struct sluice_json *json, uint64_t x, uint64_t y)
{
    sluice_json_key(json, "shape");
    sluice_json_array_begin(json);
    sluice_json_uint(json, x);
    sluice_json_uint(json, y);
    sluice_json_array_end(json);
}

static void put_goniometer(struct sluice_json *json, const struct sluice_series *series)
{
    char key[SLUICE_NAME_BYTES + 16];
    for (uint32_t a = 0; a < series->axis_count; a++) {
        snprintf(key, sizeof key, "%s_start", series->axes[a].name);
        put_double(json, key, series->axes[a].start);
        snprintf(key, sizeof key, "%s_increment", series->axes[a].name);
        put_double(json, key, series->axes[a].increment);
    }
}

static void put_beam_and_detector(struct sluice_json *json, const struct sluice_series *series)
{
    uint64_t bits = 8 * sluice_dtype_bytes(series->dtype);
    sluice_json_put_text(json, "description", series->detector_description);
    sluice_json_put_text(json, "detector_number", series->detector_serial_number);
    sluice_json_put_text(json, "sensor_material", series->sensor_material);
    put_double(json, "sensor_thickness", series->sensor_thickness);
    put_double(json, "x_pixel_size", series->pixel_size_x);
    put_double(json, "y_pixel_size", series->pixel_size_y);
    sluice_json_put_uint(json, "x_pixels_in_detector", series->width);
    sluice_json_put_uint(json, "y_pixels_in_detector", series->height);
    sluice_json_put_uint(json, "bit_depth_image", bits);
    sluice_json_put_uint(json, "bit_depth_readout",
                         series->bit_depth_readout ? series->bit_depth_readout : bits);
    put_double(json, "beam_center_x", series->beam_center_x);
    put_double(json, "beam_center_y", series->beam_center_y);
    put_double(json, "detector_distance", fabs(series->detector_translation[2]));
    put_double(json, "wavelength", series->incident_wavelength);
    put_double(json, "photon_energy", series->incident_energy);
    put_double(json, "threshold_energy", series->channels[0].threshold_energy);
}

static void add_configuration(struct sluice_multipart *message, const struct sluice_series *series)
{
    struct sluice_json json = {0};
    sluice_json_object_begin(&json);
    sluice_json_put_uint(&json, "nimages", series->number_of_images);
    sluice_json_put_uint(&json, "ntrigger", 1);
    sluice_json_put_text(&json, "trigger_mode", "ints");
    if (*series->arm_date)
        sluice_json_put_text(&json, "data_collection_date", series->arm_date);
    put_double(&json, "count_time", series->count_time);
    put_double(&json, "frame_time", series->frame_time);
    put_double(&json, "detector_readout_time", series->detector_readout_time);
    put_beam_and_detector(&json, series);
    if (series->has_saturation_value)
        sluice_json_put_uint(&json, "countrate_correction_count_cutoff",
                             (uint64_t)series->saturation_value);
    put_flag(&json, "flatfield_correction_applied", series->flatfield_applied);
    put_flag(&json, "pixel_mask_applied", series->pixel_mask_applied);
    put_flag(&json, "countrate_correction_applied", series->countrate_correction_applied);
    put_flag(&json, "virtual_pixel_correction_applied",
             series->virtual_pixel_interpolation_applied);
    put_goniometer(&json, series);
    sluice_json_object_end(&json);
    add_json(message, &json);
}

static void add_array(struct sluice_multipart *message, const char *htype, enum sluice_dtype dtype,
                      uint64_t x, uint64_t y, const void *elements)
{
    struct sluice_json json = {0};
    begin(&json, htype);
    put_shape(&json, x, y);
    sluice_json_put_text(&json, "type", sluice_dtype_name(dtype));
    sluice_json_object_end(&json);
    add_json(message, &json);
    sluice_multipart_add(message, (struct sluice_span){elements, x * y * 4});
}

/* Pairs of observed and true counts. */
static enum sluice_status add_table(struct sluice_multipart *message,
                                    const struct sluice_series *series)
{
    size_t rows = series->countrate_table_count;
    float *table = malloc((2 * rows + 1) * sizeof *table);
    if (!table)
        return SLUICE_NO_MEMORY;
    for (size_t i = 0; i < rows; i++) {
        table[2 * i] = (float)i;
        table[2 * i + 1] = (float)series->countrate_table[i];
    }
    add_array(message, "dcountrate_table-1.0", SLUICE_F32, 2, rows, table);
    free(table);
    return SLUICE_OK;
}

static enum sluice_status add_arrays(struct sluice_multipart *message,
                                     const struct sluice_series *series)
{
    const struct sluice_channel *channel = &series->channels[0];
    add_array(message, "dflatfield-1.0", SLUICE_F32, series->width, series->height,
              channel->flatfield);
    add_array(message, "dpixelmask-1.0", SLUICE_U32, series->width, series->height,
              channel->pixel_mask);
    return add_table(message, series);
}

enum sluice_status sluice_stream1_encode_start(struct sluice_multipart *message,
                                               const struct sluice_series *series,
                                               enum sluice_header_detail detail,
                                               const char *appendix)
{
    static const char *const details[] = {[SLUICE_HEADER_BASIC] = "basic",
                                          [SLUICE_HEADER_ALL] = "all",
                                          [SLUICE_HEADER_NONE] = "none"};
    enum sluice_status status = SLUICE_OK;
    struct sluice_json json = {0};
    begin(&json, "dheader-1.0");
    sluice_json_put_uint(&json, "series", series->series_id);
    sluice_json_put_text(&json, "header_detail", details[detail]);
    sluice_json_object_end(&json);
    add_json(message, &json);
    if (detail != SLUICE_HEADER_NONE)
        add_configuration(message, series);
    if (detail == SLUICE_HEADER_ALL)
        status = add_arrays(message, series);
    add_text(message, appendix);
    return sluice_multipart_failed(message) ? SLUICE_NO_MEMORY : status;
}

/* "<", "lz4<" or "bs16-lz4<". */
static void encoding_name(const struct sluice_stream1_image *image, char name[16])
{
    int bits = (int)(8 * sluice_dtype_bytes(image->dtype));
    if (image->encoding == SLUICE_ENCODING_BSLZ4)
        snprintf(name, 16, "bs%d-lz4<", bits);
    else
        strcpy(name, image->encoding == SLUICE_ENCODING_LZ4 ? "lz4<" : "<");
}

enum sluice_status sluice_stream1_encode_image(struct sluice_multipart *message,
                                               const struct sluice_stream1_image *image)
{
    char encoding[16], hash[SLUICE_MD5_TEXT_BYTES];
    struct sluice_json head = {0}, description = {0}, times = {0};
    if (image->dtype > SLUICE_U32)
        return SLUICE_UNSUPPORTED;
    encoding_name(image, encoding);
    begin(&description, "dimage_d-1.0");
    put_shape(&description, image->width, image->height);
    sluice_json_put_text(&description, "type", sluice_dtype_name(image->dtype));
    sluice_json_put_text(&description, "encoding", encoding);
    sluice_json_put_uint(&description, "size", image->payload.bytes);
    sluice_json_object_end(&description);
    /* of the two parts that follow it */
    const struct sluice_span hashed[] = {
        {(const uint8_t *)description.text, description.failed ? 0 : description.bytes},
        image->payload};
    sluice_md5(hashed, 2, hash);
    begin(&head, "dimage-1.0");
    sluice_json_put_uint(&head, "series", image->series_id);
    sluice_json_put_uint(&head, "frame", image->frame);
    sluice_json_put_text(&head, "hash", hash);
    sluice_json_object_end(&head);
    begin(&times, "dconfig-1.0");
    sluice_json_put_uint(&times, "start_time", image->start_ns);
    sluice_json_put_uint(&times, "stop_time", image->stop_ns);
    sluice_json_put_uint(&times, "real_time", image->real_ns);
    sluice_json_object_end(&times);
    add_json(message, &head);
    add_json(message, &description);
    sluice_multipart_add(message, image->payload);
    add_json(message, &times);
    add_text(message, image->appendix);
    return sluice_multipart_failed(message) ? SLUICE_NO_MEMORY : SLUICE_OK;
}

enum sluice_status sluice_stream1_encode_end(struct sluice_multipart *message, uint64_t series_id)
{
    struct sluice_json json = {0};
    begin(&json, "dseries_end-1.0");
    sluice_json_put_uint(&json, "series", series_id);
    sluice_json_object_end(&json);
    add_json(message, &json);
    return sluice_multipart_failed(message) ? SLUICE_NO_MEMORY : SLUICE_OK;
}
