/* SPDX-License-Identifier: Apache-2.0
 *
 * Design: each reader takes the one item at the cursor. Scalars accept every width that CBOR has,
 * because detectors pick the shortest. Invariant: a typed array leaves here only with a dtype that
 * Sluice can store unchanged and with the element size that its compression states. */
#include "ingest/protocol/cbor_value.h"

#include <math.h>
#include <string.h>

#define TAG_ARRAY_ROW_MAJOR    40
#define TAG_ARRAY_COLUMN_MAJOR 1040
#define TAG_COMPRESSED         56500

#define DIMENSION_MAX INT32_MAX
#define CHUNK_MAX     UINT32_MAX /* bytes */

enum sluice_status sluice_cbor_read_uint(struct sluice_cbor_cursor *cursor, uint64_t *value,
                                         bool *known)
{
    struct sluice_cbor_token token;
    enum sluice_status status = sluice_cbor_next_untagged(cursor, &token);

    if (status != SLUICE_OK)
        return status;
    *known = token.kind != SLUICE_CBOR_NULL;
    if (token.kind == SLUICE_CBOR_UINT) {
        *value = token.value;
    } else if (token.kind == SLUICE_CBOR_FLOAT && token.number >= 0 && token.number < 0x1p64 &&
               token.number == floor(token.number)) {
        *value = (uint64_t)token.number;
    } else if (*known) {
        return sluice_cbor_fail(cursor, SLUICE_MALFORMED, "it must be an unsigned integer");
    }
    return SLUICE_OK;
}

enum sluice_status sluice_cbor_read_int(struct sluice_cbor_cursor *cursor, int64_t *value,
                                        bool *known)
{
    struct sluice_cbor_token token;
    enum sluice_status status = sluice_cbor_next_untagged(cursor, &token);

    if (status != SLUICE_OK)
        return status;
    *known = token.kind != SLUICE_CBOR_NULL;
    if (token.kind == SLUICE_CBOR_UINT && token.value <= INT64_MAX) {
        *value = (int64_t)token.value;
    } else if (token.kind == SLUICE_CBOR_NEGINT && token.value <= INT64_MAX) {
        *value = -1 - (int64_t)token.value;
    } else if (token.kind == SLUICE_CBOR_FLOAT && token.number >= -0x1p63 &&
               token.number < 0x1p63 && token.number == floor(token.number)) {
        *value = (int64_t)token.number;
    } else if (*known) {
        return sluice_cbor_fail(cursor, SLUICE_MALFORMED, "it must be an integer of 64 bits");
    }
    return SLUICE_OK;
}

/* False when the token is no number. */
static bool token_number(const struct sluice_cbor_token *token, double *value)
{
    switch (token->kind) {
    case SLUICE_CBOR_UINT:
        *value = (double)token->value;
        return true;
    case SLUICE_CBOR_NEGINT:
        *value = -1.0 - (double)token->value;
        return true;
    case SLUICE_CBOR_FLOAT:
        *value = token->number;
        return true;
    case SLUICE_CBOR_NULL:
        *value = NAN;
        return true;
    default:
        return false;
    }
}

enum sluice_status sluice_cbor_read_double(struct sluice_cbor_cursor *cursor, double *value)
{
    struct sluice_cbor_token token;
    enum sluice_status status = sluice_cbor_next_untagged(cursor, &token);

    if (status == SLUICE_OK && !token_number(&token, value))
        return sluice_cbor_fail(cursor, SLUICE_MALFORMED, "it must be a number");
    return status;
}

/* The items of an array that must have exactly `count`. */
static enum sluice_status end_of_array(struct sluice_cbor_cursor *cursor,
                                       struct sluice_cbor_items *items, const char *why)
{
    bool more;
    enum sluice_status status = sluice_cbor_more(cursor, items, &more);

    return status == SLUICE_OK && more ? sluice_cbor_fail(cursor, SLUICE_MALFORMED, why) : status;
}

/* Steps into the next item of an array; MALFORMED with `why` when there is none. */
static enum sluice_status next_of_array(struct sluice_cbor_cursor *cursor,
                                        struct sluice_cbor_items *items, const char *why)
{
    bool more;
    enum sluice_status status = sluice_cbor_more(cursor, items, &more);

    return status == SLUICE_OK && !more ? sluice_cbor_fail(cursor, SLUICE_MALFORMED, why) : status;
}

