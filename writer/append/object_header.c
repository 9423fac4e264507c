/* SPDX-License-Identifier: Apache-2.0
 *
 * The first part of an object header: signature, version, flags, optional times and attribute
 * limits, its size, messages, checksum. HDF5 writes the dataspace and the layout of a new dataset
 * into it; only attributes may go elsewhere. */
#include "writer/append/object_header.h"

#include <string.h>

#include "writer/append/lookup3.h"

#define MESSAGE_DATASPACE 0x01
#define MESSAGE_LAYOUT    0x08

#define FLAG_ORDER  0x04
#define FLAG_LIMITS 0x10
#define FLAG_TIMES  0x20

#define CLASS_CHUNKED     2
#define INDEX_FIXED_ARRAY 3

uint64_t sluice_le_read(const uint8_t *from, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = bytes; i-- > 0;)
        value = value << 8 | from[i];
    return value;
}

void sluice_le_write(uint8_t *to, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++, value >>= 8)
        to[i] = (uint8_t)value;
}

/* Version 2, at least one dimension, all sizes of 8 bytes. */
static bool read_dataspace(struct sluice_object_header *header, const uint8_t *data, size_t at,
                           size_t bytes)
{
    if (bytes < 12 || data[at] != 2 || data[at + 1] == 0)
        return false;
    header->rows_at = at + 4;
    return true;
}

/* Version 4: class, flags, the dimensions of a chunk, the index and where it is. */
static bool read_layout(struct sluice_object_header *header, const uint8_t *data, size_t at,
                        size_t bytes)
{
    if (bytes < 5 || data[at] != 4 || data[at + 1] != CLASS_CHUNKED)
        return false;
    const size_t index = 5 + (size_t)data[at + 3] * data[at + 4];
    if (bytes < index + 10 || data[at + index] != INDEX_FIXED_ARRAY)
        return false;
    header->bits_at = at + index + 1;
    header->index = sluice_le_read(data + at + index + 2, 8);
    return header->index != UINT64_MAX;
}

/* The messages between `at` and `end`; what is left in the end is a gap. */
static bool read_messages(struct sluice_object_header *header, const uint8_t *data, size_t at,
                          size_t end)
{
    const size_t head = data[5] & FLAG_ORDER ? 6 : 4;
    bool space = false, layout = false;
    while (at + head <= end) {
        const uint8_t type = data[at];
        const size_t bytes = (size_t)sluice_le_read(data + at + 1, 2);
        at += head;
        if (bytes > end - at)
            return false;
        if (type == MESSAGE_DATASPACE)
            space = read_dataspace(header, data, at, bytes);
        else if (type == MESSAGE_LAYOUT)
            layout = read_layout(header, data, at, bytes);
        at += bytes;
    }
    return space && layout;
}

bool sluice_object_header_read(struct sluice_object_header *header, const uint8_t *data,
                               size_t room)
{
    if (room < 64 || memcmp(data, "OHDR\2", 5) != 0)
        return false;
    const uint8_t flags = data[5];
    const size_t width = (size_t)1 << (flags & 3);
    const size_t at = (size_t)6 + (flags & FLAG_TIMES ? 16 : 0) + (flags & FLAG_LIMITS ? 4 : 0);
    const uint64_t size = sluice_le_read(data + at, width);
    if (size > room - at - width - 4)
        return false;
    const size_t end = at + width + (size_t)size;
    header->bytes = end + 4;
    if (sluice_lookup3(data, end) != sluice_le_read(data + end, 4))
        return false;
    return read_messages(header, data, at + width, end);
}

static void set_number(const struct sluice_object_header *header, uint8_t *data, size_t at,
                       uint64_t value, size_t bytes)
{
    const size_t end = header->bytes - 4;
    sluice_le_write(data + at, value, bytes);
    sluice_le_write(data + end, sluice_lookup3(data, end), 4);
}

void sluice_object_header_set_rows(const struct sluice_object_header *header, uint8_t *data,
                                   uint64_t rows)
{
    set_number(header, data, header->rows_at, rows, 8);
}

void sluice_object_header_set_page_bits(const struct sluice_object_header *header, uint8_t *data,
                                        unsigned bits)
{
    set_number(header, data, header->bits_at, bits, 1);
}
