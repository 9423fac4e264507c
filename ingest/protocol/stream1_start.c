/* SPDX-License-Identifier: Apache-2.0
 *
 * Design: the parts of a header are found by their order and by what the header detail says: the
 * configuration, three pairs of descriptor and blob, an appendix. FIELDS is the list of the
 * configuration's keys that have a plain place in struct sluice_series; what is computed from
 * several keys has a reader of its own. Everything that is not a blob also becomes start_message.
 *
 * Images matter more than what is said about them: only the series number is required, anything
 * else that cannot be read is left out with a warning, and its value stays in start_message.
 *
 * Memory: blobs are copied once their length is what their descriptor says; the JSON parts are
 * bounded before jansson sees them, which needs some ten times their bytes for a moment. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "ingest/protocol/json_scan.h"
#include "ingest/protocol/json_tree.h"
#include "ingest/protocol/stream1.h"

#define ROOM       "protocol"
#define WRITE_HOW  ((size_t)JSON_COMPACT | JSON_ENSURE_ASCII)
#define ARRAYS     3 /* pairs of parts with header detail all */
#define TEXT_BYTES 32

/* X(key, how, member): a key of the configuration and where its value goes. */
#define FIELDS(X)                                                                                  \
    X("description", TEXT, detector_description)                                                   \
    X("detector_number", TEXT, detector_serial_number)                                             \
    X("sensor_material", TEXT, sensor_material)                                                    \
    X("data_collection_date", TEXT, arm_date)                                                      \
    X("sensor_thickness", NUMBER, sensor_thickness)                                                \
    X("x_pixel_size", NUMBER, pixel_size_x)                                                        \
    X("y_pixel_size", NUMBER, pixel_size_y)                                                        \
    X("wavelength", NUMBER, incident_wavelength)                                                   \
    X("photon_energy", NUMBER, incident_energy)                                                    \
    X("count_time", NUMBER, count_time)                                                            \
    X("frame_time", NUMBER, frame_time)                                                            \
    X("detector_readout_time", NUMBER, detector_readout_time)                                      \
    X("beam_center_x", NUMBER, beam_center_x)                                                      \
    X("beam_center_y", NUMBER, beam_center_y)                                                      \
    X("detector_distance", NUMBER, detector_translation[2])                                        \
    X("threshold_energy", NUMBER, channels[0].threshold_energy)                                    \
    X("flatfield_correction_applied", FLAG, flatfield_applied)                                     \
    X("pixel_mask_applied", FLAG, pixel_mask_applied)                                              \
    X("countrate_correction_applied", FLAG, countrate_correction_applied)                          \
    X("virtual_pixel_correction_applied", FLAG, virtual_pixel_interpolation_applied)

static const struct {
    const char *key;
    enum { TEXT, NUMBER, FLAG } how; /* char[], double, int */
    size_t offset, bytes;
} fields[] = {
#define X(key, how, member)                                                                        \
    {key, how, offsetof(struct sluice_series, member),                                             \
     sizeof(((struct sluice_series *)NULL)->member)},
    FIELDS(X)
#undef X
};

static const char *const axes[] = {"chi", "kappa", "omega", "phi", "two_theta"};

/* ---- values of the configuration ---- */

static void leave_out(const struct sluice_series *series, const char *key, const char *why)
{
    sluice_log_warning(ROOM, "header of series %lu: '%s' left out: %s", series->series_id, key,
                       why);
}

/* The value as the scanner sees it, so that numbers are read in one way only. */
static struct sluice_scan_value as_scanned(const json_t *value, char *text, size_t bytes)
{
    struct sluice_scan_value scanned = {0};
    size_t length = 0;

    if (json_is_string(value)) {
        scanned = (struct sluice_scan_value){
            SLUICE_SCAN_TEXT,
            {(const uint8_t *)json_string_value(value), json_string_length(value)}};
    } else if (json_is_number(value)) {
        length = json_dumpb(value, text, bytes, JSON_ENCODE_ANY);
        scanned = (struct sluice_scan_value){SLUICE_SCAN_NUMBER, {(const uint8_t *)text, length}};
    }
    return length <= bytes ? scanned : (struct sluice_scan_value){0};
}

static bool is_missing(const json_t *value)
{
    return value == NULL || json_is_null(value);
}

/* False when there is none, or (said in the log) it is no such number. */
static bool read_number(const struct sluice_series *series, const json_t *config, const char *key,
                        double *number)
{
    const json_t *value = json_object_get(config, key);
    char text[64];

    if (is_missing(value))
        return false;
    const struct sluice_scan_value scanned = as_scanned(value, text, sizeof(text));
    if (sluice_scan_double(&scanned, number))
        return true;
    leave_out(series, key, "it must be a number");
    return false;
}

