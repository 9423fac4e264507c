/* SPDX-License-Identifier: Apache-2.0
 *
 * What must be known of a chunked dataset's object header (version 2) to let the dataset grow:
 * where its first dimension stands, and where its index is. Everything is checked, and what is not
 * as expected is refused: then HDF5 does the work.
 *
 * Pure functions on the bytes of the header's first part. */
#ifndef SLUICE_WRITER_APPEND_OBJECT_HEADER_H
#define SLUICE_WRITER_APPEND_OBJECT_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sluice_object_header {
    size_t bytes;   /* with the checksum at its end */
    size_t rows_at; /* the first dimension */
    size_t bits_at; /* one byte: the entries of a page of its index, as a power of two */
    uint64_t index; /* address of its fixed array's header */
};

/* False: it is none of these, is damaged, or does not fit into `room`. */
bool sluice_object_header_read(struct sluice_object_header *header, const uint8_t *data,
                               size_t room);
/* Sets the first dimension, and the checksum. */
void sluice_object_header_set_rows(const struct sluice_object_header *header, uint8_t *data,
                                   uint64_t rows);

void sluice_object_header_set_page_bits(const struct sluice_object_header *header, uint8_t *data,
                                        unsigned bits);

/* Little-endian numbers, as everywhere in the file. */
uint64_t sluice_le_read(const uint8_t *from, size_t bytes);
void sluice_le_write(uint8_t *to, uint64_t value, size_t bytes);

#endif
