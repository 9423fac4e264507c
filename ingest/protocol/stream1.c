/* SPDX-License-Identifier: Apache-2.0
 *
 * Design: each JSON part is walked over once, and the values of its known keys are then read in our
 * order. The first part gives the head, so that a message is attributed to its series also where a
 * later part is bad. Sizes are compared before anything is made of them; the checksum is taken
 * before the walk over the framing, as in stream2.c. */
#include "ingest/protocol/stream1.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/codec/codec.h"
#include "ingest/protocol/json_scan.h"
#include "ingest/protocol/user_data.h"

#define NS_PER_S    1e9
#define TEXT_BYTES  32 /* of a type or an encoding */
#define IMAGE_PARTS 4  /* and the appendix */

static const char *const kind_names[] = {
    [SLUICE_MESSAGE_UNKNOWN] = "message",
    [SLUICE_MESSAGE_START] = "header",
    [SLUICE_MESSAGE_IMAGE] = "image",
    [SLUICE_MESSAGE_END] = "end of series",
};

/* What goes with one message while it is decoded. */
struct decoding {
    const struct sluice_parts *parts;
    const struct sluice_message_head *head;
    struct sluice_error *error;
};

static enum sluice_status bad_key(const struct decoding *decoding, uint32_t part, const char *key,
                                  enum sluice_status status, const char *why)
{
    return sluice_error_set(decoding->error, status, "stream1: %s: part %u: '%s': %s",
                            kind_names[decoding->head->kind], part + 1, key, why);
}

/* The values of the keys of a JSON part. */
static enum sluice_status scan_part(const struct decoding *decoding, uint32_t part,
                                    const char *const *keys, size_t count,
                                    struct sluice_scan_value *values)
{
    const struct sluice_span json = decoding->parts->part[part];
    const char *why = NULL;
    enum sluice_status status = SLUICE_LIMIT;

    memset(values, 0, count * sizeof(*values));
    if (json.bytes <= SLUICE_STREAM1_PART_BYTES_MAX)
        status = sluice_scan_object(json, keys, count, values, &why);
    else
        why = "it is too long";
    return status == SLUICE_OK
               ? SLUICE_OK
               : sluice_error_set(decoding->error, status, "stream1: %s: part %u of %zu bytes: %s",
                                  kind_names[decoding->head->kind], part + 1, json.bytes, why);
}

/* ---- head ---- */

static enum sluice_message_kind kind_of(const struct sluice_scan_value *htype)
{
    if (sluice_scan_is(htype, "dimage-1.0"))
        return SLUICE_MESSAGE_IMAGE;
    if (sluice_scan_is(htype, "dheader-1.0"))
        return SLUICE_MESSAGE_START;
    return sluice_scan_is(htype, "dseries_end-1.0") ? SLUICE_MESSAGE_END : SLUICE_MESSAGE_UNKNOWN;
}

bool sluice_stream1_probe(const struct sluice_parts *parts)
{
    static const char *const begins[] = {"dimage-", "dheader-", "dseries_end-"};
    struct sluice_scan_value htype;

    if (parts->count == 0 || parts->part[0].bytes > SLUICE_STREAM1_PART_BYTES_MAX ||
        !sluice_scan_find(parts->part[0], "htype", &htype) || htype.kind != SLUICE_SCAN_TEXT)
        return false;
    for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++) {
        const size_t bytes = strlen(begins[i]);

        if (htype.text.bytes >= bytes && memcmp(htype.text.data, begins[i], bytes) == 0)
            return true;
    }
    return false;
}

/* Reads all that it can, and answers with the first error. */
static enum sluice_status read_head(const struct decoding *decoding,
                                    struct sluice_message_head *head)
{
    enum { HTYPE, SERIES, FRAME, COUNT };
    static const char *const keys[COUNT] = {"htype", "series", "frame"};
    static const char number[] = "it must be a whole number, 0 or above";
    struct sluice_scan_value values[COUNT];
    enum sluice_status status;

    if (decoding->parts->count == 0)
        return sluice_error_set(decoding->error, SLUICE_MALFORMED, "stream1: a message of no part");
    status = scan_part(decoding, 0, keys, COUNT, values);
    head->kind = kind_of(&values[HTYPE]);
    head->has_series_id = sluice_scan_uint(&values[SERIES], &head->series_id);
    head->has_image_id =
        head->kind == SLUICE_MESSAGE_IMAGE && sluice_scan_uint(&values[FRAME], &head->image_id);
    if (status != SLUICE_OK)
        return status;
    if (head->kind == SLUICE_MESSAGE_UNKNOWN)
        return bad_key(decoding, 0, "htype", SLUICE_UNSUPPORTED,
                       "neither dheader-1.0, dimage-1.0 nor dseries_end-1.0");
    if (!head->has_series_id)
        return bad_key(decoding, 0, "series", SLUICE_MALFORMED, number);
    if (head->kind == SLUICE_MESSAGE_IMAGE && !head->has_image_id)
        return bad_key(decoding, 0, "frame", SLUICE_MALFORMED, number);
    return SLUICE_OK;
}

