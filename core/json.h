/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes JSON text, for summaries, notices and statistics. A growing buffer, one thread. Commas and
 * nesting are kept by the writer; text is escaped and pure ASCII (\u-escapes, surrogate pairs;
 * bytes that are not UTF-8 become \ufffd). Doubles are the shortest text that reads back as the
 * same value; NaN and infinities become null. When memory runs out the writer stays failed. */
#ifndef SLUICE_CORE_JSON_H
#define SLUICE_CORE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SLUICE_JSON_DEPTH_MAX 64

struct sluice_json {
    char *text; /* NUL-terminated once anything was written; owned by the writer until close */
    size_t bytes, capacity;
    bool failed;
    bool fixed; /* `text` is the caller's: never grown, `failed` when it is full */
    uint32_t depth;
    bool needs_comma[SLUICE_JSON_DEPTH_MAX];
    bool after_key;
};

/* Zeroed memory is an empty growing writer. */
void sluice_json_init_fixed(struct sluice_json *json, char *buffer, size_t capacity);
void sluice_json_reset(struct sluice_json *json); /* empties, keeps the memory */
void sluice_json_close(struct sluice_json *json); /* frees; a fixed buffer is left alone */

void sluice_json_object_begin(struct sluice_json *json);
void sluice_json_object_end(struct sluice_json *json);
void sluice_json_array_begin(struct sluice_json *json);
void sluice_json_array_end(struct sluice_json *json);
void sluice_json_key(struct sluice_json *json, const char *key);
void sluice_json_key_span(struct sluice_json *json, const char *key, size_t bytes);
void sluice_json_text(struct sluice_json *json, const char *text); /* NULL gives null */
void sluice_json_text_span(struct sluice_json *json, const char *text, size_t bytes);
void sluice_json_int(struct sluice_json *json, int64_t value);
void sluice_json_uint(struct sluice_json *json, uint64_t value);
void sluice_json_int128(struct sluice_json *json, __int128 value);
void sluice_json_double(struct sluice_json *json, double value);
void sluice_json_bool(struct sluice_json *json, bool value);
void sluice_json_null(struct sluice_json *json);
/* JSON text made elsewhere, as one value. */
void sluice_json_raw(struct sluice_json *json, const char *value);

/* A member of an object: key and value. */
static inline void sluice_json_put_text(struct sluice_json *json, const char *key, const char *text)
{
    sluice_json_key(json, key);
    sluice_json_text(json, text);
}

static inline void sluice_json_put_uint(struct sluice_json *json, const char *key, uint64_t value)
{
    sluice_json_key(json, key);
    sluice_json_uint(json, value);
}

static inline void sluice_json_put_double(struct sluice_json *json, const char *key, double value)
{
    sluice_json_key(json, key);
    sluice_json_double(json, value);
}

#endif
