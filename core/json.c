/* SPDX-License-Identifier: Apache-2.0
 *
 * Design: everything goes through append(), which either has room for the whole piece and the NUL
 * or fails the writer for good; what was written before stays readable. The grammar is kept by two
 * facts: whether the open level needs a comma, and whether a key has just been written.
 *
 * Invariant: text[bytes] is NUL whenever text is not NULL and capacity is above 0. */
#include "core/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/utf8.h"

#define FIRST_CAPACITY 256

void sluice_json_init_fixed(struct sluice_json *json, char *buffer, size_t capacity)
{
    *json = (struct sluice_json){.text = buffer, .capacity = capacity, .fixed = true};
    if (capacity > 0)
        buffer[0] = '\0';
}

void sluice_json_reset(struct sluice_json *json)
{
    json->bytes = 0;
    json->failed = false;
    json->depth = 0;
    json->needs_comma[0] = false;
    json->after_key = false;
    if (json->text != NULL && json->capacity > 0)
        json->text[0] = '\0';
}

void sluice_json_close(struct sluice_json *json)
{
    if (!json->fixed)
        free(json->text);
    *json = (struct sluice_json){0};
}

static bool reserve(struct sluice_json *json, size_t more)
{
    size_t needed, capacity;
    char *text;

    if (more >= SIZE_MAX - json->bytes)
        return false;
    needed = json->bytes + more + 1;
    if (needed <= json->capacity)
        return true;
    if (json->fixed)
        return false;
    capacity = json->capacity > SIZE_MAX / 2 ? needed : json->capacity * 2;
    if (capacity < FIRST_CAPACITY)
        capacity = FIRST_CAPACITY;
    if (capacity < needed)
        capacity = needed;
    text = realloc(json->text, capacity);
    if (text == NULL)
        return false;
    json->text = text;
    json->capacity = capacity;
    return true;
}

static void append(struct sluice_json *json, const char *text, size_t bytes)
{
    if (json->failed)
        return;
    if (!reserve(json, bytes)) {
        json->failed = true;
        return;
    }
    if (bytes > 0)
        memcpy(json->text + json->bytes, text, bytes);
    json->bytes += bytes;
    json->text[json->bytes] = '\0';
}

/* Before a value or a key: the comma, where one is due. */
static void separate(struct sluice_json *json)
{
    if (json->after_key) {
        json->after_key = false;
        return;
    }
    if (json->needs_comma[json->depth])
        append(json, ",", 1);
    json->needs_comma[json->depth] = true;
}

static void begin(struct sluice_json *json, const char *bracket)
{
    separate(json);
    if (json->depth + 1 >= SLUICE_JSON_DEPTH_MAX) {
        json->failed = true;
        return;
    }
    append(json, bracket, 1);
    json->needs_comma[++json->depth] = false;
}

static void end(struct sluice_json *json, const char *bracket)
{
    if (json->depth == 0) {
        json->failed = true;
        return;
    }
    json->depth--;
    append(json, bracket, 1);
}

void sluice_json_raw(struct sluice_json *json, const char *value)
{
    separate(json);
    append(json, value, strlen(value));
}

void sluice_json_object_begin(struct sluice_json *json)
{
    begin(json, "{");
}

void sluice_json_object_end(struct sluice_json *json)
{
    end(json, "}");
}

void sluice_json_array_begin(struct sluice_json *json)
{
    begin(json, "[");
}

void sluice_json_array_end(struct sluice_json *json)
{
    end(json, "]");
}

static void append_unit(struct sluice_json *json, uint32_t unit)
{
    static const char digits[] = "0123456789abcdef";
    char text[6] = {'\\',
                    'u',
                    digits[unit >> 12 & 15],
                    digits[unit >> 8 & 15],
                    digits[unit >> 4 & 15],
                    digits[unit & 15]};

    append(json, text, sizeof text);
}

