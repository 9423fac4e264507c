/* SPDX-License-Identifier: Apache-2.0
 *
 * The text of a start message: every key of it but the large arrays as one JSON object, so that
 * nothing a detector says is lost for want of a place of its own.
 *
 * Design: key by key into a growing writer. A value that takes the text beyond its bound is taken
 * back (the writer's state before it is put in again) and named as omitted; once the text is full
 * the remaining keys are only counted. So memory is bounded whatever the message holds. */
#include <string.h>

#include "core/json.h"
#include "core/log.h"
#include "ingest/protocol/cbor_json.h"
#include "ingest/protocol/cbor_value.h"
#include "ingest/protocol/stream2_message.h"

#define ROOM "protocol"

#define TEXT_MAX (4u << 20) /* bytes */

static bool is_large_array(struct sluice_span key)
{
    static const struct sluice_cbor_key large[] = {
        SLUICE_CBOR_KEY("pixel_mask"), SLUICE_CBOR_KEY("flatfield"),
        SLUICE_CBOR_KEY("countrate_correction_lookup_table")};

    for (size_t i = 0; i < sizeof(large) / sizeof(large[0]); i++) {
        if (large[i].bytes == key.bytes && memcmp(large[i].name, key.data, key.bytes) == 0)
            return true;
    }
    return false;
}

/* The value at the cursor; what is too large is taken back and replaced by words that say so. */
static enum sluice_status write_field(struct sluice_cbor_cursor *cursor, struct sluice_json *json,
                                      const struct sluice_series *series)
{
    struct sluice_cbor_cursor start = *cursor;
    struct sluice_json before = *json;
    enum sluice_status status = sluice_cbor_write_json(cursor, json, TEXT_MAX);

    if (status != SLUICE_LIMIT || json->failed)
        return status;
    before.text = json->text;
    before.capacity = json->capacity;
    *json = before;
    *cursor = start;
    status = sluice_cbor_skip(cursor);
    sluice_cbor_write_omitted(json, cursor->at - start.at);
    sluice_log_warning(ROOM,
                       "start message: a field is too large for the text of the start message "
                       "and was left out of it series=%lu bytes=%zu",
                       series->series_id, cursor->at - start.at);
    return status;
}

/* One pair of the message's map, unless its value is a large array. */
static enum sluice_status write_pair(struct sluice_cbor_cursor *cursor, struct sluice_json *json,
                                     const struct sluice_series *series)
{
    struct sluice_cbor_cursor key = *cursor;
    struct sluice_cbor_token token;
    enum sluice_status status = sluice_cbor_next(&key, &token);

    if (status == SLUICE_OK && token.kind == SLUICE_CBOR_TEXT && is_large_array(token.span)) {
        status = sluice_cbor_skip(&key);
        *cursor = key;
        return status;
    }
    status = sluice_cbor_write_json_key(cursor, json, TEXT_MAX);
    return status == SLUICE_OK ? write_field(cursor, json, series) : status;
}

static enum sluice_status skip_pair(struct sluice_cbor_cursor *cursor)
{
    enum sluice_status status = sluice_cbor_skip(cursor);

    return status == SLUICE_OK ? sluice_cbor_skip(cursor) : status;
}

enum sluice_status sluice_stream2_text(struct sluice_span message, struct sluice_series *series,
                                       struct sluice_error *error)
{
    struct sluice_cbor_cursor cursor = sluice_stream2_begin(message);
    struct sluice_json json = {0};
    struct sluice_cbor_items items;
    uint64_t omitted = 0;
    bool known, more;
    enum sluice_status status = sluice_cbor_read_map(&cursor, &items, &known);

    sluice_json_object_begin(&json);
    while (status == SLUICE_OK) {
        status = sluice_cbor_more(&cursor, &items, &more);
        if (status != SLUICE_OK || !more)
            break;
        if (json.bytes < TEXT_MAX) {
            status = write_pair(&cursor, &json, series);
        } else {
            status = skip_pair(&cursor);
            omitted++;
        }
    }
    if (omitted > 0) {
        sluice_json_key(&json, "omitted_keys");
        sluice_json_uint(&json, omitted);
    }
    sluice_json_object_end(&json);
    if (status == SLUICE_OK && json.failed)
        status = SLUICE_NO_MEMORY;
    if (status != SLUICE_OK) {
        sluice_json_close(&json);
        return sluice_error_set(error, status,
                                "stream2: start message: its text cannot be made: %s",
                                cursor.why != NULL ? cursor.why : sluice_status_text(status));
    }
    series->start_message = json.text;
    return SLUICE_OK;
}
