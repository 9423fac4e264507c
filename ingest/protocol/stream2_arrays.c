/* SPDX-License-Identifier: Apache-2.0
 *
 * Design: every array goes the same way: read its description, compare it with what it must be,
 * walk its framing, and only then take memory. Masks and tables become uint32, flatfields float32;
 * narrower integers are widened, doubles narrowed, and anything else is refused.
 *
 * Invariant: memory is taken for at most LZ4_EXPANSION_MAX bytes for each of the payload, whatever
 * the message claims, and for the wider elements that they become. */
#include "ingest/protocol/stream2_arrays.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/codec/codec.h"
#include "core/log.h"
#include "ingest/protocol/cbor_value.h"

#define ROOM "protocol"

/* An LZ4 block cannot give more bytes than this for each of its own. */
#define LZ4_EXPANSION_MAX 255

/* Typed arrays are little-endian and are used as they come. */
static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "a little-endian machine");

struct sluice_channel *sluice_stream2_channel(struct sluice_series *series, struct sluice_span name)
{
    for (uint32_t c = 0; c < series->channel_count; c++) {
        struct sluice_channel *channel = &series->channels[c];

        if (strlen(channel->name) == name.bytes &&
            memcmp(channel->name, name.data, name.bytes) == 0)
            return channel;
    }
    return NULL;
}

static bool is_convertible(enum sluice_dtype from, enum sluice_dtype to)
{
    if (to == SLUICE_U32)
        return from == SLUICE_U8 || from == SLUICE_U16 || from == SLUICE_U32;
    return from == SLUICE_F32 || from == SLUICE_F64;
}

/* `raw` is freed or becomes the answer; NULL when memory is out. */
static void *convert(void *raw, size_t count, enum sluice_dtype from, enum sluice_dtype to)
{
    void *elements;

    if (from == to)
        return raw;
    elements = sluice_series_array(count * sluice_dtype_bytes(to));
    for (size_t i = 0; elements != NULL && i < count; i++) {
        if (from == SLUICE_U8)
            ((uint32_t *)elements)[i] = ((const uint8_t *)raw)[i];
        else if (from == SLUICE_U16)
            ((uint32_t *)elements)[i] = ((const uint16_t *)raw)[i];
        else
            ((float *)elements)[i] = (float)((const double *)raw)[i];
    }
    free(raw);
    return elements;
}

/* `count` elements of type `to` in new memory. On an error *why says what is wrong. */
static void *decode_elements(const struct sluice_cbor_typed *typed, size_t count,
                             enum sluice_dtype to, const char **why)
{
    struct sluice_codec_scratch scratch = {0};
    size_t element_bytes = sluice_dtype_bytes(typed->dtype);
    size_t bytes = count * element_bytes; /* the caller has bounded the product */
    enum sluice_status status;
    void *raw;

    if (!is_convertible(typed->dtype, to)) {
        *why = to == SLUICE_U32 ? "its elements must be uint8, uint16 or uint32"
                                : "its elements must be float32 or float64";
        return NULL;
    }
    status = sluice_codec_check(typed->encoding, typed->payload, element_bytes, bytes);
    if (status == SLUICE_OK && bytes / LZ4_EXPANSION_MAX > typed->payload.bytes)
        status = SLUICE_MISMATCH;
    if (status != SLUICE_OK) {
        *why = "its bytes are not as many elements as it must have";
        return NULL;
    }
    raw = sluice_series_array(bytes);
    if (raw == NULL) {
        *why = "out of memory";
        return NULL;
    }
    status =
        sluice_codec_decode(typed->encoding, typed->payload, element_bytes, raw, bytes, &scratch);
    sluice_codec_scratch_close(&scratch);
    if (status != SLUICE_OK) {
        *why = status == SLUICE_NO_MEMORY ? "out of memory" : "its bytes do not decompress";
        free(raw);
        return NULL;
    }
    raw = convert(raw, count, typed->dtype, to);
    if (raw == NULL)
        *why = "out of memory";
    return raw;
}

/* The array at the cursor, of the image's size. */
static void *read_pixels(struct sluice_cbor_cursor *cursor, const struct sluice_series *series,
                         enum sluice_dtype to, const char **why)
{
    struct sluice_cbor_typed typed = {0};
    uint32_t width = 0, height = 0;

    if (sluice_cbor_read_image(cursor, &width, &height, &typed) != SLUICE_OK) {
        *why = cursor->why;
        return NULL;
    }
    if (width != series->width || height != series->height) {
        *why = "its size is not the image's";
        return NULL;
    }
    return decode_elements(&typed, (size_t)width * height, to, why);
}

