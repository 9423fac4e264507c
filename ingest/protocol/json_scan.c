/* SPDX-License-Identifier: Apache-2.0
 *
 * Design: a recursive walk over the grammar, one function a kind of value, each of which leaves the
 * position behind what it has read or says why it cannot. A key is compared as it stands; only one
 * with an escape is resolved first. Numbers are converted when they are asked for.
 *
 * Invariant: `at` never passes `bytes`, and every byte is looked at after it was compared with it.
 */
#include "ingest/protocol/json_scan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/utf8.h"

#define NUMBER_BYTES_MAX 64

struct scan {
    const uint8_t *data;
    size_t bytes, at;
    const char *why;
};

static enum sluice_status fail(struct scan *scan, enum sluice_status status, const char *why)
{
    scan->why = why;
    return status;
}

static enum sluice_status ended(struct scan *scan)
{
    return fail(scan, SLUICE_TRUNCATED, "the JSON text ends in the middle");
}

static bool is_end(const struct scan *scan)
{
    return scan->at == scan->bytes;
}

static void skip_space(struct scan *scan)
{
    while (!is_end(scan) && (scan->data[scan->at] == ' ' || scan->data[scan->at] == '\t' ||
                             scan->data[scan->at] == '\n' || scan->data[scan->at] == '\r'))
        scan->at++;
}

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

