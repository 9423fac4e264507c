/* SPDX-License-Identifier: Apache-2.0
 *
 * Design: a message is read twice. The first walk steps over every item, which proves the message
 * well-formed and bounded, and notes where the values of the known keys begin. The second goes to
 * those values, in the order that we need them. So the order of the keys does not matter, the head
 * is known even where a later key is bad, and no reader ever meets truncated CBOR unawares.
 *
 * Of a key that stands twice the first one counts. Nothing here allocates or copies a payload. */
#include "ingest/protocol/stream2.h"

#include <math.h>
#include <string.h>

#include "core/codec/codec.h"
#include "ingest/protocol/cbor_json.h"
#include "ingest/protocol/cbor_value.h"
#include "ingest/protocol/stream2_message.h"
#include "ingest/protocol/user_data.h"

enum {
    KEY_TYPE,
    KEY_SERIES_ID,
    KEY_UNIQUE_ID,
    KEY_IMAGE_ID,
    KEY_SERIES_DATE,
    KEY_START_TIME,
    KEY_STOP_TIME,
    KEY_REAL_TIME,
    KEY_USER_DATA,
    KEY_DATA,
    KEY_COUNT,
};

static const struct sluice_cbor_key keys[KEY_COUNT] = {
    [KEY_TYPE] = SLUICE_CBOR_KEY("type"),
    [KEY_SERIES_ID] = SLUICE_CBOR_KEY("series_id"),
    [KEY_UNIQUE_ID] = SLUICE_CBOR_KEY("series_unique_id"),
    [KEY_IMAGE_ID] = SLUICE_CBOR_KEY("image_id"),
    [KEY_SERIES_DATE] = SLUICE_CBOR_KEY("series_date"),
    [KEY_START_TIME] = SLUICE_CBOR_KEY("start_time"),
    [KEY_STOP_TIME] = SLUICE_CBOR_KEY("stop_time"),
    [KEY_REAL_TIME] = SLUICE_CBOR_KEY("real_time"),
    [KEY_USER_DATA] = SLUICE_CBOR_KEY("user_data"),
    [KEY_DATA] = SLUICE_CBOR_KEY("data"),
};

static const char *const kind_names[] = {
    [SLUICE_MESSAGE_UNKNOWN] = "message",
    [SLUICE_MESSAGE_START] = "start message",
    [SLUICE_MESSAGE_IMAGE] = "image",
    [SLUICE_MESSAGE_END] = "end message",
};

struct sluice_cbor_cursor sluice_stream2_begin(struct sluice_span message)
{
    struct sluice_cbor_cursor cursor = sluice_cbor_at(message, 0);
    struct sluice_cbor_cursor after = cursor;
    struct sluice_cbor_token token;

    if (sluice_cbor_next(&after, &token) == SLUICE_OK && token.kind == SLUICE_CBOR_TAG &&
        token.value == SLUICE_STREAM2_TAG_SELF_DESCRIBED)
        return after;
    return cursor;
}

bool sluice_stream2_probe(struct sluice_span message)
{
    struct sluice_cbor_cursor cursor = sluice_stream2_begin(message);
    struct sluice_cbor_token token;

    return sluice_cbor_next(&cursor, &token) == SLUICE_OK && token.kind == SLUICE_CBOR_MAP &&
           (token.indefinite || token.value > 0) &&
           sluice_cbor_next(&cursor, &token) == SLUICE_OK && token.kind == SLUICE_CBOR_TEXT &&
           !token.indefinite;
}

enum sluice_status sluice_stream2_index(struct sluice_span message,
                                        const struct sluice_cbor_key *wanted, size_t count,
                                        size_t *offsets, struct sluice_error *error)
{
    struct sluice_cbor_cursor cursor = sluice_stream2_begin(message);
    enum sluice_status status = sluice_cbor_index(&cursor, wanted, count, offsets);

    if (status != SLUICE_OK)
        return sluice_error_set(error, status, "stream2: message of %zu bytes: %s", message.bytes,
                                cursor.why);
    if (cursor.at != message.bytes)
        return sluice_error_set(error, SLUICE_MALFORMED,
                                "stream2: %zu bytes follow the map in a message of %zu bytes",
                                message.bytes - cursor.at, message.bytes);
    return SLUICE_OK;
}