static void append_code(struct sluice_json *json, uint32_t code)
{
    static const char named[] = "\"\"\\\\\bb\ff\nn\rr\tt";

    for (size_t i = 0; i + 1 < sizeof named; i += 2) {
        if (code == (unsigned char)named[i]) {
            append(json, (char[]){'\\', named[i + 1]}, 2);
            return;
        }
    }
    if (code < 0x10000) {
        append_unit(json, code);
    } else {
        append_unit(json, 0xd800 + ((code - 0x10000) >> 10));
        append_unit(json, 0xdc00 + ((code - 0x10000) & 0x3ff));
    }
}

static bool is_plain(unsigned char byte)
{
    return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
}

static void append_quoted(struct sluice_json *json, const char *text, size_t bytes)
{
    const unsigned char *in = (const unsigned char *)text;
    size_t at = 0;

    /* An empty span may have no address at all. */
    append(json, "\"", 1);
    while (at < bytes && !json->failed) {
        size_t plain = at, length;
        uint32_t code = 0;

        while (plain < bytes && is_plain(in[plain]))
            plain++;
        append(json, text + at, plain - at);
        at = plain;
        if (at == bytes)
            break;
        length = sluice_utf8_decode(in + at, bytes - at, &code);
        append_code(json, length > 0 ? code : 0xfffd);
        at += length > 0 ? length : 1;
    }
    append(json, "\"", 1);
}

void sluice_json_key_span(struct sluice_json *json, const char *key, size_t bytes)
{
    separate(json);
    append_quoted(json, key, bytes);
    append(json, ":", 1);
    json->after_key = true;
}

void sluice_json_key(struct sluice_json *json, const char *key)
{
    sluice_json_key_span(json, key, strlen(key));
}

void sluice_json_text_span(struct sluice_json *json, const char *text, size_t bytes)
{
    separate(json);
    append_quoted(json, text, bytes);
}

void sluice_json_text(struct sluice_json *json, const char *text)
{
    if (text == NULL)
        sluice_json_null(json);
    else
        sluice_json_text_span(json, text, strlen(text));
}

static void put_digits(struct sluice_json *json, unsigned __int128 magnitude, bool negative)
{
    char digits[41]; /* a sign and the 39 digits of 2^128 */
    size_t at = sizeof digits;

    do {
        digits[--at] = (char)('0' + (int)(magnitude % 10));
        magnitude /= 10;
    } while (magnitude > 0);
    if (negative)
        digits[--at] = '-';
    separate(json);
    append(json, digits + at, sizeof digits - at);
}

void sluice_json_int128(struct sluice_json *json, __int128 value)
{
    unsigned __int128 magnitude = (unsigned __int128)value;

    put_digits(json, value < 0 ? -magnitude : magnitude, value < 0);
}

void sluice_json_int(struct sluice_json *json, int64_t value)
{
    char text[24];
    int length = snprintf(text, sizeof text, "%lld", (long long)value);

    separate(json);
    append(json, text, (size_t)length);
}

void sluice_json_uint(struct sluice_json *json, uint64_t value)
{
    char text[24];
    int length = snprintf(text, sizeof text, "%llu", (unsigned long long)value);

    separate(json);
    append(json, text, (size_t)length);
}

void sluice_json_double(struct sluice_json *json, double value)
{
    /* 15 digits hold any decimal text of up to 15 digits, 17 any double. A subnormal may need as
     * little as one ("5e-324"), and more digits would not be dropped as trailing zeros. */
    int precision = fpclassify(value) == FP_SUBNORMAL ? 1 : 15;
    char text[32];
    int length;
    char *comma;

    if (!isfinite(value)) {
        sluice_json_null(json);
        return;
    }
    do {
        length = snprintf(text, sizeof text, "%.*g", precision, value);
    } while (precision++ < 17 && strtod(text, NULL) != value);
    comma = strchr(text, ','); /* the decimal point of some locales */
    if (comma != NULL)
        *comma = '.';
    separate(json);
    append(json, text, (size_t)length);
}

void sluice_json_bool(struct sluice_json *json, bool value)
{
    separate(json);
    append(json, value ? "true" : "false", value ? 4 : 5);
}

void sluice_json_null(struct sluice_json *json)
{
    separate(json);
    append(json, "null", 4);
}
