/* SPDX-License-Identifier: Apache-2.0
 *
 * Design: each call of libcbor's stateless decoder yields one token through one of its callbacks,
 * which only fill the token. What libcbor 0.8 refuses although it is CBOR (tags 6 to 20, unassigned
 * simple values) is decoded here.
 *
 * Invariants: at <= bytes. A token of a container never claims more items than bytes remain, so a
 * walk over any message ends within its bytes. The whole message is in memory, so "not enough data"
 * always means a truncated message; libcbor's `required`, which can wrap, is not looked at. */
#include "ingest/protocol/cbor_cursor.h"

#include <cbor.h>
#include <string.h>

#define TRUNCATED_WHY "the message ends in the middle of it, or a length in it is wrong"

/* Sets the whole token: what the kind does not have is empty, never left from the token before. */
static void fill(void *context, enum sluice_cbor_kind kind, uint64_t value, bool indefinite)
{
    struct sluice_cbor_token *token = context;

    *token = (struct sluice_cbor_token){.kind = kind, .indefinite = indefinite, .value = value};
}

static void on_uint8(void *context, uint8_t value)
{
    fill(context, SLUICE_CBOR_UINT, value, false);
}

static void on_uint16(void *context, uint16_t value)
{
    fill(context, SLUICE_CBOR_UINT, value, false);
}

static void on_uint32(void *context, uint32_t value)
{
    fill(context, SLUICE_CBOR_UINT, value, false);
}

static void on_uint64(void *context, uint64_t value)
{
    fill(context, SLUICE_CBOR_UINT, value, false);
}

static void on_negint8(void *context, uint8_t value)
{
    fill(context, SLUICE_CBOR_NEGINT, value, false);
}

static void on_negint16(void *context, uint16_t value)
{
    fill(context, SLUICE_CBOR_NEGINT, value, false);
}

static void on_negint32(void *context, uint32_t value)
{
    fill(context, SLUICE_CBOR_NEGINT, value, false);
}

static void on_negint64(void *context, uint64_t value)
{
    fill(context, SLUICE_CBOR_NEGINT, value, false);
}

static void on_float(void *context, float value)
{
    fill(context, SLUICE_CBOR_FLOAT, 0, false);
    ((struct sluice_cbor_token *)context)->number = value;
}

static void on_double(void *context, double value)
{
    fill(context, SLUICE_CBOR_FLOAT, 0, false);
    ((struct sluice_cbor_token *)context)->number = value;
}

static void on_bytes(void *context, cbor_data data, size_t bytes)
{
    fill(context, SLUICE_CBOR_BYTES, 0, false);
    ((struct sluice_cbor_token *)context)->span = (struct sluice_span){data, bytes};
}

static void on_text(void *context, cbor_data data, size_t bytes)
{
    fill(context, SLUICE_CBOR_TEXT, 0, false);
    ((struct sluice_cbor_token *)context)->span = (struct sluice_span){data, bytes};
}

static void on_bytes_start(void *context)
{
    fill(context, SLUICE_CBOR_BYTES, 0, true);
}

static void on_text_start(void *context)
{
    fill(context, SLUICE_CBOR_TEXT, 0, true);
}

static void on_array(void *context, size_t count)
{
    fill(context, SLUICE_CBOR_ARRAY, count, false);
}

static void on_array_start(void *context)
{
    fill(context, SLUICE_CBOR_ARRAY, 0, true);
}

static void on_map(void *context, size_t count)
{
    fill(context, SLUICE_CBOR_MAP, count, false);
}

static void on_map_start(void *context)
{
    fill(context, SLUICE_CBOR_MAP, 0, true);
}

static void on_tag(void *context, uint64_t tag)
{
    fill(context, SLUICE_CBOR_TAG, tag, false);
}

static void on_bool(void *context, bool value)
{
    fill(context, SLUICE_CBOR_BOOL, value, false);
}

static void on_null(void *context)
{
    fill(context, SLUICE_CBOR_NULL, 0, false);
}

static void on_break(void *context)
{
    fill(context, SLUICE_CBOR_BREAK, 0, false);
}

static const struct cbor_callbacks callbacks = {
    .uint8 = on_uint8,
    .uint16 = on_uint16,
    .uint32 = on_uint32,
    .uint64 = on_uint64,
    .negint8 = on_negint8,
    .negint16 = on_negint16,
    .negint32 = on_negint32,
    .negint64 = on_negint64,
    .byte_string_start = on_bytes_start,
    .byte_string = on_bytes,
    .string = on_text,
    .string_start = on_text_start,
    .indef_array_start = on_array_start,
    .array_start = on_array,
    .indef_map_start = on_map_start,
    .map_start = on_map,
    .tag = on_tag,
    .float2 = on_float,
    .float4 = on_float,
    .float8 = on_double,
    .undefined = on_null,
    .null = on_null,
    .boolean = on_bool,
    .indef_break = on_break,
};