/* What goes with one message while it is decoded. */
struct decoding {
    struct sluice_span message;
    size_t offsets[KEY_COUNT];
    const struct sluice_message_head *head;
    struct sluice_error *error;
};

static enum sluice_status bad_key(const struct decoding *decoding, int key,
                                  enum sluice_status status, const char *why)
{
    return sluice_error_set(decoding->error, status, "stream2: %s: '%s': %s",
                            kind_names[decoding->head->kind], keys[key].name, why);
}

/* True with a cursor on the value when the message has the key. */
static bool find(const struct decoding *decoding, int key, struct sluice_cbor_cursor *cursor)
{
    if (decoding->offsets[key] == SLUICE_CBOR_ABSENT)
        return false;
    *cursor = sluice_cbor_at(decoding->message, decoding->offsets[key]);
    return true;
}

static enum sluice_status read_kind(const struct decoding *decoding,
                                    struct sluice_message_head *head)
{
    struct sluice_cbor_cursor cursor;
    struct sluice_span text = {0};
    bool known = false;
    enum sluice_status status;

    if (!find(decoding, KEY_TYPE, &cursor))
        return sluice_error_set(decoding->error, SLUICE_MALFORMED,
                                "stream2: the message has no key 'type'");
    status = sluice_cbor_read_text(&cursor, SLUICE_NAME_BYTES - 1, &text, &known);
    if (status != SLUICE_OK)
        return bad_key(decoding, KEY_TYPE, status, cursor.why);
    if (text.bytes == 5 && memcmp(text.data, "start", 5) == 0)
        head->kind = SLUICE_MESSAGE_START;
    else if (text.bytes == 5 && memcmp(text.data, "image", 5) == 0)
        head->kind = SLUICE_MESSAGE_IMAGE;
    else if (text.bytes == 3 && memcmp(text.data, "end", 3) == 0)
        head->kind = SLUICE_MESSAGE_END;
    else
        return bad_key(decoding, KEY_TYPE, SLUICE_UNSUPPORTED, "neither start, image nor end");
    return SLUICE_OK;
}

static enum sluice_status read_id(const struct decoding *decoding, int key, uint64_t *id,
                                  bool *known)
{
    struct sluice_cbor_cursor cursor;
    enum sluice_status status;

    *known = false;
    if (!find(decoding, key, &cursor))
        return SLUICE_OK;
    status = sluice_cbor_read_uint(&cursor, id, known);
    if (status == SLUICE_OK)
        return SLUICE_OK;
    *known = false;
    return bad_key(decoding, key, status, cursor.why);
}

static enum sluice_status read_text(const struct decoding *decoding, int key, size_t bytes_max,
                                    struct sluice_span *text, bool *known)
{
    struct sluice_cbor_cursor cursor;
    enum sluice_status status;

    *known = false;
    if (!find(decoding, key, &cursor))
        return SLUICE_OK;
    status = sluice_cbor_read_text(&cursor, bytes_max, text, known);
    if (status == SLUICE_OK)
        return SLUICE_OK;
    *known = false;
    return bad_key(decoding, key, status, cursor.why);
}

/* Reads all that it can, and answers with the first error. */
static enum sluice_status read_head(const struct decoding *decoding,
                                    struct sluice_message_head *head)
{
    enum sluice_status status, first = read_kind(decoding, head);
    bool has_date;

    status = read_id(decoding, KEY_SERIES_ID, &head->series_id, &head->has_series_id);
    first = first == SLUICE_OK ? status : first;
    status = read_text(decoding, KEY_UNIQUE_ID, SLUICE_UNIQUE_ID_BYTES - 1, &head->unique_id,
                       &head->has_unique_id);
    first = first == SLUICE_OK ? status : first;
    status = read_id(decoding, KEY_IMAGE_ID, &head->image_id, &head->has_image_id);
    first = first == SLUICE_OK ? status : first;
    status =
        read_text(decoding, KEY_SERIES_DATE, SLUICE_NAME_BYTES - 1, &head->series_date, &has_date);
    first = first == SLUICE_OK ? status : first;
    if (first == SLUICE_OK && !head->has_series_id)
        first = bad_key(decoding, KEY_SERIES_ID, SLUICE_MALFORMED, "the message has none");
    if (first == SLUICE_OK && head->kind == SLUICE_MESSAGE_IMAGE && !head->has_image_id)
        first = bad_key(decoding, KEY_IMAGE_ID, SLUICE_MALFORMED, "the message has none");
    return first;
}

