/* SPDX-License-Identifier: Apache-2.0
 *
 * Design: the header becomes a tree of jansson's, from which the four known keys are taken one by
 * one. The frame counter is read first, so that a message which is refused for anything else still
 * says which image it was. What is left of the tree is the user data; of a tree whose numbers were
 * rounded (json_tree.h) that is the header as it stands, and the frame counter and the shape are
 * read out of the text.
 *
 * The tree of a header takes at most some 100 times its bytes, hence the bound on these. A key that
 * stands twice makes a header worthless, since nobody knows which one was meant. */
#include "ingest/protocol/array10.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "core/clock.h"
#include "core/codec/codec.h"
#include "ingest/protocol/json_scan.h"
#include "ingest/protocol/json_tree.h"
#include "ingest/protocol/user_data.h"

#define CHUNK_BYTES_MAX UINT32_MAX /* no HDF5 chunk can hold more */
#define DUMP_FLAGS      ((size_t)JSON_COMPACT | JSON_ENSURE_ASCII)

/* What a key is when it is not what it should be. */
static const char *kind_of(const json_t *value)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "a list",       [JSON_STRING] = "a text",
        [JSON_INTEGER] = "a number", [JSON_REAL] = "a real number", [JSON_TRUE] = "true",
        [JSON_FALSE] = "false",      [JSON_NULL] = "null",
    };
    return value == NULL ? "missing" : names[json_typeof(value)];
}

/* Some senders count the closing NUL of a C string. */
static struct sluice_span without_nul(struct sluice_span text)
{
    if (text.bytes > 0 && text.data[text.bytes - 1] == '\0')
        text.bytes--;
    return text;
}

/* Gives a tree with rounded numbers those that must be exact. */
static void restore_numbers(json_t *tree, struct sluice_span header)
{
    enum { FRAME, SHAPE, COUNT };
    static const char *const keys[COUNT] = {"frame", "shape"};
    struct sluice_scan_value values[COUNT];
    const char *why;
    uint64_t frame, shape[2];

    if (!json_is_object(tree) || sluice_scan_object(header, keys, COUNT, values, &why) != SLUICE_OK)
        return;
    if (values[FRAME].kind == SLUICE_SCAN_NUMBER && sluice_scan_uint(&values[FRAME], &frame) &&
        frame <= INT64_MAX)
        (void)json_object_set_new(tree, "frame", json_integer((json_int_t)frame));
    if (sluice_scan_uints(&values[SHAPE], shape, 2) && shape[0] <= INT64_MAX &&
        shape[1] <= INT64_MAX)
        (void)json_object_set_new(tree, "shape",
                                  json_pack("[I,I]", (json_int_t)shape[0], (json_int_t)shape[1]));
}

static enum sluice_status parse(struct sluice_span header, json_t **tree, bool *rounded,
                                struct sluice_error *error)
{
    json_error_t why;
    const char *near;

    *tree = NULL;
    if (header.bytes > SLUICE_ARRAY10_HEADER_BYTES_MAX)
        return sluice_error_set(error, SLUICE_LIMIT,
                                "array-1.0: a header of %zu bytes; %d are accepted", header.bytes,
                                SLUICE_ARRAY10_HEADER_BYTES_MAX);
    header = without_nul(header);
    *tree = sluice_json_tree(header, JSON_REJECT_DUPLICATES, rounded, &why);
    if (*tree == NULL) {
        near = strstr(why.text, " near "); /* what follows is the sender's own text */
        return sluice_error_set(error, SLUICE_MALFORMED,
                                "array-1.0: the first part is not JSON: %.*s at byte %d of %zu",
                                near != NULL ? (int)(near - why.text) : (int)strlen(why.text),
                                why.text, why.position, header.bytes);
    }
    if (*rounded)
        restore_numbers(*tree, header);
    if (json_is_object(*tree))
        return SLUICE_OK;
    const char *found = kind_of(*tree);
    json_decref(*tree);
    *tree = NULL;
    return sluice_error_set(error, SLUICE_MALFORMED,
                            "array-1.0: the first part is %s, and not a JSON object", found);
}

static bool text_is(const json_t *value, const char *wanted)
{
    return json_is_string(value) && json_string_length(value) == strlen(wanted) &&
           memcmp(json_string_value(value), wanted, strlen(wanted)) == 0;
}

bool sluice_array10_probe(struct sluice_span header)
{
    struct sluice_scan_value htype;

    return header.bytes <= SLUICE_ARRAY10_HEADER_BYTES_MAX &&
           sluice_scan_find(header, "htype", &htype) && sluice_scan_is(&htype, "array-1.0");
}