enum sluice_status sluice_cbor_read_rational(struct sluice_cbor_cursor *cursor, double *value)
{
    static const char why[] = "it must be [numerator, denominator] or a number";
    struct sluice_cbor_token token;
    struct sluice_cbor_items items;
    double parts[2];
    enum sluice_status status = sluice_cbor_next_untagged(cursor, &token);

    if (status != SLUICE_OK)
        return status;
    if (token.kind != SLUICE_CBOR_ARRAY)
        return token_number(&token, value) ? SLUICE_OK
                                           : sluice_cbor_fail(cursor, SLUICE_MALFORMED, why);
    items = sluice_cbor_items(&token);
    for (int i = 0; i < 2; i++) {
        status = next_of_array(cursor, &items, why);
        if (status == SLUICE_OK)
            status = sluice_cbor_read_double(cursor, &parts[i]);
        if (status != SLUICE_OK)
            return status;
    }
    *value = parts[1] == 0 ? NAN : parts[0] / parts[1];
    return end_of_array(cursor, &items, why);
}

enum sluice_status sluice_cbor_read_flag(struct sluice_cbor_cursor *cursor, int *value)
{
    struct sluice_cbor_token token;
    enum sluice_status status = sluice_cbor_next_untagged(cursor, &token);

    if (status != SLUICE_OK)
        return status;
    if (token.kind == SLUICE_CBOR_BOOL)
        *value = (int)token.value;
    else if (token.kind == SLUICE_CBOR_NULL)
        *value = -1;
    else
        return sluice_cbor_fail(cursor, SLUICE_MALFORMED, "it must be true or false");
    return SLUICE_OK;
}

enum sluice_status sluice_cbor_read_text(struct sluice_cbor_cursor *cursor, size_t bytes_max,
                                         struct sluice_span *text, bool *known)
{
    struct sluice_cbor_token token;
    enum sluice_status status = sluice_cbor_next_untagged(cursor, &token);

    if (status != SLUICE_OK)
        return status;
    *known = token.kind != SLUICE_CBOR_NULL;
    if (!*known)
        return SLUICE_OK;
    if (token.kind != SLUICE_CBOR_TEXT)
        return sluice_cbor_fail(cursor, SLUICE_MALFORMED, "it must be text");
    if (token.indefinite)
        return sluice_cbor_fail(cursor, SLUICE_UNSUPPORTED,
                                "it is text in chunks (of indefinite length)");
    if (token.span.bytes > bytes_max)
        return sluice_cbor_fail(cursor, SLUICE_LIMIT, "the text is too long");
    if (memchr(token.span.data, 0, token.span.bytes) != NULL)
        return sluice_cbor_fail(cursor, SLUICE_MALFORMED, "the text holds a NUL");
    *text = token.span;
    return SLUICE_OK;
}

enum sluice_status sluice_cbor_read_name(struct sluice_cbor_cursor *cursor,
                                         struct sluice_span *name)
{
    bool known = false;
    enum sluice_status status = sluice_cbor_read_text(cursor, SLUICE_NAME_BYTES - 1, name, &known);

    if (status == SLUICE_OK && (!known || name->bytes == 0))
        return sluice_cbor_fail(cursor, SLUICE_MALFORMED, "a name in it is empty");
    return status;
}

enum sluice_status sluice_cbor_read_map(struct sluice_cbor_cursor *cursor,
                                        struct sluice_cbor_items *items, bool *known)
{
    struct sluice_cbor_token token;
    enum sluice_status status = sluice_cbor_next_untagged(cursor, &token);

    if (status != SLUICE_OK)
        return status;
    *known = token.kind != SLUICE_CBOR_NULL;
    if (*known && token.kind != SLUICE_CBOR_MAP)
        return sluice_cbor_fail(cursor, SLUICE_MALFORMED, "it must be a map");
    *items = sluice_cbor_items(&token);
    return SLUICE_OK;
}

/* RFC 8746: 64 + bits for float, signed, little-endian and log2 of the size. */
static enum sluice_status dtype_of_tag(struct sluice_cbor_cursor *cursor, uint64_t tag,
                                       enum sluice_dtype *dtype)
{
    static const enum sluice_dtype dtypes[] = {
        [64 - 64] = SLUICE_U8,  [68 - 64] = SLUICE_U8,  [69 - 64] = SLUICE_U16,
        [70 - 64] = SLUICE_U32, [71 - 64] = SLUICE_U64, [72 - 64] = SLUICE_I8,
        [77 - 64] = SLUICE_I16, [78 - 64] = SLUICE_I32, [79 - 64] = SLUICE_I64,
        [85 - 64] = SLUICE_F32, [86 - 64] = SLUICE_F64,
    };