/* ---- the pixels ---- */

/* [bs<BIT>][[-]lz4][<|>]; NULL, or why it cannot be stored. */
static const char *read_encoding(const char *text, size_t element_bytes,
                                 enum sluice_encoding *encoding)
{
    static const char unknown[] = "not of the form [bs<BIT>][[-]lz4][<|>]";
    unsigned long bits = 0;
    bool lz4;

    if (strncmp(text, "bs", 2) == 0) {
        char *end;

        if (text[2] < '1' || text[2] > '9')
            return unknown;
        bits = strtoul(text + 2, &end, 10);
        text = end;
    }
    if (strncmp(text, "-lz4", 4) == 0)
        text++;
    lz4 = strncmp(text, "lz4", 3) == 0;
    text += lz4 ? 3 : 0;
    if (strcmp(text, ">") == 0 && element_bytes > 1)
        return "big-endian pixels; only little-endian ones ('<') can be stored as they come";
    if (strcmp(text, "<") != 0 && strcmp(text, ">") != 0 && *text != '\0')
        return unknown;
    if (bits != 0 && !lz4)
        return "bitshuffle without LZ4, which no reader of the files could undo";
    if (bits != 0 && bits != 8 * element_bytes)
        return "it does not go with the type's width";
    *encoding = bits != 0 ? SLUICE_ENCODING_BSLZ4
                : lz4     ? SLUICE_ENCODING_LZ4_BLOCK
                          : SLUICE_ENCODING_NONE;
    return NULL;
}

enum { D_HTYPE, D_SHAPE, D_TYPE, D_ENCODING, D_SIZE, D_COUNT };

static enum sluice_status read_shape(const struct decoding *decoding,
                                     const struct sluice_scan_value *values,
                                     struct sluice_plane *plane)
{
    char text[TEXT_BYTES];
    uint64_t shape[2];

    if (!sluice_scan_text(&values[D_TYPE], text, sizeof(text)) ||
        !sluice_dtype_from_name((struct sluice_span){(const uint8_t *)text, strlen(text)},
                                &plane->dtype))
        return bad_key(decoding, 1, "type", SLUICE_UNSUPPORTED,
                       "it names no element type that can be stored (uint8, uint16, uint32, …)");
    if (!sluice_scan_uints(&values[D_SHAPE], shape, 2))
        return bad_key(decoding, 1, "shape", SLUICE_MALFORMED, "it must be [x, y]");
    if (shape[0] == 0 || shape[1] == 0 || shape[0] > INT32_MAX || shape[1] > INT32_MAX)
        return bad_key(decoding, 1, "shape", SLUICE_LIMIT, "sizes must be 1 to 2^31 - 1");
    if (shape[0] * shape[1] > UINT32_MAX / sluice_dtype_bytes(plane->dtype))
        return bad_key(decoding, 1, "shape", SLUICE_LIMIT,
                       "an image is 4 GiB or larger, which no HDF5 chunk can hold");
    plane->width = (uint32_t)shape[0];
    plane->height = (uint32_t)shape[1];
    return SLUICE_OK;
}

static void take_checksum(struct sluice_plane *plane, size_t decoded_bytes)
{
    plane->has_checksum = true;
    if (plane->encoding == SLUICE_ENCODING_LZ4_BLOCK)
        plane->has_checksum =
            sluice_codec_block_checksum(plane->payload, decoded_bytes, &plane->checksum);
    else
        plane->checksum = sluice_checksum(plane->payload);
}

static enum sluice_status read_plane(const struct decoding *decoding, struct sluice_plane *plane)
{
    static const char *const keys[D_COUNT] = {"htype", "shape", "type", "encoding", "size"};
    struct sluice_scan_value values[D_COUNT];
    size_t element_bytes, decoded_bytes;
    char text[TEXT_BYTES];
    const char *why;
    uint64_t size;
    enum sluice_status status = scan_part(decoding, 1, keys, D_COUNT, values);

