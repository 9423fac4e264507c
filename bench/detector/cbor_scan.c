/* SPDX-License-Identifier: Apache-2.0
 *
 * Scanning CBOR: heads are read, contents are skipped. Every length is compared with what is left
 * before it is used, and every count is bounded by it too, because an item takes a byte at least;
 * so a scan of hostile bytes ends after as many steps as there are bytes. */
#include "bench/detector/cbor.h"

#include <string.h>

#define BREAK 0xff

bool sluice_cbor_read(struct sluice_span span, size_t offset, struct sluice_cbor_item *item)
{
    if (offset >= span.bytes)
        return false;
    uint8_t first = span.data[offset++];
    uint8_t info = first & 31;
    *item = (struct sluice_cbor_item){.major = (enum sluice_cbor_major)(first >> 5)};
    if (info < 24) {
        item->value = info;
    } else if (info < 28) {
        size_t width = (size_t)1 << (info - 24);
        if (span.bytes - offset < width)
            return false;
        for (size_t i = 0; i < width; i++)
            item->value = item->value << 8 | span.data[offset + i];
        offset += width;
    } else if (info == 31 && item->major >= SLUICE_CBOR_BYTES && item->major <= SLUICE_CBOR_MAP) {
        item->indefinite = true;
    } else {
        return false;
    }
    item->content = offset;
    return true;
}

static size_t skip(struct sluice_span span, size_t offset, uint32_t depth);

/* Items until the break byte; `strings` when only definite strings of one type may stand there. */
static size_t skip_indefinite(struct sluice_span span, size_t offset, uint32_t depth,
                              enum sluice_cbor_major major)
{
    bool strings = major == SLUICE_CBOR_BYTES || major == SLUICE_CBOR_TEXT;
    size_t count = 0;
    while (offset && offset < span.bytes && span.data[offset] != BREAK) {
        struct sluice_cbor_item part;
        if (strings &&
            (!sluice_cbor_read(span, offset, &part) || part.major != major || part.indefinite))
            return 0;
        offset = skip(span, offset, depth + 1);
        count++;
    }
    if (!offset || offset >= span.bytes || (major == SLUICE_CBOR_MAP && count % 2 != 0))
        return 0;
    return offset + 1;
}

static size_t skip(struct sluice_span span, size_t offset, uint32_t depth)
{
    struct sluice_cbor_item item;
    if (depth > SLUICE_CBOR_DEPTH_MAX || !sluice_cbor_read(span, offset, &item))
        return 0;
    if (item.indefinite)
        return skip_indefinite(span, item.content, depth, item.major);
    size_t left = span.bytes - item.content;
    uint64_t items = 0;
    switch (item.major) {
    case SLUICE_CBOR_UINT:
    case SLUICE_CBOR_NEGATIVE:
    case SLUICE_CBOR_SIMPLE:
        break;
    case SLUICE_CBOR_BYTES:
    case SLUICE_CBOR_TEXT:
        return item.value <= left ? item.content + (size_t)item.value : 0;
    case SLUICE_CBOR_ARRAY:
        items = item.value;
        break;
    case SLUICE_CBOR_MAP:
        if (item.value > left / 2)
            return 0;
        items = item.value * 2;
        break;
    case SLUICE_CBOR_TAG:
        items = 1;
        break;
    }
    offset = item.content;
    for (uint64_t i = 0; i < items && offset; i++)
        offset = skip(span, offset, depth + 1);
    return offset;
}

size_t sluice_cbor_item_end(struct sluice_span span, size_t offset)
{
    return skip(span, offset, 0);
}

/* The head of the top map. */
static bool top_map(struct sluice_span span, struct sluice_cbor_item *map)
{
    if (!sluice_cbor_read(span, 0, map))
        return false;
    if (map->major == SLUICE_CBOR_TAG && map->value == SLUICE_CBOR_SELF_DESCRIPTION &&
        !sluice_cbor_read(span, map->content, map))
        return false;
    return map->major == SLUICE_CBOR_MAP;
}

bool sluice_cbor_is_map(struct sluice_span span)
{
    struct sluice_cbor_item map;
    return top_map(span, &map) && sluice_cbor_item_end(span, 0) == span.bytes;
}

bool sluice_cbor_find(struct sluice_span span, const char *key, struct sluice_cbor_range *value)
{
    struct sluice_cbor_item map;
    if (!top_map(span, &map))
        return false;
    size_t offset = map.content, key_bytes = strlen(key);
    for (uint64_t i = 0; map.indefinite || i < map.value; i++) {
        struct sluice_cbor_item item;
        if (offset < span.bytes && span.data[offset] == BREAK)
            return false;
        if (!sluice_cbor_read(span, offset, &item))
            return false;
        size_t begin = sluice_cbor_item_end(span, offset);
        size_t end = begin ? sluice_cbor_item_end(span, begin) : 0;
        if (!end)
            return false;
        if (item.major == SLUICE_CBOR_TEXT && !item.indefinite && item.value == key_bytes &&
            memcmp(span.data + item.content, key, key_bytes) == 0) {
            *value = (struct sluice_cbor_range){begin, end};
            return true;
        }
        offset = end;
    }
    return false;
}

bool sluice_cbor_find_uint(struct sluice_span span, const char *key, uint64_t *value)
{
    struct sluice_cbor_range range;
    struct sluice_cbor_item item;
    if (!sluice_cbor_find(span, key, &range) || !sluice_cbor_read(span, range.begin, &item) ||
        item.major != SLUICE_CBOR_UINT)
        return false;
    *value = item.value;
    return true;
}

bool sluice_cbor_find_text(struct sluice_span span, const char *key, struct sluice_span *text)
{
    struct sluice_cbor_range range;
    struct sluice_cbor_item item;
    if (!sluice_cbor_find(span, key, &range) || !sluice_cbor_read(span, range.begin, &item) ||
        item.major != SLUICE_CBOR_TEXT || item.indefinite)
        return false;
    *text = (struct sluice_span){span.data + item.content, (size_t)item.value};
    return true;
}