    if (tag < 64 || tag > 87)
        return sluice_cbor_fail(cursor, SLUICE_MALFORMED,
                                "its elements must be a typed array (tags 64 to 87)");
    if ((tag >= 65 && tag <= 67) || (tag >= 73 && tag <= 75) || (tag >= 80 && tag <= 83))
        return sluice_cbor_fail(cursor, SLUICE_UNSUPPORTED,
                                "its elements are big-endian, and bytes are stored as they come: "
                                "let the detector send little-endian");
    if (tag == 76 || tag == 84 || tag == 87)
        return sluice_cbor_fail(cursor, SLUICE_UNSUPPORTED,
                                "its element type (16 or 128 bit floats, tag 76) cannot be stored");
    *dtype = dtypes[tag - 64];
    return SLUICE_OK;
}

/* [algorithm, element size, bytes], after tag 56500. */
static enum sluice_status read_compressed(struct sluice_cbor_cursor *cursor,
                                          struct sluice_cbor_typed *typed)
{
    static const char why[] = "compressed bytes must be [algorithm, element size, byte string]";
    struct sluice_cbor_token token;
    struct sluice_cbor_items items;
    enum sluice_status status = sluice_cbor_next(cursor, &token);

    if (status != SLUICE_OK)
        return status;
    if (token.kind != SLUICE_CBOR_ARRAY || (!token.indefinite && token.value != 3))
        return sluice_cbor_fail(cursor, SLUICE_MALFORMED, why);
    items = sluice_cbor_items(&token);
    for (int i = 0; i < 3; i++) {
        static const enum sluice_cbor_kind kinds[] = {SLUICE_CBOR_TEXT, SLUICE_CBOR_UINT,
                                                      SLUICE_CBOR_BYTES};

        status = next_of_array(cursor, &items, why);
        if (status == SLUICE_OK)
            status = sluice_cbor_next(cursor, &token);
        if (status != SLUICE_OK)
            return status;
        if (token.kind != kinds[i])
            return sluice_cbor_fail(cursor, SLUICE_MALFORMED, why);
        if (token.indefinite)
            return sluice_cbor_fail(cursor, SLUICE_UNSUPPORTED,
                                    "its compressed bytes come in chunks (indefinite length)");
        if (i == 0) {
            if (token.span.bytes == 5 && memcmp(token.span.data, "bslz4", 5) == 0)
                typed->encoding = SLUICE_ENCODING_BSLZ4;
            else if (token.span.bytes == 3 && memcmp(token.span.data, "lz4", 3) == 0)
                typed->encoding = SLUICE_ENCODING_LZ4;
            else
                return sluice_cbor_fail(cursor, SLUICE_UNSUPPORTED,
                                        "its compression is neither bslz4 nor lz4");
        } else if (i == 1) {
            if (typed->encoding == SLUICE_ENCODING_BSLZ4 &&
                token.value != sluice_dtype_bytes(typed->dtype))
                return sluice_cbor_fail(cursor, SLUICE_MISMATCH,
                                        "the element size of its compression is not that of its "
                                        "element type");
        } else {
            typed->payload = token.span;
        }
    }
    return end_of_array(cursor, &items, why);
}

enum sluice_status sluice_cbor_read_typed(struct sluice_cbor_cursor *cursor,
                                          struct sluice_cbor_typed *typed)
{
    struct sluice_cbor_token token;
    enum sluice_status status = sluice_cbor_next(cursor, &token);

    if (status != SLUICE_OK)
        return status;
    if (token.kind != SLUICE_CBOR_TAG)
        return sluice_cbor_fail(cursor, SLUICE_MALFORMED,
                                "its elements must be a typed array (tags 64 to 87)");
    status = dtype_of_tag(cursor, token.value, &typed->dtype);
    if (status == SLUICE_OK)
        status = sluice_cbor_next(cursor, &token);
    if (status != SLUICE_OK)
        return status;
    if (token.kind == SLUICE_CBOR_TAG && token.value == TAG_COMPRESSED)
        return read_compressed(cursor, typed);
    if (token.kind != SLUICE_CBOR_BYTES)
        return sluice_cbor_fail(cursor, SLUICE_MALFORMED,
                                "a typed array must hold a byte string or compressed bytes");
    if (token.indefinite)
        return sluice_cbor_fail(cursor, SLUICE_UNSUPPORTED,
                                "its bytes come in chunks (indefinite length)");
    typed->encoding = SLUICE_ENCODING_NONE;
    typed->payload = token.span;
    return SLUICE_OK;
}