static enum sluice_status read_frame(const json_t *tree, struct sluice_message_head *head,
                                     struct sluice_error *error)
{
    const json_t *value = json_object_get(tree, "frame");

    if (!json_is_integer(value))
        return sluice_error_set(error, SLUICE_MALFORMED,
                                "array-1.0: 'frame' is %s, and not a whole number", kind_of(value));
    if (json_integer_value(value) < 0)
        return sluice_error_set(error, SLUICE_MALFORMED, "array-1.0: 'frame' is %" PRId64,
                                (int64_t)json_integer_value(value));
    head->has_image_id = true;
    head->image_id = (uint64_t)json_integer_value(value);
    return SLUICE_OK;
}

static enum sluice_status read_htype(const json_t *tree, struct sluice_error *error)
{
    const json_t *value = json_object_get(tree, "htype");

    if (text_is(value, "array-1.0"))
        return SLUICE_OK;
    if (!json_is_string(value))
        return sluice_error_set(error, SLUICE_MALFORMED,
                                "array-1.0: 'htype' is %s, and not \"array-1.0\"", kind_of(value));
    return sluice_error_set(error, SLUICE_UNSUPPORTED,
                            "array-1.0: 'htype' is \"%.40s\", and not \"array-1.0\"",
                            json_string_value(value));
}

static enum sluice_status read_type(const json_t *tree, struct sluice_plane *plane,
                                    struct sluice_error *error)
{
    const json_t *value = json_object_get(tree, "type");
    const char *text = json_string_value(value);

    if (text == NULL)
        return sluice_error_set(error, SLUICE_MALFORMED, "array-1.0: 'type' is %s, and not a text",
                                kind_of(value));
    if (!sluice_dtype_from_name(
            (struct sluice_span){(const uint8_t *)text, json_string_length(value)}, &plane->dtype))
        return sluice_error_set(error, SLUICE_UNSUPPORTED,
                                "array-1.0: 'type' is \"%.40s\"; there are uint8 to uint64, int8 "
                                "to int64, float32 and float64",
                                text);
    return SLUICE_OK;
}

static bool read_size(const json_t *value, uint32_t *size)
{
    if (!json_is_integer(value) || json_integer_value(value) < 1 ||
        json_integer_value(value) > UINT32_MAX)
        return false;
    *size = (uint32_t)json_integer_value(value);
    return true;
}

/* After the type, which the bound depends on. */
static enum sluice_status read_shape(const json_t *tree, struct sluice_plane *plane,
                                     struct sluice_error *error)
{
    const json_t *value = json_object_get(tree, "shape");

    if (json_array_size(value) != 2 || !read_size(json_array_get(value, 0), &plane->height) ||
        !read_size(json_array_get(value, 1), &plane->width))
        return sluice_error_set(error, SLUICE_MALFORMED,
                                "array-1.0: 'shape' is not [rows, columns], two numbers above 0");
    if ((uint64_t)plane->width * plane->height > CHUNK_BYTES_MAX / sluice_dtype_bytes(plane->dtype))
        return sluice_error_set(error, SLUICE_LIMIT,
                                "array-1.0: 'shape' is [%u, %u]: 4 GiB or more, which no HDF5 "
                                "chunk can hold",
                                plane->height, plane->width);
    return SLUICE_OK;
}

static enum sluice_status read_pixels(struct sluice_span pixels, struct sluice_plane *plane,
                                      struct sluice_error *error)
{
    const size_t wanted = (size_t)plane->width * plane->height * sluice_dtype_bytes(plane->dtype);

    if (pixels.bytes != wanted)
        return sluice_error_set(error, SLUICE_MISMATCH,
                                "array-1.0: the second part has %zu bytes, %u x %u pixels of %s "
                                "are %zu",
                                pixels.bytes, plane->width, plane->height,
                                sluice_dtype_name(plane->dtype), wanted);
    plane->payload = pixels;
    plane->encoding = SLUICE_ENCODING_NONE;
    plane->channel_index = 0;
    plane->channel = (struct sluice_span){(const uint8_t *)SLUICE_ARRAY10_CHANNEL,
                                          strlen(SLUICE_ARRAY10_CHANNEL)};
    plane->checksum = sluice_checksum(pixels);
    plane->has_checksum = true;
    return SLUICE_OK;
}

