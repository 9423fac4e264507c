/* SPDX-License-Identifier: Apache-2.0
 *
 * Design: FIELDS is the one list of the keys that have a place in struct sluice_series; those that
 * are plain values say how they are read and where they go, the others have a reader of their own.
 * The order of reading is ours (size and channels before the arrays that depend on them), not the
 * message's. Everything but the large arrays also becomes text in start_message, key by key, so
 * that nothing a detector says is lost for want of a place.
 *
 * Invariant: on an error the series is destroyed and *series is NULL. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "ingest/protocol/cbor_value.h"
#include "ingest/protocol/stream2.h"
#include "ingest/protocol/stream2_arrays.h"
#include "ingest/protocol/stream2_message.h"

#define ROOM "protocol"

/* X(NAME, key, how, member): `how` is one of the kinds below; OWN has a reader of its own. */
#define FIELDS(X)                                                                                  \
    X(TYPE, "type", OWN, series_id)                                                                \
    X(SERIES_ID, "series_id", ID, series_id)                                                       \
    X(UNIQUE_ID, "series_unique_id", NAME, unique_id)                                              \
    X(ARM_DATE, "arm_date", NAME, arm_date)                                                        \
    X(NUMBER_OF_IMAGES, "number_of_images", UINT, number_of_images)                                \
    X(IMAGE_SIZE_X, "image_size_x", SIZE, width)                                                   \
    X(IMAGE_SIZE_Y, "image_size_y", SIZE, height)                                                  \
    X(IMAGE_DTYPE, "image_dtype", OWN, dtype)                                                      \
    X(CHANNELS, "channels", OWN, channels)                                                         \
    X(COUNT_TIME, "count_time", NUMBER, count_time)                                                \
    X(FRAME_TIME, "frame_time", NUMBER, frame_time)                                                \
    X(ENERGY, "incident_energy", NUMBER, incident_energy)                                          \
    X(WAVELENGTH, "incident_wavelength", NUMBER, incident_wavelength)                              \
    X(BEAM_X, "beam_center_x", NUMBER, beam_center_x)                                              \
    X(BEAM_Y, "beam_center_y", NUMBER, beam_center_y)                                              \
    X(PIXEL_X, "pixel_size_x", NUMBER, pixel_size_x)                                               \
    X(PIXEL_Y, "pixel_size_y", NUMBER, pixel_size_y)                                               \
    X(TRANSLATION, "detector_translation", OWN, detector_translation)                              \
    X(DESCRIPTION, "detector_description", TEXT, detector_description)                             \
    X(SERIAL_NUMBER, "detector_serial_number", TEXT, detector_serial_number)                       \
    X(MATERIAL, "sensor_material", TEXT, sensor_material)                                          \
    X(THICKNESS, "sensor_thickness", NUMBER, sensor_thickness)                                     \
    X(SATURATION, "saturation_value", OWN, saturation_value)                                       \
    X(THRESHOLDS, "threshold_energy", OWN, channels)                                               \
    X(GONIOMETER, "goniometer", OWN, axes)                                                         \
    X(MASK, "pixel_mask", OWN, channels)                                                           \
    X(MASK_FLAG, "pixel_mask_enabled", FLAG, pixel_mask_applied)                                   \
    X(FLATFIELD, "flatfield", OWN, channels)                                                       \
    X(FLATFIELD_FLAG, "flatfield_enabled", FLAG, flatfield_applied)                                \
    X(COUNTRATE_FLAG, "countrate_correction_enabled", FLAG, countrate_correction_applied)          \
    X(TABLE, "countrate_correction_lookup_table", OWN, countrate_table)                            \
    X(USER_DATA, "user_data", OWN, sample_name)                                                    \
    X(INTERPOLATION_FLAG, "virtual_pixel_interpolation_enabled", FLAG,                             \
      virtual_pixel_interpolation_applied)

enum how {
    HOW_OWN,
    HOW_ID,     /* uint64_t, required */
    HOW_UINT,   /* uint64_t */
    HOW_SIZE,   /* uint32_t, required, 1 to 2^31 - 1 */
    HOW_NUMBER, /* double */
    HOW_FLAG,   /* int */
    HOW_NAME,   /* char[]; too long a text is an error */
    HOW_TEXT,   /* char[]; too long a text is cut */
};

enum {
#define X(name, key, how, member) FIELD_##name,
    FIELDS(X)
#undef X
        FIELD_COUNT,
};

static const struct sluice_cbor_key keys[FIELD_COUNT] = {
#define X(name, key, how, member) SLUICE_CBOR_KEY(key),
    FIELDS(X)
#undef X
};