/* [rows, columns] */
static enum sluice_status read_dimensions(struct sluice_cbor_cursor *cursor, uint32_t *width,
                                          uint32_t *height)
{
    static const char why[] = "it must have two dimensions [rows, columns]";
    struct sluice_cbor_token token;
    struct sluice_cbor_items items;
    uint32_t *dimensions[2] = {height, width};
    enum sluice_status status = sluice_cbor_next(cursor, &token);

    if (status != SLUICE_OK)
        return status;
    if (token.kind != SLUICE_CBOR_ARRAY)
        return sluice_cbor_fail(cursor, SLUICE_MALFORMED, why);
    items = sluice_cbor_items(&token);
    for (int i = 0; i < 2; i++) {
        status = next_of_array(cursor, &items, why);
        if (status == SLUICE_OK)
            status = sluice_cbor_next(cursor, &token);
        if (status != SLUICE_OK)
            return status;
        if (token.kind != SLUICE_CBOR_UINT || token.value == 0)
            return sluice_cbor_fail(cursor, SLUICE_MALFORMED,
                                    "its dimensions must be integers above 0");
        if (token.value > DIMENSION_MAX)
            return sluice_cbor_fail(cursor, SLUICE_LIMIT, "a dimension of it is above 2^31 - 1");
        *dimensions[i] = (uint32_t)token.value;
    }
    return end_of_array(cursor, &items, why);
}

enum sluice_status sluice_cbor_read_image(struct sluice_cbor_cursor *cursor, uint32_t *width,
                                          uint32_t *height, struct sluice_cbor_typed *typed)
{
    static const char why[] = "it must be tag 40 of [[rows, columns], typed array]";
    struct sluice_cbor_token token;
    struct sluice_cbor_items items;
    enum sluice_status status = sluice_cbor_next(cursor, &token);

    if (status != SLUICE_OK)
        return status;
    if (token.kind == SLUICE_CBOR_TAG && token.value == TAG_ARRAY_COLUMN_MAJOR)
        return sluice_cbor_fail(cursor, SLUICE_UNSUPPORTED, "it is column-major (tag 1040)");
    if (token.kind != SLUICE_CBOR_TAG || token.value != TAG_ARRAY_ROW_MAJOR)
        return sluice_cbor_fail(cursor, SLUICE_MALFORMED, why);
    status = sluice_cbor_next(cursor, &token);
    if (status != SLUICE_OK)
        return status;
    if (token.kind != SLUICE_CBOR_ARRAY)
        return sluice_cbor_fail(cursor, SLUICE_MALFORMED, why);
    items = sluice_cbor_items(&token);
    status = next_of_array(cursor, &items, why);
    if (status == SLUICE_OK)
        status = read_dimensions(cursor, width, height);
    if (status == SLUICE_OK)
        status = next_of_array(cursor, &items, why);
    if (status == SLUICE_OK)
        status = sluice_cbor_read_typed(cursor, typed);
    if (status == SLUICE_OK)
        status = end_of_array(cursor, &items, why);
    if (status != SLUICE_OK)
        return status;
    /* Below 2^62 elements of at most 8 bytes: the division keeps the product in range. */
    if ((uint64_t)*width * *height > CHUNK_MAX / sluice_dtype_bytes(typed->dtype))
        return sluice_cbor_fail(cursor, SLUICE_LIMIT,
                                "it is 4 GiB or larger, which no HDF5 chunk can hold");
    return SLUICE_OK;
}

const char *sluice_cbor_printable(struct sluice_span name, char buffer[static SLUICE_NAME_BYTES])
{
    size_t bytes = name.bytes < SLUICE_NAME_BYTES ? name.bytes : SLUICE_NAME_BYTES - 1;

    for (size_t i = 0; i < bytes; i++)
        buffer[i] = name.data[i] > ' ' && name.data[i] < 0x7F ? (char)name.data[i] : '?';
    buffer[bytes] = '\0';
    return buffer;
}