static bool read_count(const struct sluice_series *series, const json_t *config, const char *key,
                       uint64_t *count)
{
    double number;

    if (!read_number(series, config, key, &number))
        return false;
    /* 2^53: every whole number below it is exact */
    if (number >= 0 && number < 9007199254740992.0 && number == floor(number)) {
        *count = (uint64_t)number;
        return true;
    }
    leave_out(series, key, "it must be a whole number, 0 or above");
    return false;
}

static void read_flag(const struct sluice_series *series, const json_t *config, const char *key,
                      int *flag)
{
    const json_t *value = json_object_get(config, key);
    double number;

    if (json_is_boolean(value))
        *flag = json_is_true(value);
    else if (json_is_string(value) && strcmp(json_string_value(value), "true") == 0)
        *flag = 1;
    else if (json_is_string(value) && strcmp(json_string_value(value), "false") == 0)
        *flag = 0;
    else if (read_number(series, config, key, &number))
        *flag = number != 0;
}

static void copy_text(const struct sluice_series *series, const char *key, const json_t *value,
                      char *target, size_t bytes)
{
    const char *text = json_string_value(value);
    size_t length;

    if (is_missing(value))
        return;
    if (text == NULL) {
        leave_out(series, key, "it must be a text");
        return;
    }
    length = strlen(text);
    if (length > bytes - 1) {
        length = bytes - 1;
        while (length > 0 && ((uint8_t)text[length] & 0xC0) == 0x80)
            length--; /* never half a character */
        sluice_log_warning(ROOM, "header of series %lu: '%s' cut to %zu of %zu bytes",
                           series->series_id, key, length, strlen(text));
    }
    memcpy(target, text, length);
    target[length] = '\0';
}

/* ---- what is computed from several keys ---- */

/* Known are all three, or none of them: then the first image says them. */
static void read_image_type(struct sluice_series *series, const json_t *config)
{
    uint64_t width = 0, height = 0, bits = 0;

    if (!read_count(series, config, "x_pixels_in_detector", &width) ||
        !read_count(series, config, "y_pixels_in_detector", &height) ||
        !read_count(series, config, "bit_depth_image", &bits))
        return;
    if (bits != 8 && bits != 16 && bits != 32) {
        leave_out(series, "bit_depth_image", "it must be 8, 16 or 32");
    } else if (width == 0 || height == 0 || width > INT32_MAX || height > INT32_MAX ||
               width * height > UINT32_MAX / (bits / 8)) {
        leave_out(series, "x_pixels_in_detector", "such an image cannot be stored");
    } else {
        series->width = (uint32_t)width;
        series->height = (uint32_t)height;
        series->dtype = bits == 8 ? SLUICE_U8 : bits == 16 ? SLUICE_U16 : SLUICE_U32;
    }
}

static void read_number_of_images(struct sluice_series *series, const json_t *config)
{
    uint64_t images, triggers = 1;

    if (!read_count(series, config, "nimages", &images))
        return;
    (void)read_count(series, config, "ntrigger", &triggers);
    if (__builtin_mul_overflow(images, triggers, &series->number_of_images)) {
        series->number_of_images = 0;
        leave_out(series, "nimages", "times ntrigger it is beyond any count");
    }
}

static void read_limits(struct sluice_series *series, const json_t *config)
{
    uint64_t cutoff, bits;

    if (read_count(series, config, "countrate_correction_count_cutoff", &cutoff)) {
        series->has_saturation_value = true;
        series->saturation_value = (int64_t)cutoff;
    }
    if (read_count(series, config, "bit_depth_readout", &bits) && bits <= 64)
        series->bit_depth_readout = (uint32_t)bits;
}

static void read_axes(struct sluice_series *series, const json_t *config)
{
    for (size_t i = 0; i < sizeof(axes) / sizeof(axes[0]); i++) {
        struct sluice_axis *axis = &series->axes[series->axis_count];
        char key[SLUICE_NAME_BYTES + 16];
        bool known;

        snprintf(key, sizeof(key), "%s_start", axes[i]);
        known = read_number(series, config, key, &axis->start);
        snprintf(key, sizeof(key), "%s_increment", axes[i]);
        known |= read_number(series, config, key, &axis->increment);
        if (!known)
            continue;
        snprintf(axis->name, sizeof(axis->name), "%s", axes[i]);
        series->axis_count++;
    }
}

static void read_config(struct sluice_series *series, const json_t *config)
{
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        void *member = (char *)series + fields[i].offset;
        const char *key = fields[i].key;

        switch (fields[i].how) {
        case TEXT:
            copy_text(series, key, json_object_get(config, key), member, fields[i].bytes);
            break;
        case NUMBER:
            (void)read_number(series, config, key, member);
            break;
        case FLAG:
            read_flag(series, config, key, member);
            break;
        }
    }
    read_image_type(series, config);
    read_number_of_images(series, config);
    read_limits(series, config);
    read_axes(series, config);
}