/* Tags 6 to 20 and simple values without a meaning are legal, and libcbor 0.8 refuses them. */
static enum sluice_status next_unassigned(struct sluice_cbor_cursor *cursor,
                                          struct sluice_cbor_token *token)
{
    uint8_t initial = cursor->data[cursor->at];

    if (initial >= 0xC0 && initial <= 0xD7) {
        fill(token, SLUICE_CBOR_TAG, initial - 0xC0u, false);
        cursor->at += 1;
        return SLUICE_OK;
    }
    if (initial >= 0xE0 && initial <= 0xF3) {
        fill(token, SLUICE_CBOR_SIMPLE, initial - 0xE0u, false);
        cursor->at += 1;
        return SLUICE_OK;
    }
    if (initial == 0xF8) {
        if (cursor->bytes - cursor->at < 2)
            return sluice_cbor_fail(cursor, SLUICE_TRUNCATED, TRUNCATED_WHY);
        if (cursor->data[cursor->at + 1] >= 32) {
            fill(token, SLUICE_CBOR_SIMPLE, cursor->data[cursor->at + 1], false);
            cursor->at += 2;
            return SLUICE_OK;
        }
    }
    return sluice_cbor_fail(cursor, SLUICE_MALFORMED, "it holds bytes that are not CBOR");
}

enum sluice_status sluice_cbor_next(struct sluice_cbor_cursor *cursor,
                                    struct sluice_cbor_token *token)
{
    struct cbor_decoder_result result;
    size_t remaining = cursor->bytes - cursor->at;

    if (remaining == 0)
        return sluice_cbor_fail(cursor, SLUICE_TRUNCATED, TRUNCATED_WHY);
    token->kind = SLUICE_CBOR_NONE;
    result = cbor_stream_decode(cursor->data + cursor->at, remaining, &callbacks, token);
    if (result.status == CBOR_DECODER_NEDATA)
        return sluice_cbor_fail(cursor, SLUICE_TRUNCATED, TRUNCATED_WHY);
    if (result.status != CBOR_DECODER_FINISHED || token->kind == SLUICE_CBOR_NONE)
        return next_unassigned(cursor, token);
    cursor->at += result.read;
    remaining -= result.read;
    /* Every item takes at least one byte, every pair two. */
    if ((token->kind == SLUICE_CBOR_ARRAY && token->value > remaining) ||
        (token->kind == SLUICE_CBOR_MAP && token->value > remaining / 2))
        return sluice_cbor_fail(cursor, SLUICE_TRUNCATED, TRUNCATED_WHY);
    return SLUICE_OK;
}

enum sluice_status sluice_cbor_next_untagged(struct sluice_cbor_cursor *cursor,
                                             struct sluice_cbor_token *token)
{
    for (uint32_t depth = 0; depth < SLUICE_CBOR_DEPTH_MAX; depth++) {
        enum sluice_status status = sluice_cbor_next(cursor, token);

        if (status != SLUICE_OK || token->kind != SLUICE_CBOR_TAG)
            return status;
    }
    return sluice_cbor_fail(cursor, SLUICE_LIMIT, "it is nested too deep");
}

/* The chunks of a string whose indefinite start was read, up to and with the break. */
static enum sluice_status skip_chunks(struct sluice_cbor_cursor *cursor, enum sluice_cbor_kind kind)
{
    struct sluice_cbor_token chunk;

    for (;;) {
        enum sluice_status status = sluice_cbor_next(cursor, &chunk);

        if (status != SLUICE_OK)
            return status;
        if (chunk.kind == SLUICE_CBOR_BREAK)
            return SLUICE_OK;
        if (chunk.kind != kind || chunk.indefinite)
            return sluice_cbor_fail(cursor, SLUICE_MALFORMED,
                                    "a string in chunks holds something else than its chunks");
    }
}

/* A container or tag that the skip is inside of. */
struct level {
    uint64_t left; /* items still to come, unless indefinite */
    bool indefinite, map, odd;
};

/* An item ended at `depth`: ends every container that it was the last item of. */
static uint32_t end_item(struct level *levels, uint32_t depth)
{
    while (depth > 0 && !levels[depth - 1].indefinite && --levels[depth - 1].left == 0)
        depth--;
    if (depth > 0 && levels[depth - 1].indefinite)
        levels[depth - 1].odd = !levels[depth - 1].odd;
    return depth;
}

