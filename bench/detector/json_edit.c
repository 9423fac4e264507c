/* SPDX-License-Identifier: Apache-2.0 */
/* Finding is the protocol room's; here spans become places. */
#include "bench/detector/json_edit.h"

#include <stdio.h>
#include <string.h>

#include "ingest/protocol/json_scan.h"

static bool find(struct sluice_span text, const char *key, struct sluice_scan_value *value,
                 struct sluice_cbor_range *range)
{
    if (text.bytes == 0 || !sluice_scan_find(text, key, value))
        return false;
    range->begin = (size_t)(value->text.data - text.data);
    range->end = range->begin + value->text.bytes;
    return true;
}

bool sluice_json_is_object(struct sluice_span text)
{
    size_t first = 0;
    while (first < text.bytes && strchr(" \t\r\n", text.data[first]) && text.data[first])
        first++;
    return first < text.bytes && text.data[first] == '{' && sluice_scan_is_valid(text);
}

bool sluice_json_find(struct sluice_span text, const char *key, struct sluice_cbor_range *value)
{
    struct sluice_scan_value found;
    return find(text, key, &found, value);
}

bool sluice_json_find_uint(struct sluice_span text, const char *key, uint64_t *value)
{
    struct sluice_scan_value found;
    struct sluice_cbor_range range;
    return find(text, key, &found, &range) && sluice_scan_uint(&found, value);
}

bool sluice_json_find_pair(struct sluice_span text, const char *key,
                           struct sluice_cbor_range *value, uint64_t pair[2])
{
    struct sluice_scan_value found;
    return find(text, key, &found, value) && sluice_scan_uints(&found, pair, 2);
}

bool sluice_json_has_text(struct sluice_span text, const char *key, const char *value)
{
    struct sluice_scan_value found;
    struct sluice_cbor_range range;
    return find(text, key, &found, &range) && sluice_scan_is(&found, value);
}

void sluice_json_replace_uint(struct sluice_cbor *text, const char *key, uint64_t value)
{
    struct sluice_cbor_range range;
    char digits[24];
    if (text->failed || !sluice_json_find(sluice_cbor_span(text), key, &range))
        return;
    int count = snprintf(digits, sizeof digits, "%llu", (unsigned long long)value);
    sluice_cbor_splice(text, range.begin, range.end - range.begin,
                       (struct sluice_span){(const uint8_t *)digits, (size_t)count});
}
