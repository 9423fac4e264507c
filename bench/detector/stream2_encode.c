/* SPDX-License-Identifier: Apache-2.0
 *
 * A map announces its number of pairs before them. The fields of a start message depend on what is
 * known, so they are written to a buffer of their own and counted on the way (struct fields); the
 * head goes in front at the end. An image's ten keys are fixed but for user_data.
 *
 * Arrays are tag 40 [[rows, columns], typed array], the typed array's bytes either plain or tag
 * 56500 [algorithm, element size, bytes] with the payload in the framing of the HDF5 filter. */
#include "bench/detector/stream2_encode.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/codec/codec.h"

#define TAG_DATE       0
#define TAG_ARRAY      40
#define TAG_COMPRESSED 56500
#define TAG_U32_LE     70
#define TAG_F32_LE     85

/* Typed-array tags of little-endian elements (RFC 8746); 0: none. */
static const uint8_t typed_array_tags[SLUICE_DTYPE_COUNT] = {
    [SLUICE_U8] = 64,  [SLUICE_U16] = 69, [SLUICE_U32] = 70, [SLUICE_U64] = 71, [SLUICE_I8] = 72,
    [SLUICE_I16] = 77, [SLUICE_I32] = 78, [SLUICE_F32] = 85, [SLUICE_F64] = 86,
};

struct fields {
    struct sluice_cbor cbor;
    uint64_t count;
    enum sluice_encoding encoding;
    struct sluice_codec_scratch scratch;
    enum sluice_status status;
};

static struct sluice_cbor *key(struct fields *fields, const char *name)
{
    fields->count++;
    sluice_cbor_text(&fields->cbor, name);
    return &fields->cbor;
}

static void field_double(struct fields *fields, const char *name, double value)
{
    if (!isnan(value))
        sluice_cbor_double(key(fields, name), value);
}

static void field_text(struct fields *fields, const char *name, const char *value)
{
    if (*value)
        sluice_cbor_text(key(fields, name), value);
}

static void field_flag(struct fields *fields, const char *name, int value)
{
    if (value >= 0)
        sluice_cbor_bool(key(fields, name), value != 0);
}

static void put_payload(struct sluice_cbor *cbor, enum sluice_encoding encoding,
                        size_t element_bytes, struct sluice_span payload)
{
    if (encoding != SLUICE_ENCODING_NONE) {
        sluice_cbor_head(cbor, SLUICE_CBOR_TAG, TAG_COMPRESSED);
        sluice_cbor_head(cbor, SLUICE_CBOR_ARRAY, 3);
        sluice_cbor_text(cbor, sluice_encoding_name(encoding));
        sluice_cbor_int(cbor, encoding == SLUICE_ENCODING_BSLZ4 ? (int64_t)element_bytes : 0);
    }
    sluice_cbor_bytes(cbor, payload);
}

static void put_shape(struct sluice_cbor *cbor, uint32_t height, uint32_t width)
{
    sluice_cbor_head(cbor, SLUICE_CBOR_TAG, TAG_ARRAY);
    sluice_cbor_head(cbor, SLUICE_CBOR_ARRAY, 2);
    sluice_cbor_head(cbor, SLUICE_CBOR_ARRAY, 2);
    sluice_cbor_int(cbor, height);
    sluice_cbor_int(cbor, width);
}

/* A typed array of `count` four-byte elements, encoded as the options ask. */
static void put_array(struct fields *fields, uint64_t tag, const void *elements, size_t count)
{
    struct sluice_cbor *cbor = &fields->cbor;
    size_t bytes = count * 4;
    sluice_cbor_head(cbor, SLUICE_CBOR_TAG, tag);
    if (fields->encoding == SLUICE_ENCODING_NONE) {
        sluice_cbor_bytes(cbor, (struct sluice_span){elements, bytes});
        return;
    }
    size_t capacity = sluice_codec_bound(fields->encoding, 4, bytes), encoded = 0;
    uint8_t *out = malloc(capacity);
    if (!out)
        fields->status = SLUICE_NO_MEMORY;
    else if (fields->status == SLUICE_OK)
        fields->status = sluice_codec_encode(fields->encoding, elements, bytes, 4, out, capacity,
                                             &encoded, &fields->scratch);
    put_payload(cbor, fields->encoding, 4, (struct sluice_span){out, encoded});
    free(out);
}

static void put_masks(struct fields *fields, const struct sluice_series *series)
{
    uint64_t count = 0;
    for (uint32_t c = 0; c < series->channel_count; c++)
        count += series->channels[c].pixel_mask != NULL;
    if (count == 0)
        return;
    sluice_cbor_head(key(fields, "pixel_mask"), SLUICE_CBOR_MAP, count);
    for (uint32_t c = 0; c < series->channel_count; c++) {
        const struct sluice_channel *channel = &series->channels[c];
        if (!channel->pixel_mask)
            continue;
        sluice_cbor_text(&fields->cbor, channel->name);
        put_shape(&fields->cbor, series->height, series->width);
        put_array(fields, TAG_U32_LE, channel->pixel_mask, (size_t)series->width * series->height);
    }
}

