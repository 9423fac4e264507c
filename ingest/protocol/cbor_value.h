/* SPDX-License-Identifier: Apache-2.0
 *
 * Single values out of a CBOR message: numbers of any width, text, flags, rationals, and the arrays
 * of Stream V2 (RFC 8746 typed arrays, compressed byte strings of tag 56500). Tags around plain
 * values are dropped; null and undefined mean "not known" (*known false) where a `known` is given.
 *
 * Errors as in cbor_cursor.h, MALFORMED for a wrong type; the cursor's `why` names what was
 * expected. Nothing allocates; spans point into the message. Any thread. */
#ifndef SLUICE_INGEST_PROTOCOL_CBOR_VALUE_H
#define SLUICE_INGEST_PROTOCOL_CBOR_VALUE_H

#include "ingest/protocol/cbor_cursor.h"

/* An integer, or a float without a fraction. */
enum sluice_status sluice_cbor_read_uint(struct sluice_cbor_cursor *cursor, uint64_t *value,
                                         bool *known);
enum sluice_status sluice_cbor_read_int(struct sluice_cbor_cursor *cursor, int64_t *value,
                                        bool *known);
/* Any number; NaN for null. */
enum sluice_status sluice_cbor_read_double(struct sluice_cbor_cursor *cursor, double *value);
/* [numerator, denominator] or a number; NaN for null and for a denominator of 0. */
enum sluice_status sluice_cbor_read_rational(struct sluice_cbor_cursor *cursor, double *value);
/* -1 for null, else 0 or 1. */
enum sluice_status sluice_cbor_read_flag(struct sluice_cbor_cursor *cursor, int *value);
/* Text without NUL of at most `bytes_max` bytes; LIMIT when it is longer. Text in chunks is
 * UNSUPPORTED. */
enum sluice_status sluice_cbor_read_text(struct sluice_cbor_cursor *cursor, size_t bytes_max,
                                         struct sluice_span *text, bool *known);
/* Text as a key of a map, or an item of a list: 1 to SLUICE_NAME_BYTES - 1 bytes. */
enum sluice_status sluice_cbor_read_name(struct sluice_cbor_cursor *cursor,
                                         struct sluice_span *name);
/* The first token of a map whose keys the caller reads. *known false for null. */
enum sluice_status sluice_cbor_read_map(struct sluice_cbor_cursor *cursor,
                                        struct sluice_cbor_items *items, bool *known);

/* The elements of an array. Their bytes are as in the message: compare them with what they must be
 * (sluice_codec_check) before use. */
struct sluice_cbor_typed {
    enum sluice_dtype dtype;
    enum sluice_encoding encoding;
    struct sluice_span payload;
};

/* A typed array (RFC 8746, little-endian) of a byte string or of a compressed one. */
enum sluice_status sluice_cbor_read_typed(struct sluice_cbor_cursor *cursor,
                                          struct sluice_cbor_typed *typed);

/* Tag 40 with two dimensions, row-major: each 1 to 2^31 - 1, their decoded bytes below 4 GiB, which
 * is what an HDF5 chunk can hold. */
enum sluice_status sluice_cbor_read_image(struct sluice_cbor_cursor *cursor, uint32_t *width,
                                          uint32_t *height, struct sluice_cbor_typed *typed);

/* Copies what can be printed of a name, '?' for the rest, into `buffer`; returns it. */
const char *sluice_cbor_printable(struct sluice_span name, char buffer[static SLUICE_NAME_BYTES]);

#endif
