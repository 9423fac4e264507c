/* SPDX-License-Identifier: Apache-2.0
 *
 * Writing CBOR. Every append goes through reserve(), which doubles the buffer: the cost of a
 * message is one copy of its bytes. A buffer that failed once stays failed, so a caller that checks
 * `failed` at the end never sends half a message. */
#include "bench/detector/cbor.h"

#include <stdlib.h>
#include <string.h>

static uint8_t *reserve(struct sluice_cbor *cbor, size_t bytes)
{
    if (cbor->failed)
        return NULL;
    if (cbor->capacity - cbor->bytes < bytes) {
        size_t capacity = cbor->capacity ? cbor->capacity * 2 : 1024;
        while (capacity - cbor->bytes < bytes)
            capacity *= 2;
        uint8_t *data = realloc(cbor->data, capacity);
        if (!data) {
            cbor->failed = true;
            return NULL;
        }
        cbor->data = data;
        cbor->capacity = capacity;
    }
    uint8_t *at = cbor->data + cbor->bytes;
    cbor->bytes += bytes;
    return at;
}

void sluice_cbor_close(struct sluice_cbor *cbor)
{
    free(cbor->data);
    *cbor = (struct sluice_cbor){0};
}

struct sluice_span sluice_cbor_span(const struct sluice_cbor *cbor)
{
    return (struct sluice_span){cbor->data, cbor->bytes};
}

static void append_head(struct sluice_cbor *cbor, uint8_t first, uint64_t value, size_t width)
{
    uint8_t *at = reserve(cbor, 1 + width);
    if (!at)
        return;
    at[0] = first;
    for (size_t i = 0; i < width; i++)
        at[1 + i] = (uint8_t)(value >> (8 * (width - 1 - i)));
}

void sluice_cbor_head(struct sluice_cbor *cbor, enum sluice_cbor_major major, uint64_t value)
{
    uint8_t type = (uint8_t)(major << 5);
    if (value < 24)
        append_head(cbor, (uint8_t)(type | value), 0, 0);
    else if (value <= UINT8_MAX)
        append_head(cbor, type | 24, value, 1);
    else if (value <= UINT16_MAX)
        append_head(cbor, type | 25, value, 2);
    else if (value <= UINT32_MAX)
        append_head(cbor, type | 26, value, 4);
    else
        append_head(cbor, type | 27, value, 8);
}

void sluice_cbor_uint_fixed(struct sluice_cbor *cbor, uint64_t value)
{
    append_head(cbor, SLUICE_CBOR_UINT << 5 | 27, value, 8);
}

void sluice_cbor_int(struct sluice_cbor *cbor, int64_t value)
{
    if (value >= 0)
        sluice_cbor_head(cbor, SLUICE_CBOR_UINT, (uint64_t)value);
    else
        sluice_cbor_head(cbor, SLUICE_CBOR_NEGATIVE, (uint64_t)(-1 - value));
}

void sluice_cbor_double(struct sluice_cbor *cbor, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    append_head(cbor, SLUICE_CBOR_SIMPLE << 5 | 27, bits, 8);
}

void sluice_cbor_bool(struct sluice_cbor *cbor, bool value)
{
    append_head(cbor, value ? 0xf5 : 0xf4, 0, 0);
}

void sluice_cbor_text(struct sluice_cbor *cbor, const char *text)
{
    size_t bytes = strlen(text);
    sluice_cbor_head(cbor, SLUICE_CBOR_TEXT, bytes);
    sluice_cbor_raw(cbor, (struct sluice_span){(const uint8_t *)text, bytes});
}

void sluice_cbor_bytes(struct sluice_cbor *cbor, struct sluice_span bytes)
{
    sluice_cbor_head(cbor, SLUICE_CBOR_BYTES, bytes.bytes);
    sluice_cbor_raw(cbor, bytes);
}

void sluice_cbor_raw(struct sluice_cbor *cbor, struct sluice_span item)
{
    uint8_t *at = reserve(cbor, item.bytes);
    if (at && item.bytes)
        memcpy(at, item.data, item.bytes);
}

void sluice_cbor_splice(struct sluice_cbor *cbor, size_t offset, size_t count,
                        struct sluice_span item)
{
    size_t tail = cbor->bytes - offset - count;
    if (item.bytes > count && !reserve(cbor, item.bytes - count))
        return;
    if (cbor->failed)
        return;
    memmove(cbor->data + offset + item.bytes, cbor->data + offset + count, tail);
    memcpy(cbor->data + offset, item.data, item.bytes);
    cbor->bytes = offset + item.bytes + tail;
}