static void put_flatfields(struct fields *fields, const struct sluice_series *series)
{
    uint64_t count = 0;
    for (uint32_t c = 0; c < series->channel_count; c++)
        count += series->channels[c].flatfield != NULL;
    if (count == 0)
        return;
    sluice_cbor_head(key(fields, "flatfield"), SLUICE_CBOR_MAP, count);
    for (uint32_t c = 0; c < series->channel_count; c++) {
        const struct sluice_channel *channel = &series->channels[c];
        if (!channel->flatfield)
            continue;
        sluice_cbor_text(&fields->cbor, channel->name);
        put_shape(&fields->cbor, series->height, series->width);
        put_array(fields, TAG_F32_LE, channel->flatfield, (size_t)series->width * series->height);
    }
}

static void put_arrays(struct fields *fields, const struct sluice_series *series)
{
    put_masks(fields, series);
    put_flatfields(fields, series);
    if (series->countrate_table) {
        key(fields, "countrate_correction_lookup_table");
        put_array(fields, TAG_U32_LE, series->countrate_table, series->countrate_table_count);
    }
}

static void put_thresholds(struct fields *fields, const struct sluice_series *series)
{
    uint64_t known = 0;
    for (uint32_t c = 0; c < series->channel_count; c++)
        known += !isnan(series->channels[c].threshold_energy);
    sluice_cbor_head(key(fields, "threshold_energy"), SLUICE_CBOR_MAP, known);
    for (uint32_t c = 0; c < series->channel_count; c++) {
        if (isnan(series->channels[c].threshold_energy))
            continue;
        sluice_cbor_text(&fields->cbor, series->channels[c].name);
        sluice_cbor_double(&fields->cbor, series->channels[c].threshold_energy);
    }
}

static void put_geometry(struct fields *fields, const struct sluice_series *series)
{
    field_double(fields, "beam_center_x", series->beam_center_x);
    field_double(fields, "beam_center_y", series->beam_center_y);
    field_double(fields, "pixel_size_x", series->pixel_size_x);
    field_double(fields, "pixel_size_y", series->pixel_size_y);
    const double *translation = series->detector_translation;
    if (!isnan(translation[0]) && !isnan(translation[1]) && !isnan(translation[2])) {
        sluice_cbor_head(key(fields, "detector_translation"), SLUICE_CBOR_ARRAY, 3);
        for (int i = 0; i < 3; i++)
            sluice_cbor_double(&fields->cbor, translation[i]);
    }
    sluice_cbor_head(key(fields, "goniometer"), SLUICE_CBOR_MAP, series->axis_count);
    for (uint32_t a = 0; a < series->axis_count; a++) {
        sluice_cbor_text(&fields->cbor, series->axes[a].name);
        sluice_cbor_head(&fields->cbor, SLUICE_CBOR_MAP, 2);
        sluice_cbor_text(&fields->cbor, "start");
        sluice_cbor_double(&fields->cbor, series->axes[a].start);
        sluice_cbor_text(&fields->cbor, "increment");
        sluice_cbor_double(&fields->cbor, series->axes[a].increment);
    }
}

static void put_series(struct fields *fields, const struct sluice_series *series)
{
    if (*series->arm_date) {
        sluice_cbor_head(key(fields, "arm_date"), SLUICE_CBOR_TAG, TAG_DATE);
        sluice_cbor_text(&fields->cbor, series->arm_date);
    }
    sluice_cbor_head(key(fields, "number_of_images"), SLUICE_CBOR_UINT, series->number_of_images);
    sluice_cbor_head(key(fields, "image_size_x"), SLUICE_CBOR_UINT, series->width);
    sluice_cbor_head(key(fields, "image_size_y"), SLUICE_CBOR_UINT, series->height);
    sluice_cbor_text(key(fields, "image_dtype"), sluice_dtype_name(series->dtype));
    sluice_cbor_head(key(fields, "channels"), SLUICE_CBOR_ARRAY, series->channel_count);
    for (uint32_t c = 0; c < series->channel_count; c++)
        sluice_cbor_text(&fields->cbor, series->channels[c].name);
    field_double(fields, "count_time", series->count_time);
    field_double(fields, "frame_time", series->frame_time);
    field_double(fields, "incident_energy", series->incident_energy);
    field_double(fields, "incident_wavelength", series->incident_wavelength);
    put_geometry(fields, series);
    field_text(fields, "detector_description", series->detector_description);
    field_text(fields, "detector_serial_number", series->detector_serial_number);
    field_text(fields, "sensor_material", series->sensor_material);
    field_double(fields, "sensor_thickness", series->sensor_thickness);
    if (series->has_saturation_value)
        sluice_cbor_int(key(fields, "saturation_value"), series->saturation_value);
    put_thresholds(fields, series);
    field_flag(fields, "pixel_mask_enabled", series->pixel_mask_applied);
    field_flag(fields, "flatfield_enabled", series->flatfield_applied);
    field_flag(fields, "countrate_correction_enabled", series->countrate_correction_applied);
    field_flag(fields, "virtual_pixel_interpolation_enabled",
               series->virtual_pixel_interpolation_applied);
}