static const struct {
    enum how how;
    size_t offset, bytes;
} fields[FIELD_COUNT] = {
#define X(name, key, how, member)                                                                  \
    {HOW_##how, offsetof(struct sluice_series, member),                                            \
     sizeof(((struct sluice_series *)NULL)->member)},
    FIELDS(X)
#undef X
};

struct starting {
    struct sluice_span message;
    size_t offsets[FIELD_COUNT];
    struct sluice_series *series;
    struct sluice_error *error;
};

static enum sluice_status bad_key(const struct starting *starting, int field,
                                  enum sluice_status status, const char *why)
{
    return sluice_error_set(starting->error, status, "stream2: start message: '%s': %s",
                            keys[field].name, why);
}

static bool find(const struct starting *starting, int field, struct sluice_cbor_cursor *cursor)
{
    if (starting->offsets[field] == SLUICE_CBOR_ABSENT)
        return false;
    *cursor = sluice_cbor_at(starting->message, starting->offsets[field]);
    return true;
}

/* Copies at most `bytes` - 1, never half a UTF-8 character. */
static void copy_text(char *target, size_t bytes, struct sluice_span text, const char *key)
{
    size_t length = text.bytes;

    if (length > bytes - 1) {
        length = bytes - 1;
        while (length > 0 && (text.data[length] & 0xC0) == 0x80)
            length--;
        sluice_log_warning(ROOM, "start message: text cut key=%s bytes=%zu kept=%zu", key,
                           text.bytes, length);
    }
    memcpy(target, text.data, length);
    target[length] = '\0';
}

static enum sluice_status read_size(struct sluice_cbor_cursor *cursor, uint32_t *size, bool *known)
{
    uint64_t value = 0;
    enum sluice_status status = sluice_cbor_read_uint(cursor, &value, known);

    if (status != SLUICE_OK || !*known)
        return status;
    if (value == 0 || value > INT32_MAX)
        return sluice_cbor_fail(cursor, SLUICE_LIMIT, "it must be 1 to 2^31 - 1");
    *size = (uint32_t)value;
    return SLUICE_OK;
}

/* A field that is a plain value. */
static enum sluice_status read_field(const struct starting *starting, int field)
{
    char *member = (char *)starting->series + fields[field].offset;
    enum how how = fields[field].how;
    struct sluice_cbor_cursor cursor;
    struct sluice_span text = {0};
    enum sluice_status status = SLUICE_OK;
    bool known = false;

    if (find(starting, field, &cursor)) {
        switch (how) {
        case HOW_ID:
        case HOW_UINT:
            status = sluice_cbor_read_uint(&cursor, (uint64_t *)(void *)member, &known);
            break;
        case HOW_SIZE:
            status = read_size(&cursor, (uint32_t *)(void *)member, &known);
            break;
        case HOW_NUMBER:
            status = sluice_cbor_read_double(&cursor, (double *)(void *)member);
            break;
        case HOW_FLAG:
            status = sluice_cbor_read_flag(&cursor, (int *)(void *)member);
            break;
        case HOW_NAME:
        case HOW_TEXT:
            status = sluice_cbor_read_text(
                &cursor, how == HOW_NAME ? fields[field].bytes - 1 : SIZE_MAX, &text, &known);
            if (status == SLUICE_OK && known)
                copy_text(member, fields[field].bytes, text, keys[field].name);
            break;
        case HOW_OWN:
            break;
        }
    }
    if (status != SLUICE_OK)
        return bad_key(starting, field, status, cursor.why);
    if ((how == HOW_ID || how == HOW_SIZE) && !known)
        return bad_key(starting, field, SLUICE_MALFORMED, "the message has none");
    return SLUICE_OK;
}

static enum sluice_status read_dtype(const struct starting *starting)
{
    struct sluice_cbor_cursor cursor;
    struct sluice_span text = {0};
    bool known = false;
    enum sluice_status status;

    if (!find(starting, FIELD_IMAGE_DTYPE, &cursor))
        return bad_key(starting, FIELD_IMAGE_DTYPE, SLUICE_MALFORMED, "the message has none");
    status = sluice_cbor_read_text(&cursor, SLUICE_NAME_BYTES - 1, &text, &known);
    if (status != SLUICE_OK)
        return bad_key(starting, FIELD_IMAGE_DTYPE, status, cursor.why);
    if (!known || !sluice_dtype_from_name(text, &starting->series->dtype))
        return bad_key(starting, FIELD_IMAGE_DTYPE, SLUICE_UNSUPPORTED,
                       "it names no element type that can be stored (uint8, uint16, uint32, …)");
    return SLUICE_OK;
}

