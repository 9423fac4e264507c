/* SPDX-License-Identifier: Apache-2.0
 *
 * Design: the whole text is made first, in a buffer of its own that bounds it, and then cut to what
 * the slot has room for: so it is cut at the same place however it came. */
#include "ingest/protocol/user_data.h"

#include <stdio.h>
#include <string.h>

#include "core/json.h"
#include "core/utf8.h"
#include "ingest/protocol/json_scan.h"

struct text {
    char data[SLUICE_USER_DATA_BYTES_CUT];
    size_t bytes;
};

/* Where JSON text is cut so that no escape is: the start of one that `bytes` would split. */
static size_t cut_between_escapes(const char *text, size_t bytes)
{
    size_t at = 0;

    while (at < bytes) {
        size_t length = text[at] != '\\' ? 1 : text[at + 1] == 'u' ? 6 : 2;

        if (at + length > bytes)
            break;
        at += length;
    }
    return at;
}

struct sluice_span sluice_user_data_put(const struct sluice_text_buffer *buffer, const char *json,
                                        size_t bytes)
{
    if (bytes >= buffer->capacity)
        bytes = buffer->capacity - 1;
    bytes = cut_between_escapes(json, bytes);
    memcpy(buffer->data, json, bytes);
    return (struct sluice_span){(const uint8_t *)buffer->data, bytes};
}

static bool append(struct text *text, const char *data, size_t bytes)
{
    if (bytes > sizeof(text->data) - 1 - text->bytes)
        return false;
    memcpy(text->data + text->bytes, data, bytes);
    text->bytes += bytes;
    text->data[text->bytes] = '\0';
    return true;
}

static bool append_escaped(struct text *text, uint32_t code)
{
    char escape[16];
    int length;

    if (code < 0x10000)
        length = snprintf(escape, sizeof(escape), "\\u%04x", (unsigned)code);
    else
        length = snprintf(escape, sizeof(escape), "\\u%04x\\u%04x",
                          (unsigned)(0xd800 + ((code - 0x10000) >> 10)),
                          (unsigned)(0xdc00 + ((code - 0x10000) & 0x3ff)));
    return append(text, escape, (size_t)length);
}

/* Valid JSON again, without the space between its tokens and in ASCII. */
static bool write_json(struct text *text, struct sluice_span json)
{
    bool inside = false; /* of a text */

    for (size_t at = 0; at < json.bytes;) {
        const uint8_t byte = json.data[at];
        size_t length = 1;
        uint32_t code = byte;
        bool good = true;

        if (byte >= 0x80) { /* only within a text */
            length = sluice_utf8_decode(json.data + at, json.bytes - at, &code);
            good = append_escaped(text, code);
        } else if (inside || strchr(" \t\r\n", byte) == NULL) {
            length = byte == '\\' ? 2 : 1;
            good = append(text, (const char *)json.data + at, length);
            inside ^= byte == '"';
        }
        if (!good)
            return false;
        at += length;
    }
    return true;
}

static bool write_text(struct text *text, struct sluice_span span)
{
    struct sluice_json json;

    sluice_json_init_fixed(&json, text->data, sizeof(text->data));
    sluice_json_text_span(&json, (const char *)span.data, span.bytes);
    text->bytes = json.bytes;
    return !json.failed;
}

struct sluice_span sluice_user_data_of_text(const struct sluice_text_buffer *buffer,
                                            struct sluice_span span)
{
    struct text text;
    bool written = false;

    /* strchr finds the NUL as well: some senders count the one that ends a C string */
    while (span.bytes > 0 && strchr(" \t\r\n", span.data[span.bytes - 1]) != NULL)
        span.bytes--;
    if (buffer == NULL || buffer->capacity == 0 || span.bytes == 0)
        return (struct sluice_span){0};
    text.bytes = 0;
    if (span.bytes < sizeof(text.data))
        written = sluice_scan_is_valid(span) ? write_json(&text, span) : write_text(&text, span);
    if (!written)
        text.bytes = (size_t)snprintf(text.data, sizeof(text.data),
                                      "{\"bytes\":%zu,\"omitted\":true}", span.bytes);
    if (text.bytes == 4 && memcmp(text.data, "null", 4) == 0)
        return (struct sluice_span){0};
    return sluice_user_data_put(buffer, text.data, text.bytes);
}