enum sluice_status sluice_cbor_skip(struct sluice_cbor_cursor *cursor)
{
    struct level levels[SLUICE_CBOR_DEPTH_MAX];
    uint32_t depth = 0;

    do {
        struct sluice_cbor_token token;
        struct level inner = {0};
        enum sluice_status status = sluice_cbor_next(cursor, &token);

        if (status == SLUICE_OK && token.indefinite &&
            (token.kind == SLUICE_CBOR_BYTES || token.kind == SLUICE_CBOR_TEXT))
            status = skip_chunks(cursor, token.kind);
        if (status != SLUICE_OK)
            return status;
        if (token.kind == SLUICE_CBOR_ARRAY || token.kind == SLUICE_CBOR_MAP) {
            inner.map = token.kind == SLUICE_CBOR_MAP;
            inner.left = inner.map ? token.value * 2 : token.value;
            inner.indefinite = token.indefinite;
        } else if (token.kind == SLUICE_CBOR_TAG) {
            inner.left = 1;
        } else if (token.kind == SLUICE_CBOR_BREAK) {
            if (depth == 0 || !levels[depth - 1].indefinite ||
                (levels[depth - 1].map && levels[depth - 1].odd))
                return sluice_cbor_fail(cursor, SLUICE_MALFORMED, "it ends where it must not");
            depth--;
        }
        if (inner.left > 0 || inner.indefinite) {
            if (depth == SLUICE_CBOR_DEPTH_MAX)
                return sluice_cbor_fail(cursor, SLUICE_LIMIT, "it is nested too deep");
            levels[depth++] = inner;
        } else {
            depth = end_item(levels, depth);
        }
    } while (depth > 0);
    return SLUICE_OK;
}

enum sluice_status sluice_cbor_more(struct sluice_cbor_cursor *cursor,
                                    struct sluice_cbor_items *items, bool *more)
{
    if (!items->indefinite) {
        *more = items->left > 0;
        items->left -= *more;
        return SLUICE_OK;
    }
    *more = false;
    if (cursor->at == cursor->bytes)
        return sluice_cbor_fail(cursor, SLUICE_TRUNCATED, TRUNCATED_WHY);
    if (cursor->data[cursor->at] == 0xFF)
        cursor->at++;
    else
        *more = true;
    return SLUICE_OK;
}

/* The value of the map's next pair begins at the cursor: notes it when its key is wanted. */
static void note_key(struct sluice_span key, size_t at, const struct sluice_cbor_key *keys,
                     size_t count, size_t *offsets)
{
    for (size_t k = 0; k < count; k++) {
        if (keys[k].bytes == key.bytes && memcmp(keys[k].name, key.data, key.bytes) == 0) {
            if (offsets[k] == SLUICE_CBOR_ABSENT)
                offsets[k] = at;
            return;
        }
    }
}

enum sluice_status sluice_cbor_index(struct sluice_cbor_cursor *cursor,
                                     const struct sluice_cbor_key *keys, size_t count,
                                     size_t *offsets)
{
    struct sluice_cbor_token token;
    struct sluice_cbor_items items;
    enum sluice_status status;
    bool more;

    for (size_t k = 0; k < count; k++)
        offsets[k] = SLUICE_CBOR_ABSENT;
    status = sluice_cbor_next(cursor, &token);
    if (status != SLUICE_OK)
        return status;
    if (token.kind != SLUICE_CBOR_MAP)
        return sluice_cbor_fail(cursor, SLUICE_MALFORMED, "it must be a map");
    items = sluice_cbor_items(&token);
    while ((status = sluice_cbor_more(cursor, &items, &more)) == SLUICE_OK && more) {
        size_t key_at = cursor->at, value_at;

        status = sluice_cbor_next(cursor, &token);
        if (status != SLUICE_OK)
            return status;
        if (token.kind == SLUICE_CBOR_TEXT && token.indefinite)
            return sluice_cbor_fail(cursor, SLUICE_UNSUPPORTED, "a key of it is text in chunks");
        if (token.kind != SLUICE_CBOR_TEXT) {
            cursor->at = key_at;
            status = sluice_cbor_skip(cursor);
            if (status != SLUICE_OK)
                return status;
        }
        value_at = cursor->at;
        status = sluice_cbor_skip(cursor);
        if (status != SLUICE_OK)
            return status;
        if (token.kind == SLUICE_CBOR_TEXT)
            note_key(token.span, value_at, keys, count, offsets);
    }
    return status;
}
