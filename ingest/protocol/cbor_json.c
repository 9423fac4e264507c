/* SPDX-License-Identifier: Apache-2.0
 *
 * Design: recursive, bounded by SLUICE_CBOR_DEPTH_MAX, which every caller's cursor has already
 * enforced over the same bytes and which is enforced here again. The working buffers live in leaf
 * functions that are kept out of line, so that the recursion's own frames stay small.
 *
 * Invariant: the text never grows by more than a constant factor of the item, and not beyond
 * bytes_max by more than one token, itself below bytes_max. */
#include "ingest/protocol/cbor_json.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define BYTES_MAX  (64u * 1024) /* of a byte string */
#define CHUNKS_MAX 4096         /* of a string in chunks, joined */
#define KEY_MAX    256          /* of the text of a key that is not text */

/* The value of a field of start_message is one level inside its object. */
static_assert(SLUICE_CBOR_DEPTH_MAX + 1 < SLUICE_JSON_DEPTH_MAX, "values must fit the JSON writer");

void sluice_cbor_write_omitted(struct sluice_json *json, size_t bytes)
{
    sluice_json_object_begin(json);
    sluice_json_key(json, "bytes");
    sluice_json_uint(json, bytes);
    sluice_json_key(json, "omitted");
    sluice_json_bool(json, true);
    sluice_json_object_end(json);
}

static __attribute__((noinline)) void write_bytes(struct sluice_json *json, struct sluice_span span)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char text[(BYTES_MAX + 2) / 3 * 4];
    size_t at = 0;

    if (span.bytes > BYTES_MAX) {
        sluice_cbor_write_omitted(json, span.bytes);
        return;
    }
    for (size_t i = 0; i < span.bytes; i += 3) {
        size_t left = span.bytes - i;
        uint32_t group = (uint32_t)span.data[i] << 16;

        if (left > 1)
            group |= (uint32_t)span.data[i + 1] << 8;
        if (left > 2)
            group |= span.data[i + 2];
        text[at++] = digits[group >> 18];
        text[at++] = digits[group >> 12 & 63];
        text[at++] = left > 1 ? digits[group >> 6 & 63] : '=';
        text[at++] = left > 2 ? digits[group & 63] : '=';
    }
    sluice_json_object_begin(json);
    sluice_json_key(json, "base64");
    sluice_json_text_span(json, text, at);
    sluice_json_object_end(json);
}

/* A string of indefinite length whose start was read. */
static __attribute__((noinline)) enum sluice_status write_chunks(struct sluice_cbor_cursor *cursor,
                                                                 enum sluice_cbor_kind kind,
                                                                 struct sluice_json *json)
{
    struct sluice_cbor_token chunk;
    uint8_t joined[CHUNKS_MAX];
    size_t bytes = 0;

    for (;;) {
        enum sluice_status status = sluice_cbor_next(cursor, &chunk);

        if (status != SLUICE_OK)
            return status;
        if (chunk.kind == SLUICE_CBOR_BREAK)
            break;
        if (chunk.kind != kind || chunk.indefinite)
            return sluice_cbor_fail(cursor, SLUICE_MALFORMED,
                                    "a string in chunks holds something else than its chunks");
        if (chunk.span.bytes <= sizeof(joined) && bytes <= sizeof(joined) - chunk.span.bytes)
            memcpy(joined + bytes, chunk.span.data, chunk.span.bytes);
        bytes += chunk.span.bytes;
    }
    if (bytes > sizeof(joined))
        sluice_cbor_write_omitted(json, bytes);
    else if (kind == SLUICE_CBOR_TEXT)
        sluice_json_text_span(json, (const char *)joined, bytes);
    else
        write_bytes(json, (struct sluice_span){joined, bytes});
    return SLUICE_OK;
}

/* `depth`: how many containers and tags the item is inside of. */
static enum sluice_status write_item(struct sluice_cbor_cursor *cursor, struct sluice_json *json,
                                     size_t bytes_max, uint32_t depth);

/* A key that is not text becomes its own JSON text. */
static __attribute__((noinline)) enum sluice_status
write_other_key(struct sluice_cbor_cursor *cursor, struct sluice_json *json, uint32_t depth)
{
    char text[KEY_MAX];
    struct sluice_json writer;
    struct sluice_cbor_cursor start = *cursor;
    size_t at = cursor->at;
    enum sluice_status status = sluice_cbor_skip(cursor);

    if (status != SLUICE_OK)
        return status;
    sluice_json_init_fixed(&writer, text, sizeof(text));
    status = write_item(&start, &writer, sizeof(text), depth);
    if (status == SLUICE_OK && !writer.failed) {
        sluice_json_key_span(json, text, writer.bytes);
    } else {
        int bytes = snprintf(text, sizeof(text), "key of %zu bytes", cursor->at - at);

        sluice_json_key_span(json, text, (size_t)bytes);
    }
    return SLUICE_OK;
}