static enum sluice_status read_channels(const struct starting *starting)
{
    struct sluice_series *series = starting->series;
    struct sluice_cbor_cursor cursor;
    struct sluice_cbor_token token;
    struct sluice_cbor_items items;
    enum sluice_status status;
    bool more;

    if (!find(starting, FIELD_CHANNELS, &cursor))
        return SLUICE_OK;
    status = sluice_cbor_next_untagged(&cursor, &token);
    if (status == SLUICE_OK && token.kind == SLUICE_CBOR_NULL)
        return SLUICE_OK;
    if (status == SLUICE_OK && token.kind != SLUICE_CBOR_ARRAY)
        status = sluice_cbor_fail(&cursor, SLUICE_MALFORMED, "it must be a list of names");
    items = sluice_cbor_items(&token);
    while (status == SLUICE_OK) {
        struct sluice_span name = {0};

        status = sluice_cbor_more(&cursor, &items, &more);
        if (status != SLUICE_OK || !more)
            break;
        status = sluice_cbor_read_name(&cursor, &name);
        if (status != SLUICE_OK)
            break;
        if (series->channel_count == SLUICE_PLANES_MAX)
            return bad_key(starting, FIELD_CHANNELS, SLUICE_LIMIT, "it has more than 32 channels");
        if (sluice_stream2_channel(series, name) != NULL)
            return bad_key(starting, FIELD_CHANNELS, SLUICE_MALFORMED,
                           "a channel stands twice in it");
        copy_text(series->channels[series->channel_count].name, SLUICE_NAME_BYTES, name,
                  "channels");
        series->channel_count++;
    }
    return status == SLUICE_OK ? SLUICE_OK : bad_key(starting, FIELD_CHANNELS, status, cursor.why);
}

static enum sluice_status read_thresholds(const struct starting *starting)
{
    struct sluice_cbor_cursor cursor;
    struct sluice_cbor_items items;
    enum sluice_status status;
    bool more = false;

    if (!find(starting, FIELD_THRESHOLDS, &cursor))
        return SLUICE_OK;
    status = sluice_cbor_read_map(&cursor, &items, &more);
    while (status == SLUICE_OK && more) {
        struct sluice_span name = {0};
        struct sluice_channel *channel;
        double energy;

        status = sluice_cbor_more(&cursor, &items, &more);
        if (status == SLUICE_OK && more)
            status = sluice_cbor_read_name(&cursor, &name);
        if (status != SLUICE_OK || !more)
            break;
        status = sluice_cbor_read_double(&cursor, &energy);
        channel = sluice_stream2_channel(starting->series, name);
        if (status == SLUICE_OK && channel != NULL)
            channel->threshold_energy = energy;
    }
    return status == SLUICE_OK ? SLUICE_OK
                               : bad_key(starting, FIELD_THRESHOLDS, status, cursor.why);
}

static bool has_axis(const struct sluice_series *series, struct sluice_span name)
{
    for (uint32_t a = 0; a < series->axis_count; a++) {
        if (strlen(series->axes[a].name) == name.bytes &&
            memcmp(series->axes[a].name, name.data, name.bytes) == 0)
            return true;
    }
    return false;
}

/* {start, increment} of one axis, other keys passed over; null leaves both unknown. */
static enum sluice_status read_axis(struct sluice_cbor_cursor *cursor, struct sluice_axis *axis)
{
    static const struct sluice_cbor_key axis_keys[] = {SLUICE_CBOR_KEY("start"),
                                                       SLUICE_CBOR_KEY("increment")};
    double *values[] = {&axis->start, &axis->increment};
    struct sluice_span message = {cursor->data, cursor->bytes};
    struct sluice_cbor_cursor after = *cursor;
    struct sluice_cbor_token token;
    size_t offsets[2];
    enum sluice_status status = sluice_cbor_next(&after, &token);

    if (status == SLUICE_OK && token.kind == SLUICE_CBOR_NULL) {
        *cursor = after;
        return SLUICE_OK;
    }
    status = sluice_cbor_index(cursor, axis_keys, 2, offsets);
    for (int i = 0; status == SLUICE_OK && i < 2; i++) {
        struct sluice_cbor_cursor value;

        if (offsets[i] == SLUICE_CBOR_ABSENT)
            continue;
        value = sluice_cbor_at(message, offsets[i]);
        status = sluice_cbor_read_double(&value, values[i]);
        if (status != SLUICE_OK)
            cursor->why = value.why;
    }
    return status;
}

