/* SPDX-License-Identifier: Apache-2.0
 *
 * Design: an encoder of our own, so that the tests of the decoder do not stand on the library that
 * the decoder is made with. */
#include "tests/support/cbor_build.h"

#include <stdlib.h>
#include <string.h>

void build_free(struct builder *builder)
{
    free(builder->data);
    *builder = (struct builder){0};
}

struct sluice_span build_span(const struct builder *builder)
{
    return (struct sluice_span){builder->data, builder->bytes};
}

void build_raw(struct builder *builder, const void *data, size_t bytes)
{
    if (bytes > builder->capacity - builder->bytes) {
        builder->capacity = (builder->bytes + bytes) * 2;
        builder->data = realloc(builder->data, builder->capacity);
        if (builder->data == NULL)
            abort();
    }
    if (bytes > 0)
        memcpy(builder->data + builder->bytes, data, bytes);
    builder->bytes += bytes;
}

static void build_big_endian(struct builder *builder, uint8_t initial, uint64_t value, int width)
{
    uint8_t head[9] = {initial};

    for (int i = 0; i < width; i++)
        head[1 + i] = (uint8_t)(value >> (8 * (width - 1 - i)));
    build_raw(builder, head, 1 + (size_t)width);
}

void build_head_wide(struct builder *builder, enum major major, uint64_t value, int width)
{
    unsigned size = width == 1 ? 24u : width == 2 ? 25u : width == 4 ? 26u : 27u;

    build_big_endian(builder, (uint8_t)((unsigned)major << 5 | size), value, width);
}

void build_head(struct builder *builder, enum major major, uint64_t value)
{
    if (value < 24)
        build_big_endian(builder, (uint8_t)((unsigned)major << 5 | value), 0, 0);
    else
        build_head_wide(builder, major, value,
                        value <= UINT8_MAX    ? 1
                        : value <= UINT16_MAX ? 2
                        : value <= UINT32_MAX ? 4
                                              : 8);
}

void build_indefinite(struct builder *builder, enum major major)
{
    build_big_endian(builder, (uint8_t)((unsigned)major << 5 | 31u), 0, 0);
}

void build_break(struct builder *builder)
{
    build_raw(builder, "\xff", 1);
}

void build_int(struct builder *builder, int64_t value)
{
    if (value < 0)
        build_head(builder, MAJOR_NEGINT, (uint64_t)(-1 - value));
    else
        build_head(builder, MAJOR_UINT, (uint64_t)value);
}

void build_half(struct builder *builder, uint16_t bits)
{
    build_head_wide(builder, MAJOR_SIMPLE, bits, 2);
}

void build_float(struct builder *builder, float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof(bits));
    build_head_wide(builder, MAJOR_SIMPLE, bits, 4);
}

void build_double(struct builder *builder, double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof(bits));
    build_head_wide(builder, MAJOR_SIMPLE, bits, 8);
}

void build_bool(struct builder *builder, bool value)
{
    build_raw(builder, value ? "\xf5" : "\xf4", 1);
}

void build_null(struct builder *builder)
{
    build_raw(builder, "\xf6", 1);
}

void build_bytes(struct builder *builder, const void *data, size_t bytes)
{
    build_head(builder, MAJOR_BYTES, bytes);
    build_raw(builder, data, bytes);
}

void build_text(struct builder *builder, const char *text)
{
    build_head(builder, MAJOR_TEXT, strlen(text));
    build_raw(builder, text, strlen(text));
}