static int hex_digit(uint8_t byte)
{
    if (is_digit(byte))
        return byte - '0';
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* ---- the walk ---- */

/* Behind the backslash. */
static enum sluice_status skip_escape(struct scan *scan)
{
    if (is_end(scan))
        return ended(scan);
    const uint8_t kind = scan->data[scan->at++];
    if (kind == 'u') {
        for (int i = 0; i < 4; i++, scan->at++) {
            if (is_end(scan))
                return ended(scan);
            if (hex_digit(scan->data[scan->at]) < 0)
                return fail(scan, SLUICE_MALFORMED, "a \\u escape has no four hex digits");
        }
        return SLUICE_OK;
    }
    return kind != 0 && strchr("\"\\/bfnrt", kind) != NULL
               ? SLUICE_OK
               : fail(scan, SLUICE_MALFORMED, "an escape that JSON does not have");
}

/* Nearly all of any header. */
static void skip_plain(struct scan *scan)
{
    const uint8_t *at = scan->data + scan->at, *end = scan->data + scan->bytes;
    while (at < end && *at >= 0x20 && *at < 0x80 && *at != '"' && *at != '\\')
        at++;
    scan->at = (size_t)(at - scan->data);
}

/* Behind the opening quote; `text` gets what is between the quotes. */
static enum sluice_status skip_text(struct scan *scan, struct sluice_span *text, bool *escaped)
{
    const size_t start = scan->at;
    *escaped = false;
    for (;;) {
        uint32_t code;
        skip_plain(scan);
        if (is_end(scan))
            return ended(scan);
        const uint8_t byte = scan->data[scan->at];
        if (byte == '"') {
            *text = (struct sluice_span){scan->data + start, scan->at - start};
            scan->at++;
            return SLUICE_OK;
        }
        if (byte == '\\') {
            scan->at++;
            *escaped = true;
            const enum sluice_status status = skip_escape(scan);
            if (status != SLUICE_OK)
                return status;
        } else if (byte < 0x20) {
            return fail(scan, SLUICE_MALFORMED, "a control character in a text");
        } else {
            const size_t length =
                sluice_utf8_decode(scan->data + scan->at, scan->bytes - scan->at, &code);
            if (length == 0)
                return fail(scan, SLUICE_MALFORMED, "a text is not UTF-8");
            scan->at += length;
        }
    }
}

static bool skip_digits(struct scan *scan)
{
    const size_t start = scan->at;
    while (!is_end(scan) && is_digit(scan->data[scan->at]))
        scan->at++;
    return scan->at > start;
}

static bool skip_one(struct scan *scan, uint8_t a, uint8_t b)
{
    if (is_end(scan) || (scan->data[scan->at] != a && scan->data[scan->at] != b))
        return false;
    scan->at++;
    return true;
}

static enum sluice_status skip_number(struct scan *scan)
{
    bool good;
    skip_one(scan, '-', '-');
    if (skip_one(scan, '0', '0'))
        good = is_end(scan) || !is_digit(scan->data[scan->at]);
    else
        good = skip_digits(scan);
    if (good && skip_one(scan, '.', '.'))
        good = skip_digits(scan);
    if (good && skip_one(scan, 'e', 'E')) {
        skip_one(scan, '+', '-');
        good = skip_digits(scan);
    }
    return good ? SLUICE_OK : fail(scan, SLUICE_MALFORMED, "a number that is not JSON");
}

static enum sluice_status skip_word(struct scan *scan, const char *word)
{
    const size_t bytes = strlen(word);
    if (scan->bytes - scan->at < bytes || memcmp(scan->data + scan->at, word, bytes) != 0)
        return fail(scan, SLUICE_MALFORMED, "a word that is not JSON");
    scan->at += bytes;
    return SLUICE_OK;
}

/* What an object's keys are held against: NULL where no key is wanted. */
struct wanted {
    const char *const *keys;
    size_t count;
    struct sluice_scan_value *values;
    bool first_ends; /* the first value found ends the walk */
    bool done;
};

static enum sluice_status skip_value(struct scan *scan, uint32_t depth,
                                     struct sluice_scan_value *value);

static struct sluice_scan_value *match_key(struct wanted *wanted, struct sluice_span key,
                                           bool escaped)
{
    char resolved[SLUICE_NAME_BYTES];
    const struct sluice_scan_value text = {SLUICE_SCAN_TEXT, key};
    if (escaped) {
        if (!sluice_scan_text(&text, resolved, sizeof(resolved)))
            return NULL;
        key = (struct sluice_span){(const uint8_t *)resolved, strlen(resolved)};
    }
    for (size_t i = 0; i < wanted->count; i++)
        if (key.bytes > 0 && wanted->keys[i][0] == (char)key.data[0] &&
            wanted->values[i].kind == SLUICE_SCAN_ABSENT &&
            strncmp(wanted->keys[i], (const char *)key.data, key.bytes) == 0 &&
            wanted->keys[i][key.bytes] == '\0')
            return &wanted->values[i];
    return NULL;
}

/* One "key": value. */
static enum sluice_status skip_member(struct scan *scan, uint32_t depth, struct wanted *wanted)
{
    struct sluice_scan_value unwanted, *value = &unwanted;
    struct sluice_span key;
    bool escaped;
    if (!skip_one(scan, '"', '"'))
        return is_end(scan) ? ended(scan)
                            : fail(scan, SLUICE_MALFORMED, "a key of an object is no text");
    enum sluice_status status = skip_text(scan, &key, &escaped);
    if (status != SLUICE_OK)
        return status;
    skip_space(scan);
    if (!skip_one(scan, ':', ':'))
        return is_end(scan) ? ended(scan)
                            : fail(scan, SLUICE_MALFORMED, "a key of an object has no value");
    skip_space(scan);
    struct sluice_scan_value *found = wanted != NULL ? match_key(wanted, key, escaped) : NULL;
    if (found != NULL)
        value = found;
    status = skip_value(scan, depth + 1, value);
    if (status != SLUICE_OK && found != NULL)
        *found = (struct sluice_scan_value){0};
    else if (found != NULL && wanted->first_ends)
        wanted->done = true;
    return status;
}

/* Behind the opening bracket. `wanted` is NULL for a list, and for an object that is passed over.
 */
static enum sluice_status skip_items(struct scan *scan, uint8_t close, uint32_t depth,
                                     struct wanted *wanted)
{
    struct sluice_scan_value unwanted;
    if (depth > SLUICE_SCAN_DEPTH_MAX)
        return fail(scan, SLUICE_LIMIT, "it is nested too deep");
    skip_space(scan);
    if (skip_one(scan, close, close))
        return SLUICE_OK;
    for (;;) {
        skip_space(scan);
        const enum sluice_status status = close == '}' ? skip_member(scan, depth, wanted)
                                                       : skip_value(scan, depth + 1, &unwanted);
        if (status != SLUICE_OK || (wanted != NULL && wanted->done))
            return status;
        skip_space(scan);
        if (skip_one(scan, close, close))
            return SLUICE_OK;
        if (!skip_one(scan, ',', ','))
            return is_end(scan) ? ended(scan)
                                : fail(scan, SLUICE_MALFORMED, "a comma or bracket is missing");
    }
}

static enum sluice_status skip_value(struct scan *scan, uint32_t depth,
                                     struct sluice_scan_value *value)
{
    const size_t start = scan->at;
    enum sluice_status status;
    bool escaped;
    *value = (struct sluice_scan_value){0};
    if (is_end(scan))
        return ended(scan);
    switch (scan->data[scan->at]) {
    case '"':
        value->kind = SLUICE_SCAN_TEXT;
        scan->at++;
        return skip_text(scan, &value->text, &escaped);
    case '{':
    case '[':
        value->kind = scan->data[scan->at] == '{' ? SLUICE_SCAN_OBJECT : SLUICE_SCAN_ARRAY;
        scan->at++;
        status = skip_items(scan, value->kind == SLUICE_SCAN_OBJECT ? '}' : ']', depth, NULL);
        break;
    case 't':
        value->kind = SLUICE_SCAN_BOOL;
        status = skip_word(scan, "true");
        break;
    case 'f':
        value->kind = SLUICE_SCAN_BOOL;
        status = skip_word(scan, "false");
        break;
    case 'n':
        value->kind = SLUICE_SCAN_NULL;
        status = skip_word(scan, "null");
        break;
    default:
        value->kind = SLUICE_SCAN_NUMBER;
        status = skip_number(scan);
        break;
    }
    value->text = (struct sluice_span){scan->data + start, scan->at - start};
    return status;
}

/* ---- the whole ---- */

static enum sluice_status walk(struct scan *scan, struct wanted *wanted)
{
    skip_space(scan);
    if (!skip_one(scan, '{', '{'))
        return is_end(scan) ? ended(scan) : fail(scan, SLUICE_MALFORMED, "it is no JSON object");
    const enum sluice_status status = skip_items(scan, '}', 1, wanted);
    if (status != SLUICE_OK || wanted->done)
        return status;
    skip_space(scan);
    return is_end(scan) ? SLUICE_OK
                        : fail(scan, SLUICE_MALFORMED, "something follows the JSON object");
}

enum sluice_status sluice_scan_object(struct sluice_span json, const char *const *keys,
                                      size_t count, struct sluice_scan_value *values,
                                      const char **why)
{
    struct scan scan = {.data = json.data, .bytes = json.bytes};
    struct wanted wanted = {.keys = keys, .count = count, .values = values};
    memset(values, 0, count * sizeof(*values));
    const enum sluice_status status = walk(&scan, &wanted);
    *why = scan.why;
    return status;
}

bool sluice_scan_find(struct sluice_span json, const char *key, struct sluice_scan_value *value)
{
    struct scan scan = {.data = json.data, .bytes = json.bytes};
    struct wanted wanted = {.keys = &key, .count = 1, .values = value, .first_ends = true};
    *value = (struct sluice_scan_value){0};
    return walk(&scan, &wanted) == SLUICE_OK && wanted.done;
}

bool sluice_scan_is_valid(struct sluice_span json)
{
    struct scan scan = {.data = json.data, .bytes = json.bytes};
    struct sluice_scan_value value;
    skip_space(&scan);
    if (skip_value(&scan, 1, &value) != SLUICE_OK)
        return false;
    skip_space(&scan);
    return is_end(&scan);
}

/* ---- values ---- */

static bool read_digits(struct sluice_span text, uint64_t *number)
{
    uint64_t sum = 0;
    if (text.bytes == 0)
        return false;
    for (size_t i = 0; i < text.bytes; i++) {
        const uint8_t byte = text.data[i];
        if (!is_digit(byte) || __builtin_mul_overflow(sum, 10, &sum) ||
            __builtin_add_overflow(sum, (uint64_t)(byte - '0'), &sum))
            return false;
    }
    *number = sum;
    return true;
}

bool sluice_scan_uint(const struct sluice_scan_value *value, uint64_t *number)
{
    return (value->kind == SLUICE_SCAN_NUMBER || value->kind == SLUICE_SCAN_TEXT) &&
           read_digits(value->text, number);
}

bool sluice_scan_double(const struct sluice_scan_value *value, double *number)
{
    char text[NUMBER_BYTES_MAX], *end;
    uint64_t whole;
    if (sluice_scan_uint(value, &whole)) {
        *number = (double)whole;
        return true;
    }
    if ((value->kind != SLUICE_SCAN_NUMBER && value->kind != SLUICE_SCAN_TEXT) ||
        value->text.bytes == 0 || value->text.bytes >= sizeof(text))
        return false;
    struct scan scan = {.data = value->text.data, .bytes = value->text.bytes};
    if (skip_number(&scan) != SLUICE_OK || !is_end(&scan))
        return false;
    memcpy(text, value->text.data, value->text.bytes);
    text[value->text.bytes] = '\0';
    *number = strtod(text, &end);
    return *end == '\0' && isfinite(*number);
}

bool sluice_scan_uints(const struct sluice_scan_value *value, uint64_t *numbers, size_t count)
{
    if (value->kind != SLUICE_SCAN_ARRAY)
        return false;
    /* The walk has seen to it that this is a list, brackets and all. */
    struct scan scan = {.data = value->text.data, .bytes = value->text.bytes, .at = 1};
    for (size_t i = 0; i < count; i++) {
        struct sluice_scan_value item;
        skip_space(&scan);
        if (skip_value(&scan, SLUICE_SCAN_DEPTH_MAX, &item) != SLUICE_OK ||
            !sluice_scan_uint(&item, &numbers[i]))
            return false;
        skip_space(&scan);
        if (!skip_one(&scan, ',', ','))
            return i + 1 == count && skip_one(&scan, ']', ']');
    }
    return false;
}

static uint32_t read_hex(const uint8_t *digits)
{
    uint32_t code = 0;
    for (int i = 0; i < 4; i++)
        code = code << 4 | (uint32_t)hex_digit(digits[i]);
    return code;
}

/* The code point of the escape behind the backslash at `at`; its end goes into `at`. A half of a
 * surrogate pair becomes U+FFFD. */
static uint32_t read_escape(struct sluice_span text, size_t *at)
{
    static const char kinds[] = "bfnrt", codes[] = "\b\f\n\r\t";
    const uint8_t kind = text.data[(*at)++];
    if (kind != 'u') {
        const char *known = strchr(kinds, kind);
        return known != NULL ? (uint32_t)codes[known - kinds] : kind;
    }
    const uint32_t code = read_hex(text.data + *at);
    *at += 4;
    if (code < 0xd800 || code > 0xdfff)
        return code;
    if (code < 0xdc00 && text.bytes - *at >= 6 && text.data[*at] == '\\' &&
        text.data[*at + 1] == 'u') {
        const uint32_t low = read_hex(text.data + *at + 2);
        if (low >= 0xdc00 && low <= 0xdfff) {
            *at += 6;
            return 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        }
    }
    return 0xfffd;
}

static size_t write_utf8(uint32_t code, char *to)
{
    if (code < 0x80) {
        to[0] = (char)code;
        return 1;
    }
    const size_t length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const uint8_t marks[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = length - 1; i > 0; i--, code >>= 6)
        to[i] = (char)(0x80 | (code & 0x3f));
    to[0] = (char)(marks[length] | code);
    return length;
}

bool sluice_scan_text(const struct sluice_scan_value *value, char *buffer, size_t capacity)
{
    const struct sluice_span text = value->text;
    size_t length = 0;
    if (value->kind != SLUICE_SCAN_TEXT)
        return false;
    for (size_t at = 0; at < text.bytes;) {
        uint32_t code = text.data[at++];
        char bytes[4] = {(char)code};
        size_t count = 1;
        if (code == '\\') {
            code = read_escape(text, &at);
            count = write_utf8(code, bytes);
        }
        if (code == 0 || count >= capacity - length)
            return false;
        memcpy(buffer + length, bytes, count);
        length += count;
    }
    buffer[length] = '\0';
    return true;
}

bool sluice_scan_is(const struct sluice_scan_value *value, const char *text)
{
    char resolved[SLUICE_NAME_BYTES];
    const size_t bytes = strlen(text);
    if (value->kind != SLUICE_SCAN_TEXT)
        return false;
    if (value->text.bytes == bytes)
        return memcmp(value->text.data, text, bytes) == 0;
    return sluice_scan_text(value, resolved, sizeof(resolved)) && strcmp(resolved, text) == 0;
}