static enum sluice_status read_goniometer(const struct starting *starting)
{
    struct sluice_series *series = starting->series;
    struct sluice_cbor_cursor cursor;
    struct sluice_cbor_items items;
    enum sluice_status status;
    bool more = false;

    if (!find(starting, FIELD_GONIOMETER, &cursor))
        return SLUICE_OK;
    status = sluice_cbor_read_map(&cursor, &items, &more);
    while (status == SLUICE_OK && more) {
        struct sluice_span name = {0};
        struct sluice_axis *axis;

        status = sluice_cbor_more(&cursor, &items, &more);
        if (status == SLUICE_OK && more)
            status = sluice_cbor_read_name(&cursor, &name);
        if (status != SLUICE_OK || !more)
            break;
        if (series->axis_count == SLUICE_AXES_MAX)
            return bad_key(starting, FIELD_GONIOMETER, SLUICE_LIMIT, "it has more than 16 axes");
        if (has_axis(series, name))
            return bad_key(starting, FIELD_GONIOMETER, SLUICE_MALFORMED,
                           "an axis stands twice in it");
        axis = &series->axes[series->axis_count++];
        copy_text(axis->name, sizeof(axis->name), name, "goniometer");
        status = read_axis(&cursor, axis);
    }
    return status == SLUICE_OK ? SLUICE_OK
                               : bad_key(starting, FIELD_GONIOMETER, status, cursor.why);
}

static enum sluice_status read_translation(const struct starting *starting)
{
    static const char why[] = "it must be three numbers";
    struct sluice_cbor_cursor cursor;
    struct sluice_cbor_token token;
    struct sluice_cbor_items items;
    double values[3];
    enum sluice_status status;
    bool more = true;

    if (!find(starting, FIELD_TRANSLATION, &cursor))
        return SLUICE_OK;
    status = sluice_cbor_next_untagged(&cursor, &token);
    if (status == SLUICE_OK && token.kind == SLUICE_CBOR_NULL)
        return SLUICE_OK;
    if (status == SLUICE_OK && token.kind != SLUICE_CBOR_ARRAY)
        status = sluice_cbor_fail(&cursor, SLUICE_MALFORMED, why);
    items = sluice_cbor_items(&token);
    for (int i = 0; status == SLUICE_OK && i <= 3; i++) {
        status = sluice_cbor_more(&cursor, &items, &more);
        if (status == SLUICE_OK && more != (i < 3))
            status = sluice_cbor_fail(&cursor, SLUICE_MALFORMED, why);
        if (status == SLUICE_OK && i < 3)
            status = sluice_cbor_read_double(&cursor, &values[i]);
    }
    if (status != SLUICE_OK)
        return bad_key(starting, FIELD_TRANSLATION, status, cursor.why);
    memcpy(starting->series->detector_translation, values, sizeof(values));
    return SLUICE_OK;
}

static enum sluice_status read_saturation(const struct starting *starting)
{
    struct sluice_cbor_cursor cursor;
    enum sluice_status status;

    if (!find(starting, FIELD_SATURATION, &cursor))
        return SLUICE_OK;
    status = sluice_cbor_read_int(&cursor, &starting->series->saturation_value,
                                  &starting->series->has_saturation_value);
    if (status == SLUICE_OK)
        return SLUICE_OK;
    starting->series->has_saturation_value = false;
    return bad_key(starting, FIELD_SATURATION, status, cursor.why);
}

/* What a beamline names its sample and its source in the user data it arms the detector with: the
 * first text under one of the two keys. User data are anybody's, so nothing in them is an error. */
static void read_name(const struct starting *starting, const struct sluice_cbor_key names[2],
                      char name[SLUICE_TEXT_BYTES])
{
    struct sluice_cbor_cursor cursor;
    size_t offsets[2];

    if (!find(starting, FIELD_USER_DATA, &cursor) ||
        sluice_cbor_index(&cursor, names, 2, offsets) != SLUICE_OK)
        return;
    for (int i = 0; i < 2; i++) {
        struct sluice_cbor_cursor value;
        struct sluice_span text = {0};
        bool known = false;

        if (offsets[i] == SLUICE_CBOR_ABSENT)
            continue;
        value = sluice_cbor_at(starting->message, offsets[i]);
        if (sluice_cbor_read_text(&value, SIZE_MAX, &text, &known) == SLUICE_OK && known) {
            copy_text(name, SLUICE_TEXT_BYTES, text, names[i].name);
            return;
        }
    }
}