/* Takes the known keys out of the tree. */
static struct sluice_span keep_rest(json_t *tree, const struct sluice_text_buffer *buffer)
{
    static const char *const known[] = {"htype", "shape", "type", "frame"};
    size_t bytes;
    int length;

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        (void)json_object_del(tree, known[i]);
    if (buffer == NULL || buffer->capacity < 2 || json_object_size(tree) == 0)
        return (struct sluice_span){0};
    bytes = json_dumpb(tree, buffer->data, buffer->capacity - 1, DUMP_FLAGS);
    if (bytes == 0)
        return (struct sluice_span){0};
    if (bytes >= buffer->capacity) {
        length =
            snprintf(buffer->data, buffer->capacity, "{\"bytes\":%zu,\"omitted\":true}", bytes);
        bytes = length > 0 && (size_t)length < buffer->capacity ? (size_t)length : 0;
    }
    return (struct sluice_span){(const uint8_t *)buffer->data, bytes};
}

enum sluice_status sluice_array10_decode(const struct sluice_parts *parts,
                                         struct sluice_message_head *head,
                                         struct sluice_image *image,
                                         const struct sluice_text_buffer *user_data,
                                         struct sluice_error *error)
{
    enum sluice_status status;
    bool rounded = false;
    json_t *tree;

    *head = (struct sluice_message_head){.kind = SLUICE_MESSAGE_IMAGE};
    image->plane_count = 0;
    image->user_data = (struct sluice_span){0};
    image->start_time = image->stop_time = image->real_time = NAN;
    if (parts->count == 0)
        return sluice_error_set(error, SLUICE_MALFORMED, "array-1.0: a message without parts");
    status = parse(parts->part[0], &tree, &rounded, error);
    if (status == SLUICE_OK)
        status = read_frame(tree, head, error);
    image->image_id = head->image_id;
    if (status == SLUICE_OK)
        status = read_htype(tree, error);
    if (status == SLUICE_OK && (parts->count != 2 || parts->cut))
        status = sluice_error_set(error, SLUICE_MALFORMED,
                                  "array-1.0: a message of %s%u parts; it must be two, header and "
                                  "pixels",
                                  parts->cut ? "more than " : "", parts->count);
    if (status == SLUICE_OK)
        status = read_type(tree, &image->planes[0], error);
    if (status == SLUICE_OK)
        status = read_shape(tree, &image->planes[0], error);
    if (status == SLUICE_OK)
        status = read_pixels(parts->part[1], &image->planes[0], error);
    if (status == SLUICE_OK) {
        image->plane_count = 1;
        image->user_data = rounded ? sluice_user_data_of_text(user_data, parts->part[0])
                                   : keep_rest(tree, user_data);
    }
    json_decref(tree);
    return status;
}

/* The header again as JSON, small and ASCII only, in memory of malloc's. */
static char *header_text(struct sluice_span header)
{
    char *text = NULL;
    bool rounded = false;
    json_t *tree;
    size_t bytes = 0;

    if (parse(header, &tree, &rounded, NULL) == SLUICE_OK)
        bytes = json_dumpb(tree, NULL, 0, DUMP_FLAGS);
    if (bytes > 0)
        text = malloc(bytes + 1);
    if (text != NULL) {
        (void)json_dumpb(tree, text, bytes, DUMP_FLAGS);
        text[bytes] = '\0';
    }
    json_decref(tree);
    return text;
}

struct sluice_series *sluice_array10_series(struct sluice_span header,
                                            const struct sluice_image *image)
{
    struct sluice_series *series = sluice_series_create();

    if (series == NULL)
        return NULL;
    series->width = image->planes[0].width;
    series->height = image->planes[0].height;
    series->dtype = image->planes[0].dtype;
    series->channel_count = 1;
    snprintf(series->channels[0].name, SLUICE_NAME_BYTES, "%s", SLUICE_ARRAY10_CHANNEL);
    series->start_message = header_text(header);
    return series;
}

/* ---- the operations of the protocol ---- */

static bool probe_parts(const struct sluice_parts *parts)
{
    return parts->count > 1 && sluice_array10_probe(parts->part[0]);
}

static struct sluice_series *open_parts(const struct sluice_parts *parts,
                                        const struct sluice_image *image)
{
    return sluice_array10_series(parts->part[0], image);
}

const struct sluice_protocol_ops sluice_array10_protocol = {
    .name = "array-1.0",
    .title = "array-1.0",
    .probe = probe_parts,
    .decode = sluice_array10_decode,
    .open = open_parts,
    .idle_timeout_ns = 2 * SLUICE_NS_PER_S,
};