/* One channel of the image, its name read already. */
static enum sluice_status read_plane(const struct decoding *decoding,
                                     struct sluice_cbor_cursor *cursor, struct sluice_plane *plane)
{
    char name[SLUICE_NAME_BYTES];
    struct sluice_cbor_typed typed = {0};
    enum sluice_status status;
    size_t element_bytes, decoded_bytes;

    status = sluice_cbor_read_image(cursor, &plane->width, &plane->height, &typed);
    if (status != SLUICE_OK)
        return sluice_error_set(decoding->error, status, "stream2: image: channel '%s': %s",
                                sluice_cbor_printable(plane->channel, name), cursor->why);
    plane->dtype = typed.dtype;
    plane->encoding = typed.encoding;
    plane->payload = typed.payload;
    plane->channel_index = 0;
    element_bytes = sluice_dtype_bytes(plane->dtype);
    decoded_bytes = (size_t)plane->width * plane->height * element_bytes;
    /* Before the walk over the framing, which jumps from block to block and would miss the cache at
     * each: the checksum reads straight through, and is needed anyway. */
    plane->checksum = sluice_checksum(plane->payload);
    plane->has_checksum = true;
    status = sluice_codec_check(plane->encoding, plane->payload, element_bytes, decoded_bytes);
    if (status != SLUICE_OK)
        return sluice_error_set(
            decoding->error, status,
            "stream2: image: channel '%s': its %zu bytes are not %ux%u pixels of %s as %s: %s",
            sluice_cbor_printable(plane->channel, name), plane->payload.bytes, plane->width,
            plane->height, sluice_dtype_name(plane->dtype), sluice_encoding_name(plane->encoding),
            sluice_status_text(status));
    return SLUICE_OK;
}

static bool has_channel(const struct sluice_image *image, struct sluice_span name)
{
    for (uint32_t p = 0; p < image->plane_count; p++) {
        if (image->planes[p].channel.bytes == name.bytes &&
            memcmp(image->planes[p].channel.data, name.data, name.bytes) == 0)
            return true;
    }
    return false;
}

static enum sluice_status read_data(const struct decoding *decoding, struct sluice_image *image)
{
    struct sluice_cbor_cursor cursor;
    struct sluice_cbor_items items;
    enum sluice_status status;
    bool more = false;

    if (!find(decoding, KEY_DATA, &cursor))
        return bad_key(decoding, KEY_DATA, SLUICE_MALFORMED, "the message has none");
    status = sluice_cbor_read_map(&cursor, &items, &more);
    if (status == SLUICE_OK && !more)
        return bad_key(decoding, KEY_DATA, SLUICE_MALFORMED, "it must be a map");
    while (status == SLUICE_OK) {
        struct sluice_span name = {0};

        status = sluice_cbor_more(&cursor, &items, &more);
        if (status == SLUICE_OK && more)
            status = sluice_cbor_read_name(&cursor, &name);
        if (status != SLUICE_OK || !more)
            break;
        if (image->plane_count == SLUICE_PLANES_MAX)
            return bad_key(decoding, KEY_DATA, SLUICE_LIMIT, "it has more than 32 channels");
        if (has_channel(image, name))
            return bad_key(decoding, KEY_DATA, SLUICE_MALFORMED, "a channel stands twice in it");
        image->planes[image->plane_count].channel = name;
        status = read_plane(decoding, &cursor, &image->planes[image->plane_count]);
        if (status != SLUICE_OK)
            return status;
        image->plane_count++;
    }
    if (status != SLUICE_OK)
        return bad_key(decoding, KEY_DATA, status, cursor.why);
    if (image->plane_count == 0)
        return bad_key(decoding, KEY_DATA, SLUICE_MALFORMED, "it has no channel");
    return SLUICE_OK;
}

static enum sluice_status read_time(const struct decoding *decoding, int key, double *seconds)
{
    struct sluice_cbor_cursor cursor;
    enum sluice_status status;

    *seconds = NAN;
    if (!find(decoding, key, &cursor))
        return SLUICE_OK;
    status = sluice_cbor_read_rational(&cursor, seconds);
    return status == SLUICE_OK ? SLUICE_OK : bad_key(decoding, key, status, cursor.why);
}