/* Where a channel keeps the array that is read now. */
static void **slot_of(struct sluice_channel *channel, enum sluice_dtype dtype)
{
    return dtype == SLUICE_U32 ? (void **)&channel->pixel_mask : (void **)&channel->flatfield;
}

static void read_channel_arrays(struct sluice_cbor_cursor cursor, struct sluice_series *series,
                                const char *key, enum sluice_dtype dtype)
{
    struct sluice_cbor_items items;
    struct sluice_span name = {0};
    bool more = false;
    enum sluice_status status = sluice_cbor_read_map(&cursor, &items, &more);

    if (status == SLUICE_OK && !more)
        return; /* null */
    while (status == SLUICE_OK) {
        char text[SLUICE_NAME_BYTES];
        struct sluice_cbor_cursor value;
        struct sluice_channel *channel;
        const char *why = NULL;

        status = sluice_cbor_more(&cursor, &items, &more);
        if (status == SLUICE_OK && more)
            status = sluice_cbor_read_name(&cursor, &name);
        if (status != SLUICE_OK || !more)
            break;
        value = cursor;
        channel = sluice_stream2_channel(series, name);
        if (channel == NULL)
            why = "the series has no such channel";
        else if (*slot_of(channel, dtype) != NULL)
            why = "it stands there twice, the first one counts";
        else
            *slot_of(channel, dtype) = read_pixels(&value, series, dtype, &why);
        if (why != NULL)
            sluice_log_warning(ROOM,
                               "start message: array left out series=%lu key=%s channel=%s: %s",
                               series->series_id, key, sluice_cbor_printable(name, text), why);
        status = sluice_cbor_skip(&cursor);
    }
    if (status != SLUICE_OK)
        sluice_log_warning(ROOM, "start message: arrays left out series=%lu key=%s: %s",
                           series->series_id, key, cursor.why);
}

void sluice_stream2_pixel_masks(struct sluice_cbor_cursor cursor, struct sluice_series *series)
{
    read_channel_arrays(cursor, series, "pixel_mask", SLUICE_U32);
}

void sluice_stream2_flatfields(struct sluice_cbor_cursor cursor, struct sluice_series *series)
{
    read_channel_arrays(cursor, series, "flatfield", SLUICE_F32);
}

/* How many elements the payload holds, as far as it says; the framing is checked later. */
static size_t element_count(const struct sluice_cbor_typed *typed)
{
    uint64_t bytes = 0;

    if (typed->encoding == SLUICE_ENCODING_NONE)
        return typed->payload.bytes / sluice_dtype_bytes(typed->dtype);
    for (size_t i = 0; i < 8 && i < typed->payload.bytes; i++)
        bytes = bytes << 8 | typed->payload.data[i];
    return bytes / sluice_dtype_bytes(typed->dtype);
}

void sluice_stream2_countrate_table(struct sluice_cbor_cursor cursor, struct sluice_series *series)
{
    struct sluice_cbor_cursor start = cursor;
    struct sluice_cbor_typed typed = {0};
    struct sluice_cbor_token token;
    const char *why = NULL;
    size_t count;
    enum sluice_status status = sluice_cbor_next(&cursor, &token);

    if (status == SLUICE_OK && token.kind == SLUICE_CBOR_NULL)
        return;
    if (status == SLUICE_OK && token.kind == SLUICE_CBOR_TAG && token.value == 40) {
        /* [shape, typed array]: the shape of a table carries no meaning for us. */
        status = sluice_cbor_next(&cursor, &token);
        if (status == SLUICE_OK && (token.kind != SLUICE_CBOR_ARRAY || token.value != 2))
            status = sluice_cbor_fail(&cursor, SLUICE_MALFORMED,
                                      "it must be tag 40 of [shape, typed array]");
        if (status == SLUICE_OK)
            status = sluice_cbor_skip(&cursor);
    } else {
        cursor = start;
    }
    if (status == SLUICE_OK)
        status = sluice_cbor_read_typed(&cursor, &typed);
    if (status != SLUICE_OK) {
        why = cursor.why;
    } else if ((count = element_count(&typed)) == 0) {
        why = "it is empty";
    } else {
        series->countrate_table = decode_elements(&typed, count, SLUICE_U32, &why);
        series->countrate_table_count = series->countrate_table != NULL ? count : 0;
    }
    if (why != NULL)
        sluice_log_warning(
            ROOM,
            "start message: array left out series=%lu key=countrate_correction_lookup_table: %s",
            series->series_id, why);
}
