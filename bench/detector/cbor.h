/* SPDX-License-Identifier: Apache-2.0
 *
 * The little CBOR (RFC 8949) that a simulated detector needs: a writer into a growing buffer, and a
 * scanner that finds a key of a message's top map, so that captured messages can be edited without
 * being understood.
 *
 * Writer: the buffer owns its memory until close; zeroed memory is an empty one; when memory runs
 * out it stays failed and every later call does nothing, so one check at the end is enough.
 * Scanner: reads only inside the span, nests at most SLUICE_CBOR_DEPTH_MAX deep; offsets count from
 * the span's first byte. One thread. */
#ifndef SLUICE_BENCH_DETECTOR_CBOR_H
#define SLUICE_BENCH_DETECTOR_CBOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/frame.h"

#define SLUICE_CBOR_DEPTH_MAX 64
/* d9 d9 f7: "what follows is CBOR" */
#define SLUICE_CBOR_SELF_DESCRIPTION       55799
#define SLUICE_CBOR_SELF_DESCRIPTION_BYTES 3

enum sluice_cbor_major {
    SLUICE_CBOR_UINT,
    SLUICE_CBOR_NEGATIVE,
    SLUICE_CBOR_BYTES,
    SLUICE_CBOR_TEXT,
    SLUICE_CBOR_ARRAY,
    SLUICE_CBOR_MAP,
    SLUICE_CBOR_TAG,
    SLUICE_CBOR_SIMPLE,
};

struct sluice_cbor {
    uint8_t *data;
    size_t bytes, capacity;
    bool failed;
};

void sluice_cbor_close(struct sluice_cbor *cbor);
struct sluice_span sluice_cbor_span(const struct sluice_cbor *cbor);

/* The shortest head of that major type: an unsigned integer, a tag, the length of an array … */
void sluice_cbor_head(struct sluice_cbor *cbor, enum sluice_cbor_major major, uint64_t value);
/* An unsigned integer in the nine-byte form, whatever its value: it can be overwritten in place. */
void sluice_cbor_uint_fixed(struct sluice_cbor *cbor, uint64_t value);
void sluice_cbor_int(struct sluice_cbor *cbor, int64_t value);
void sluice_cbor_double(struct sluice_cbor *cbor, double value);
void sluice_cbor_bool(struct sluice_cbor *cbor, bool value);
void sluice_cbor_text(struct sluice_cbor *cbor, const char *text);
void sluice_cbor_bytes(struct sluice_cbor *cbor, struct sluice_span bytes);
/* Bytes as they are: an item encoded elsewhere. */
void sluice_cbor_raw(struct sluice_cbor *cbor, struct sluice_span item);
/* Overwrites `count` bytes at `offset` with `item`, which may be longer or shorter. */
void sluice_cbor_splice(struct sluice_cbor *cbor, size_t offset, size_t count,
                        struct sluice_span item);

struct sluice_cbor_item {
    enum sluice_cbor_major major;
    bool indefinite;
    uint64_t value; /* the integer, tag, count or length */
    size_t content; /* offset of the first byte after the head */
};

/* Reads the head at `offset`. */
bool sluice_cbor_read(struct sluice_span span, size_t offset, struct sluice_cbor_item *item);
/* Offset after the whole item that begins at `offset`; 0 when it is malformed or cut short. */
size_t sluice_cbor_item_end(struct sluice_span span, size_t offset);
/* True when the span is exactly one map, with or without the self-description tag. */
bool sluice_cbor_is_map(struct sluice_span span);

/* Where the value of a key of the top map begins and ends. */
struct sluice_cbor_range {
    size_t begin, end;
};
bool sluice_cbor_find(struct sluice_span span, const char *key, struct sluice_cbor_range *value);
/* The value of such a key, when it is an unsigned integer or a text of definite length. */
bool sluice_cbor_find_uint(struct sluice_span span, const char *key, uint64_t *value);
bool sluice_cbor_find_text(struct sluice_span span, const char *key, struct sluice_span *text);

#endif