static void read_names(const struct starting *starting)
{
    static const struct sluice_cbor_key sample[2] = {SLUICE_CBOR_KEY("sample_name"),
                                                     SLUICE_CBOR_KEY("sample")};
    static const struct sluice_cbor_key source[2] = {SLUICE_CBOR_KEY("source_name"),
                                                     SLUICE_CBOR_KEY("source")};

    read_name(starting, sample, starting->series->sample_name);
    read_name(starting, source, starting->series->source_name);
}

/* Only what says which series it is and how its images look is needed to take them. Anything else
 * that cannot be read is left out of the metadata with a warning; its value stays in the text. */
static void leave_out(const struct starting *starting, enum sluice_status status)
{
    if (status == SLUICE_OK)
        return;
    sluice_log_warning(ROOM, "%s; left out", starting->error->message);
    sluice_error_clear(starting->error);
}

static bool is_required(int field)
{
    return fields[field].how == HOW_ID || fields[field].how == HOW_SIZE || field == FIELD_UNIQUE_ID;
}

static enum sluice_status read_required(const struct starting *starting)
{
    const struct sluice_series *series = starting->series;
    enum sluice_status status = SLUICE_OK;

    for (int field = 0; status == SLUICE_OK && field < FIELD_COUNT; field++) {
        if (is_required(field))
            status = read_field(starting, field);
    }
    if (status == SLUICE_OK)
        status = read_dtype(starting);
    if (status == SLUICE_OK &&
        (uint64_t)series->width * series->height > UINT32_MAX / sluice_dtype_bytes(series->dtype))
        status = bad_key(starting, FIELD_IMAGE_SIZE_X, SLUICE_LIMIT,
                         "an image is 4 GiB or larger, which no HDF5 chunk can hold");
    if (status == SLUICE_OK)
        status = read_channels(starting);
    return status;
}

static void read_optional(const struct starting *starting)
{
    struct sluice_series *series = starting->series;
    enum sluice_status status;

    for (int field = 0; field < FIELD_COUNT; field++) {
        if (!is_required(field))
            leave_out(starting, read_field(starting, field));
    }
    leave_out(starting, read_thresholds(starting));
    status = read_goniometer(starting);
    if (status != SLUICE_OK)
        series->axis_count = 0;
    leave_out(starting, status);
    status = read_translation(starting);
    for (int i = 0; status != SLUICE_OK && i < 3; i++)
        series->detector_translation[i] = NAN;
    leave_out(starting, status);
    leave_out(starting, read_saturation(starting));
    read_names(starting);
}

static enum sluice_status read_all(const struct starting *starting)
{
    struct sluice_series *series = starting->series;
    struct sluice_cbor_cursor cursor;
    enum sluice_status status = read_required(starting);

    if (status != SLUICE_OK)
        return status;
    read_optional(starting);
    status = sluice_stream2_text(starting->message, series, starting->error);
    if (status != SLUICE_OK)
        return status;
    if (find(starting, FIELD_MASK, &cursor))
        sluice_stream2_pixel_masks(cursor, series);
    if (find(starting, FIELD_FLATFIELD, &cursor))
        sluice_stream2_flatfields(cursor, series);
    if (find(starting, FIELD_TABLE, &cursor))
        sluice_stream2_countrate_table(cursor, series);
    return SLUICE_OK;
}

enum sluice_status sluice_stream2_start(struct sluice_span message, struct sluice_series **series,
                                        struct sluice_error *error)
{
    struct sluice_error own = {0};
    struct starting starting = {.message = message, .error = error != NULL ? error : &own};
    struct sluice_cbor_cursor cursor;
    struct sluice_span type = {0};
    bool known = false;
    enum sluice_status status;

    *series = NULL;
    status = sluice_stream2_index(message, keys, FIELD_COUNT, starting.offsets, error);
    if (status != SLUICE_OK)
        return status;
    if (find(&starting, FIELD_TYPE, &cursor))
        status = sluice_cbor_read_text(&cursor, SLUICE_NAME_BYTES - 1, &type, &known);
    if (status != SLUICE_OK || type.bytes != 5 || memcmp(type.data, "start", 5) != 0)
        return bad_key(&starting, FIELD_TYPE, SLUICE_MALFORMED, "it is not a start message");
    starting.series = sluice_series_create();
    if (starting.series == NULL)
        return sluice_error_set(error, SLUICE_NO_MEMORY, "stream2: start message: out of memory");
    status = read_all(&starting);
    if (status != SLUICE_OK) {
        sluice_series_destroy(starting.series);
        return status;
    }
    *series = starting.series;
    return SLUICE_OK;
}