    if (status != SLUICE_OK)
        return status;
    if (!sluice_scan_is(&values[D_HTYPE], "dimage_d-1.0"))
        return bad_key(decoding, 1, "htype", SLUICE_MALFORMED, "it must be dimage_d-1.0");
    status = read_shape(decoding, values, plane);
    if (status != SLUICE_OK)
        return status;
    element_bytes = sluice_dtype_bytes(plane->dtype);
    decoded_bytes = (size_t)plane->width * plane->height * element_bytes;
    if (!sluice_scan_text(&values[D_ENCODING], text, sizeof(text)))
        return bad_key(decoding, 1, "encoding", SLUICE_MALFORMED, "it must be a short text");
    why = read_encoding(text, element_bytes, &plane->encoding);
    if (why != NULL)
        return bad_key(decoding, 1, "encoding", SLUICE_UNSUPPORTED, why);
    plane->payload = decoding->parts->part[2];
    if (values[D_SIZE].kind != SLUICE_SCAN_ABSENT &&
        (!sluice_scan_uint(&values[D_SIZE], &size) || size != plane->payload.bytes))
        return bad_key(decoding, 1, "size", SLUICE_MISMATCH, "the blob has another size");
    plane->channel = (struct sluice_span){(const uint8_t *)SLUICE_STREAM1_CHANNEL,
                                          sizeof(SLUICE_STREAM1_CHANNEL) - 1};
    plane->channel_index = 0;
    take_checksum(plane, decoded_bytes);
    status = sluice_codec_check(plane->encoding, plane->payload, element_bytes, decoded_bytes);
    if (status != SLUICE_OK)
        return sluice_error_set(
            decoding->error, status,
            "stream1: image: its %zu bytes are not %ux%u pixels of %s as '%s': %s",
            plane->payload.bytes, plane->width, plane->height, sluice_dtype_name(plane->dtype),
            text, sluice_status_text(status));
    return SLUICE_OK;
}

/* ---- the rest of an image ---- */

static enum sluice_status read_times(const struct decoding *decoding, struct sluice_image *image)
{
    enum { HTYPE, START, STOP, REAL, COUNT };
    static const char *const keys[COUNT] = {"htype", "start_time", "stop_time", "real_time"};
    double *const times[COUNT] = {NULL, &image->start_time, &image->stop_time, &image->real_time};
    struct sluice_scan_value values[COUNT];
    enum sluice_status status = scan_part(decoding, 3, keys, COUNT, values);

    if (status != SLUICE_OK)
        return status;
    if (!sluice_scan_is(&values[HTYPE], "dconfig-1.0"))
        return bad_key(decoding, 3, "htype", SLUICE_MALFORMED, "it must be dconfig-1.0");
    for (int i = START; i < COUNT; i++) {
        double nanoseconds;

        if (values[i].kind == SLUICE_SCAN_ABSENT || values[i].kind == SLUICE_SCAN_NULL)
            continue;
        if (!sluice_scan_double(&values[i], &nanoseconds))
            return bad_key(decoding, 3, keys[i], SLUICE_MALFORMED, "it must be a number (ns)");
        *times[i] = nanoseconds / NS_PER_S;
    }
    return SLUICE_OK;
}

static enum sluice_status read_image(const struct decoding *decoding, struct sluice_image *image,
                                     const struct sluice_text_buffer *user_data)
{
    const struct sluice_parts *parts = decoding->parts;
    enum sluice_status status;

    if (parts->cut || (parts->count != IMAGE_PARTS && parts->count != IMAGE_PARTS + 1))
        return sluice_error_set(decoding->error, SLUICE_MALFORMED,
                                "stream1: an image of %s%u parts; it must be 4, or 5 with an "
                                "appendix",
                                parts->cut ? "more than " : "", parts->count);
    status = read_plane(decoding, &image->planes[0]);
    if (status == SLUICE_OK)
        status = read_times(decoding, image);
    if (status != SLUICE_OK)
        return status;
    image->plane_count = 1;
    if (parts->count > IMAGE_PARTS)
        image->user_data = sluice_user_data_of_text(user_data, parts->part[IMAGE_PARTS]);
    return SLUICE_OK;
}

enum sluice_status sluice_stream1_decode(const struct sluice_parts *parts,
                                         struct sluice_message_head *head,
                                         struct sluice_image *image,
                                         const struct sluice_text_buffer *user_data,
                                         struct sluice_error *error)
{
    const struct decoding decoding = {.parts = parts, .head = head, .error = error};
    enum sluice_status status;

    *head = (struct sluice_message_head){0};
    status = read_head(&decoding, head);
    if (head->kind != SLUICE_MESSAGE_IMAGE)
        return status;
    image->image_id = head->image_id;
    image->plane_count = 0;
    image->user_data = (struct sluice_span){0};
    image->start_time = image->stop_time = image->real_time = NAN;
    return status == SLUICE_OK ? read_image(&decoding, image, user_data) : status;
}

const struct sluice_protocol_ops sluice_stream1_protocol = {
    .name = "stream1",
    .title = "Stream V1",
    .probe = sluice_stream1_probe,
    .decode = sluice_stream1_decode,
    .start = sluice_stream1_start,
};
