/* SPDX-License-Identifier: Apache-2.0
 *
 * A value is skipped by its first character; every step looks for the end of the span first. What
 * stands in a scalar is not checked: the receiver is there for that. */
#include "bench/detector/json_scan.h"

#include <string.h>

static int at(struct sluice_span text, size_t offset)
{
    return offset < text.bytes ? text.data[offset] : -1;
}

static size_t blanks(struct sluice_span text, size_t offset)
{
    for (;; offset++) {
        int c = at(text, offset);
        if (c != ' ' && c != '\t' && c != '\n' && c != '\r')
            return offset;
    }
}

/* Behind the string that begins at `offset`; 0: none does, or it has no end. */
static size_t skip_string(struct sluice_span text, size_t offset)
{
    if (at(text, offset) != '"')
        return 0;
    for (offset++; offset < text.bytes; offset++) {
        if (text.data[offset] == '\\')
            offset++;
        else if (text.data[offset] == '"')
            return offset + 1;
    }
    return 0;
}

/* A character of a number, true, false or null. */
static bool is_scalar(int c)
{
    return c == '+' || c == '-' || c == '.' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
           (c >= 'A' && c <= 'Z');
}

static size_t skip(struct sluice_span text, size_t offset, uint32_t depth);

/* Members or elements up to the closing bracket. */
static size_t skip_list(struct sluice_span text, size_t offset, uint32_t depth)
{
    bool object = at(text, offset) == '{';
    int close = object ? '}' : ']';
    offset = blanks(text, offset + 1);
    if (at(text, offset) == close)
        return offset + 1;
    for (;;) {
        if (object) {
            offset = skip_string(text, offset);
            offset = offset ? blanks(text, offset) : 0;
            if (!offset || at(text, offset) != ':')
                return 0;
            offset = blanks(text, offset + 1);
        }
        offset = skip(text, offset, depth + 1);
        if (!offset)
            return 0;
        offset = blanks(text, offset);
        if (at(text, offset) == close)
            return offset + 1;
        if (at(text, offset) != ',')
            return 0;
        offset = blanks(text, offset + 1);
    }
}

static size_t skip(struct sluice_span text, size_t offset, uint32_t depth)
{
    int c = at(text, offset);
    if (depth > SLUICE_CBOR_DEPTH_MAX)
        return 0;
    if (c == '"')
        return skip_string(text, offset);
    if (c == '{' || c == '[')
        return skip_list(text, offset, depth);
    size_t begin = offset;
    while (is_scalar(at(text, offset)))
        offset++;
    return offset > begin ? offset : 0;
}

bool sluice_json_is_object(struct sluice_span text)
{
    size_t begin = blanks(text, 0), end = at(text, begin) == '{' ? skip(text, begin, 0) : 0;
    return end && blanks(text, end) == text.bytes;
}

bool sluice_json_find(struct sluice_span text, const char *key, struct sluice_cbor_range *value)
{
    size_t offset = blanks(text, 0), length = strlen(key);
    if (at(text, offset) != '{')
        return false;
    do {
        size_t name = blanks(text, offset + 1), end = skip_string(text, name);
        offset = end ? blanks(text, end) : 0;
        if (!offset || at(text, offset) != ':')
            return false;
        value->begin = blanks(text, offset + 1);
        value->end = skip(text, value->begin, 1);
        if (!value->end)
            return false;
        if (end - name == length + 2 && memcmp(text.data + name + 1, key, length) == 0)
            return true;
        offset = blanks(text, value->end);
    } while (at(text, offset) == ',');
    return false;
}

static bool read_uint(struct sluice_span text, struct sluice_cbor_range range, uint64_t *value)
{
    *value = 0;
    for (size_t i = range.begin; i < range.end; i++) {
        uint64_t digit = (uint64_t)text.data[i] - '0';
        if (digit > 9 || *value > (UINT64_MAX - digit) / 10)
            return false;
        *value = *value * 10 + digit;
    }
    return range.end > range.begin;
}

bool sluice_json_find_uint(struct sluice_span text, const char *key, uint64_t *value)
{
    struct sluice_cbor_range range;
    return sluice_json_find(text, key, &range) && read_uint(text, range, value);
}

bool sluice_json_has_text(struct sluice_span text, const char *key, const char *value)
{
    struct sluice_cbor_range range;
    size_t length = strlen(value);
    return sluice_json_find(text, key, &range) && range.end - range.begin == length + 2 &&
           text.data[range.begin] == '"' && memcmp(text.data + range.begin + 1, value, length) == 0;
}

bool sluice_json_element(struct sluice_span text, struct sluice_cbor_range array, uint32_t index,
                         struct sluice_cbor_range *range, uint64_t *value)
{
    if (at(text, array.begin) != '[')
        return false;
    size_t offset = array.begin;
    for (uint32_t i = 0;; i++) {
        range->begin = blanks(text, offset + 1);
        range->end = skip(text, range->begin, 1);
        if (!range->end)
            return false;
        if (i == index)
            return read_uint(text, *range, value);
        offset = blanks(text, range->end);
        if (at(text, offset) != ',')
            return false;
    }
}