static enum sluice_status write_key(struct sluice_cbor_cursor *cursor, struct sluice_json *json,
                                    size_t bytes_max, uint32_t depth)
{
    size_t at = cursor->at;
    struct sluice_cbor_token token;
    enum sluice_status status = sluice_cbor_next(cursor, &token);

    if (status != SLUICE_OK)
        return status;
    if (token.kind != SLUICE_CBOR_TEXT || token.indefinite) {
        cursor->at = at;
        return write_other_key(cursor, json, depth);
    }
    if (token.span.bytes > bytes_max)
        return SLUICE_LIMIT;
    sluice_json_key_span(json, (const char *)token.span.data, token.span.bytes);
    return SLUICE_OK;
}

static enum sluice_status write_container(struct sluice_cbor_cursor *cursor,
                                          const struct sluice_cbor_token *token,
                                          struct sluice_json *json, size_t bytes_max,
                                          uint32_t depth)
{
    struct sluice_cbor_items items = sluice_cbor_items(token);
    bool is_map = token->kind == SLUICE_CBOR_MAP;
    bool more;
    enum sluice_status status;

    if (is_map)
        sluice_json_object_begin(json);
    else
        sluice_json_array_begin(json);
    while ((status = sluice_cbor_more(cursor, &items, &more)) == SLUICE_OK && more) {
        if (is_map)
            status = write_key(cursor, json, bytes_max, depth);
        if (status == SLUICE_OK)
            status = write_item(cursor, json, bytes_max, depth);
        if (status != SLUICE_OK)
            return status;
    }
    if (status != SLUICE_OK)
        return status;
    if (is_map)
        sluice_json_object_end(json);
    else
        sluice_json_array_end(json);
    return SLUICE_OK;
}

static void write_simple(struct sluice_json *json, uint64_t value)
{
    sluice_json_object_begin(json);
    sluice_json_key(json, "simple");
    sluice_json_uint(json, value);
    sluice_json_object_end(json);
}

static enum sluice_status write_item(struct sluice_cbor_cursor *cursor, struct sluice_json *json,
                                     size_t bytes_max, uint32_t depth)
{
    struct sluice_cbor_token token;
    enum sluice_status status;

    do {
        if (depth++ > SLUICE_CBOR_DEPTH_MAX)
            return sluice_cbor_fail(cursor, SLUICE_LIMIT, "it is nested too deep");
        status = sluice_cbor_next(cursor, &token);
        if (status != SLUICE_OK)
            return status;
    } while (token.kind == SLUICE_CBOR_TAG);
    if (json->failed || json->bytes > bytes_max)
        return SLUICE_LIMIT;
    if ((token.kind == SLUICE_CBOR_TEXT || token.kind == SLUICE_CBOR_BYTES) && token.indefinite)
        return write_chunks(cursor, token.kind, json);

    switch (token.kind) {
    case SLUICE_CBOR_UINT:
        sluice_json_uint(json, token.value);
        break;
    case SLUICE_CBOR_NEGINT:
        sluice_json_int128(json, -1 - (__int128)token.value);
        break;
    case SLUICE_CBOR_FLOAT:
        sluice_json_double(json, token.number);
        break;
    case SLUICE_CBOR_BOOL:
        sluice_json_bool(json, token.value != 0);
        break;
    case SLUICE_CBOR_NULL:
        sluice_json_null(json);
        break;
    case SLUICE_CBOR_SIMPLE:
        write_simple(json, token.value);
        break;
    case SLUICE_CBOR_TEXT:
        if (token.span.bytes > bytes_max)
            return SLUICE_LIMIT;
        sluice_json_text_span(json, (const char *)token.span.data, token.span.bytes);
        break;
    case SLUICE_CBOR_BYTES:
        write_bytes(json, token.span);
        break;
    case SLUICE_CBOR_ARRAY:
    case SLUICE_CBOR_MAP:
        return write_container(cursor, &token, json, bytes_max, depth);
    default:
        return sluice_cbor_fail(cursor, SLUICE_MALFORMED, "it ends where it must not");
    }
    return SLUICE_OK;
}

enum sluice_status sluice_cbor_write_json(struct sluice_cbor_cursor *cursor,
                                          struct sluice_json *json, size_t bytes_max)
{
    enum sluice_status status = write_item(cursor, json, bytes_max, 0);

    return status == SLUICE_OK && (json->failed || json->bytes > bytes_max) ? SLUICE_LIMIT : status;
}

enum sluice_status sluice_cbor_write_json_key(struct sluice_cbor_cursor *cursor,
                                              struct sluice_json *json, size_t bytes_max)
{
    return write_key(cursor, json, bytes_max, 0);
}