/* The tag, the map's head, and the three pairs that every message begins with. */
static void put_beginning(struct sluice_cbor *cbor, uint64_t pairs, const char *type,
                          uint64_t series_id, const char *unique_id)
{
    sluice_cbor_head(cbor, SLUICE_CBOR_TAG, SLUICE_CBOR_SELF_DESCRIPTION);
    sluice_cbor_head(cbor, SLUICE_CBOR_MAP, pairs);
    sluice_cbor_text(cbor, "type");
    sluice_cbor_text(cbor, type);
    sluice_cbor_text(cbor, "series_id");
    sluice_cbor_head(cbor, SLUICE_CBOR_UINT, series_id);
    sluice_cbor_text(cbor, "series_unique_id");
    sluice_cbor_text(cbor, unique_id);
}

enum sluice_status sluice_stream2_encode_start(struct sluice_cbor *cbor,
                                               const struct sluice_series *series,
                                               const struct sluice_stream2_start_options *options)
{
    struct fields fields = {.encoding = options->encoding};
    put_series(&fields, series);
    if (options->with_arrays)
        put_arrays(&fields, series);
    if (options->user_data.bytes)
        sluice_cbor_raw(key(&fields, "user_data"), options->user_data);

    put_beginning(cbor, 3 + fields.count, "start", series->series_id, series->unique_id);
    sluice_cbor_raw(cbor, sluice_cbor_span(&fields.cbor));
    if (fields.cbor.failed || cbor->failed)
        fields.status = SLUICE_NO_MEMORY;
    sluice_cbor_close(&fields.cbor);
    sluice_codec_scratch_close(&fields.scratch);
    return fields.status;
}

static void put_time(struct sluice_cbor *cbor, const char *name, uint64_t ticks,
                     uint64_t ticks_per_second)
{
    sluice_cbor_text(cbor, name);
    sluice_cbor_head(cbor, SLUICE_CBOR_ARRAY, 2);
    sluice_cbor_uint_fixed(cbor, ticks);
    sluice_cbor_head(cbor, SLUICE_CBOR_UINT, ticks_per_second);
}

enum sluice_status sluice_stream2_encode_image(struct sluice_cbor *cbor,
                                               const struct sluice_stream2_image *image)
{
    put_beginning(cbor, image->user_data.bytes ? 10 : 9, "image", image->series_id,
                  image->unique_id);
    sluice_cbor_text(cbor, "image_id");
    sluice_cbor_uint_fixed(cbor, image->image_id);
    put_time(cbor, "real_time", image->real_ticks, image->ticks_per_second);
    sluice_cbor_text(cbor, "series_date");
    sluice_cbor_head(cbor, SLUICE_CBOR_TAG, TAG_DATE);
    sluice_cbor_text(cbor, image->series_date);
    put_time(cbor, "start_time", image->start_ticks, image->ticks_per_second);
    put_time(cbor, "stop_time", image->stop_ticks, image->ticks_per_second);
    if (image->user_data.bytes) {
        sluice_cbor_text(cbor, "user_data");
        sluice_cbor_raw(cbor, image->user_data);
    }
    sluice_cbor_text(cbor, "data");
    sluice_cbor_head(cbor, SLUICE_CBOR_MAP, image->plane_count);
    for (uint32_t p = 0; p < image->plane_count; p++) {
        const struct sluice_plane *plane = &image->planes[p];
        if (plane->dtype >= SLUICE_DTYPE_COUNT || !typed_array_tags[plane->dtype])
            return SLUICE_UNSUPPORTED;
        sluice_cbor_head(cbor, SLUICE_CBOR_TEXT, plane->channel.bytes);
        sluice_cbor_raw(cbor, plane->channel);
        put_shape(cbor, plane->height, plane->width);
        sluice_cbor_head(cbor, SLUICE_CBOR_TAG, typed_array_tags[plane->dtype]);
        put_payload(cbor, plane->encoding, sluice_dtype_bytes(plane->dtype), plane->payload);
    }
    return cbor->failed ? SLUICE_NO_MEMORY : SLUICE_OK;
}

enum sluice_status sluice_stream2_encode_end(struct sluice_cbor *cbor, uint64_t series_id,
                                             const char *unique_id)
{
    put_beginning(cbor, 3, "end", series_id, unique_id);
    return cbor->failed ? SLUICE_NO_MEMORY : SLUICE_OK;
}