/* ---- arrays ---- */

struct array {
    enum sluice_dtype dtype;
    uint32_t columns, rows; /* [x, y] */
    struct sluice_span blob;
};

/* NULL, or why the pair of parts cannot be used. */
static const char *read_array(struct sluice_span descriptor, struct sluice_span blob,
                              enum sluice_dtype dtype, struct array *array)
{
    enum { SHAPE, TYPE, COUNT };
    static const char *const keys[COUNT] = {"shape", "type"};
    struct sluice_scan_value values[COUNT];
    const char *why;
    uint64_t shape[2];

    if (sluice_scan_object(descriptor, keys, COUNT, values, &why) != SLUICE_OK)
        return why;
    if (!sluice_scan_is(&values[TYPE], sluice_dtype_name(dtype)))
        return dtype == SLUICE_U32 ? "its type must be uint32" : "its type must be float32";
    if (!sluice_scan_uints(&values[SHAPE], shape, 2) || shape[0] == 0 || shape[1] == 0 ||
        shape[0] > INT32_MAX || shape[1] > INT32_MAX)
        return "its shape must be [x, y]";
    /* Below 2^62, and a blob is in memory: what is equal to its length cannot be too large. */
    if (shape[0] * shape[1] != blob.bytes / sizeof(uint32_t) || blob.bytes % sizeof(uint32_t) != 0)
        return "its blob does not have the bytes of its shape";
    *array = (struct array){dtype, (uint32_t)shape[0], (uint32_t)shape[1], blob};
    return NULL;
}

static const char *copy_array(const struct array *array, void **target)
{
    if (*target != NULL)
        return "it stands there twice, the first one counts";
    *target = sluice_series_array(array->blob.bytes);
    if (*target == NULL)
        return "out of memory";
    memcpy(*target, array->blob.data, array->blob.bytes);
    return NULL;
}

static const char *read_pixels(struct sluice_series *series, struct sluice_span descriptor,
                               struct sluice_span blob, enum sluice_dtype dtype, void **target)
{
    struct array array;
    const char *why = read_array(descriptor, blob, dtype, &array);

    if (why != NULL)
        return why;
    if (series->width == 0)
        return "the configuration does not say the image's size";
    if (array.columns != series->width || array.rows != series->height)
        return "its size is not the image's";
    return copy_array(&array, target);
}

static const char *read_curve(struct sluice_series *series, struct sluice_span descriptor,
                              struct sluice_span blob)
{
    struct array array;
    void *curve = series->countrate_curve;
    const char *why = read_array(descriptor, blob, SLUICE_F32, &array);

    if (why == NULL)
        why = copy_array(&array, &curve);
    if (why != NULL)
        return why;
    series->countrate_curve = curve;
    series->countrate_curve_shape[0] = array.rows;
    series->countrate_curve_shape[1] = array.columns;
    return NULL;
}

/* One pair of parts, by what its descriptor says it is. */
static void read_pair(struct sluice_series *series, struct sluice_span descriptor,
                      struct sluice_span blob)
{
    struct sluice_channel *channel = &series->channels[0];
    struct sluice_scan_value htype = {0};
    char name[TEXT_BYTES] = "array";
    const char *why = "its descriptor says neither dflatfield-1.0, dpixelmask-1.0 nor "
                      "dcountrate_table-1.0";

    if (descriptor.bytes <= SLUICE_STREAM1_PART_BYTES_MAX &&
        sluice_scan_find(descriptor, "htype", &htype) &&
        !sluice_scan_text(&htype, name, sizeof(name)))
        name[0] = '\0';
    if (strcmp(name, "dflatfield-1.0") == 0)
        why = read_pixels(series, descriptor, blob, SLUICE_F32, (void **)&channel->flatfield);
    else if (strcmp(name, "dpixelmask-1.0") == 0)
        why = read_pixels(series, descriptor, blob, SLUICE_U32, (void **)&channel->pixel_mask);
    else if (strcmp(name, "dcountrate_table-1.0") == 0)
        why = read_curve(series, descriptor, blob);
    if (why != NULL)
        leave_out(series, name, why);
}

/* ---- the text of it all, and the names of sample and source ---- */

static json_t *omitted(size_t bytes)
{
    return json_pack("{s:I,s:b}", "bytes", (json_int_t)bytes, "omitted", 1);
}

