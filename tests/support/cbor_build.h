/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes CBOR for tests, right or wrong: every head can be given in any width and with any value,
 * whatever follows it. A growing buffer that the caller owns; running out of memory aborts. */
#ifndef SLUICE_TESTS_SUPPORT_CBOR_BUILD_H
#define SLUICE_TESTS_SUPPORT_CBOR_BUILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/frame.h"

struct builder {
    uint8_t *data;
    size_t bytes, capacity;
};

enum major {
    MAJOR_UINT,
    MAJOR_NEGINT,
    MAJOR_BYTES,
    MAJOR_TEXT,
    MAJOR_ARRAY,
    MAJOR_MAP,
    MAJOR_TAG,
    MAJOR_SIMPLE,
};

/* Zeroed memory is an empty builder. */
void build_free(struct builder *builder);
struct sluice_span build_span(const struct builder *builder);

void build_raw(struct builder *builder, const void *data, size_t bytes);
/* A head in the shortest width, or in 1, 2, 4 or 8 bytes of argument. */
void build_head(struct builder *builder, enum major major, uint64_t value);
void build_head_wide(struct builder *builder, enum major major, uint64_t value, int width);
void build_indefinite(struct builder *builder, enum major major);
void build_break(struct builder *builder);

void build_int(struct builder *builder, int64_t value);
void build_half(struct builder *builder, uint16_t bits);
void build_float(struct builder *builder, float value);
void build_double(struct builder *builder, double value);
void build_bool(struct builder *builder, bool value);
void build_null(struct builder *builder);
void build_bytes(struct builder *builder, const void *data, size_t bytes);
void build_text(struct builder *builder, const char *text);

#endif