/* User data never refuses an image. Text that does not fit is cut; what is too long even to be
 * written down for that is replaced by words that say so. */
static struct sluice_span read_user_data(const struct decoding *decoding,
                                         const struct sluice_text_buffer *buffer)
{
    char whole[SLUICE_USER_DATA_BYTES_CUT];
    struct sluice_cbor_cursor start, cursor;
    struct sluice_cbor_token token;
    struct sluice_json json;

    if (buffer == NULL || buffer->capacity == 0 || !find(decoding, KEY_USER_DATA, &start))
        return (struct sluice_span){0};
    cursor = start;
    if (sluice_cbor_next_untagged(&cursor, &token) == SLUICE_OK && token.kind == SLUICE_CBOR_NULL)
        return (struct sluice_span){0};
    cursor = start;
    sluice_json_init_fixed(&json, buffer->data, buffer->capacity);
    if (sluice_cbor_write_json(&cursor, &json, buffer->capacity) == SLUICE_OK)
        return (struct sluice_span){(const uint8_t *)json.text, json.bytes};
    cursor = start;
    sluice_json_init_fixed(&json, whole, sizeof(whole));
    if (sluice_cbor_write_json(&cursor, &json, sizeof(whole)) != SLUICE_OK) {
        cursor = start;
        if (sluice_cbor_skip(&cursor) != SLUICE_OK)
            return (struct sluice_span){0};
        sluice_json_init_fixed(&json, whole, sizeof(whole));
        sluice_cbor_write_omitted(&json, cursor.at - start.at);
    }
    return sluice_user_data_put(buffer, json.text, json.bytes);
}

enum sluice_status sluice_stream2_decode(struct sluice_span message,
                                         struct sluice_message_head *head,
                                         struct sluice_image *image,
                                         const struct sluice_text_buffer *user_data,
                                         struct sluice_error *error)
{
    struct decoding decoding = {.message = message, .head = head, .error = error};
    enum sluice_status status, head_status;

    *head = (struct sluice_message_head){0};
    status = sluice_stream2_index(message, keys, KEY_COUNT, decoding.offsets, error);
    /* The first error is the one that counts: the head of a broken message is read in silence. */
    if (status != SLUICE_OK)
        decoding.error = NULL;
    head_status = read_head(&decoding, head);
    if (status == SLUICE_OK)
        status = head_status;
    if (head->kind != SLUICE_MESSAGE_IMAGE)
        return status;

    image->image_id = head->image_id;
    image->plane_count = 0;
    image->user_data = (struct sluice_span){0};
    image->start_time = image->stop_time = image->real_time = NAN;
    if (status == SLUICE_OK)
        status = read_time(&decoding, KEY_START_TIME, &image->start_time);
    if (status == SLUICE_OK)
        status = read_time(&decoding, KEY_STOP_TIME, &image->stop_time);
    if (status == SLUICE_OK)
        status = read_time(&decoding, KEY_REAL_TIME, &image->real_time);
    if (status == SLUICE_OK)
        status = read_data(&decoding, image);
    if (status == SLUICE_OK)
        image->user_data = read_user_data(&decoding, user_data);
    return status;
}

/* ---- the operations of the protocol ---- */

static bool probe_parts(const struct sluice_parts *parts)
{
    return parts->count == 1 && !parts->cut && sluice_stream2_probe(parts->part[0]);
}

static enum sluice_status decode_parts(const struct sluice_parts *parts,
                                       struct sluice_message_head *head, struct sluice_image *image,
                                       const struct sluice_text_buffer *user_data,
                                       struct sluice_error *error)
{
    if (parts->count == 1 && !parts->cut)
        return sluice_stream2_decode(parts->part[0], head, image, user_data, error);
    *head = (struct sluice_message_head){0};
    return sluice_error_set(error, SLUICE_MALFORMED,
                            "%s%u parts where a Stream V2 message has one; does the detector send "
                            "another protocol?",
                            parts->cut ? "more than " : "", parts->count);
}

static enum sluice_status start_parts(const struct sluice_parts *parts,
                                      struct sluice_series **series, struct sluice_error *error)
{
    return sluice_stream2_start(parts->part[0], series, error);
}

const struct sluice_protocol_ops sluice_stream2_protocol = {
    .name = "stream2",
    .title = "Stream V2",
    .probe = probe_parts,
    .decode = decode_parts,
    .start = start_parts,
};