/* JSON as it is, any other text as a text; where it is too long or no text, its length. */
static json_t *read_appendix(struct sluice_span appendix)
{
    json_error_t error;
    json_t *value = NULL;

    if (appendix.bytes > SLUICE_STREAM1_APPENDIX_BYTES_MAX)
        return omitted(appendix.bytes);
    value = sluice_json_tree(appendix, JSON_DECODE_ANY, NULL, &error);
    if (value == NULL)
        value = json_stringn((const char *)appendix.data, appendix.bytes);
    return value != NULL ? value : omitted(appendix.bytes);
}

/* What a beamline names its sample and its source in the appendix it arms the detector with: the
 * first text under one of the two keys. */
static void read_name(struct sluice_series *series, const json_t *appendix,
                      const char *const keys[2], char name[SLUICE_TEXT_BYTES])
{
    for (size_t i = 0; i < 2; i++) {
        const json_t *value = json_object_get(appendix, keys[i]);

        if (json_is_string(value) && name[0] == '\0')
            copy_text(series, keys[i], value, name, SLUICE_TEXT_BYTES);
    }
}

static enum sluice_status write_text(struct sluice_series *series, json_t *header, json_t *config,
                                     json_t *appendix)
{
    json_t *all = json_object();

    (void)json_object_update_missing(all, header);
    (void)json_object_update_missing(all, config);
    if (appendix != NULL)
        (void)json_object_set(all, "header_appendix", appendix);
    series->start_message = json_dumps(all, WRITE_HOW);
    json_decref(all);
    return series->start_message != NULL ? SLUICE_OK : SLUICE_NO_MEMORY;
}

/* ---- the whole ---- */

/* An object, or NULL with a warning. */
static json_t *parse_object(const struct sluice_series *series, const char *name,
                            struct sluice_span part, size_t bytes_max)
{
    json_error_t error = {.text = "it is too long"};
    json_t *value = NULL;

    if (part.bytes <= bytes_max)
        value = sluice_json_tree(part, 0, NULL, &error);
    if (json_is_object(value))
        return value;
    leave_out(series, name, value != NULL ? "it is no JSON object" : error.text);
    json_decref(value);
    return NULL;
}

static enum sluice_status fill(struct sluice_series *series, const struct sluice_parts *parts)
{
    json_t *header = parse_object(series, "part 1", parts->part[0], SLUICE_STREAM1_PART_BYTES_MAX);
    const char *detail = json_string_value(json_object_get(header, "header_detail"));
    json_t *config = NULL, *appendix = NULL;
    enum sluice_status status;
    uint32_t at = 1;

    /* Where the first part does not say it, the number of parts does. */
    if (detail != NULL ? strcmp(detail, "none") != 0 : parts->count > 1) {
        if (parts->count > at)
            config = parse_object(series, "configuration", parts->part[at],
                                  SLUICE_STREAM1_CONFIG_BYTES_MAX);
        else
            leave_out(series, "configuration", "the message has no such part");
        at++;
        read_config(series, config);
        if (detail != NULL ? strcmp(detail, "all") == 0 : parts->count >= 2 + 2 * ARRAYS) {
            for (int i = 0; i < ARRAYS && at + 1 < parts->count; i++, at += 2)
                read_pair(series, parts->part[at], parts->part[at + 1]);
        }
    }
    if (at < parts->count)
        appendix = read_appendix(parts->part[at]);
    if (at + 1 < parts->count || parts->cut)
        leave_out(series, "the last parts", "a header has no more than 9");
    read_name(series, appendix, (const char *[]){"sample_name", "sample"}, series->sample_name);
    read_name(series, appendix, (const char *[]){"source_name", "source"}, series->source_name);
    status = write_text(series, header, config, appendix);
    json_decref(header);
    json_decref(config);
    json_decref(appendix);
    return status;
}

enum sluice_status sluice_stream1_start(const struct sluice_parts *parts,
                                        struct sluice_series **series, struct sluice_error *error)
{
    struct sluice_message_head head;
    struct sluice_image unused;
    enum sluice_status status = sluice_stream1_decode(parts, &head, &unused, NULL, error);
    struct sluice_series *made;

    *series = NULL;
    if (status != SLUICE_OK)
        return status;
    if (head.kind != SLUICE_MESSAGE_START)
        return sluice_error_set(error, SLUICE_MALFORMED, "stream1: it is no header of a series");
    made = sluice_series_create();
    if (made == NULL)
        return sluice_error_set(error, SLUICE_NO_MEMORY, "stream1: header: out of memory");
    made->series_id = head.series_id;
    made->channel_count = 1;
    memcpy(made->channels[0].name, SLUICE_STREAM1_CHANNEL, sizeof(SLUICE_STREAM1_CHANNEL));
    status = fill(made, parts);
    if (status != SLUICE_OK) {
        sluice_series_destroy(made);
        return sluice_error_set(error, status, "stream1: header: out of memory");
    }
    *series = made;
    return SLUICE_OK;
}
