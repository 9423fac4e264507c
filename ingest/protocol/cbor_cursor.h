/* SPDX-License-Identifier: Apache-2.0
 *
 * A pull cursor over one CBOR item in memory: tokens on demand, no tree, no allocation, no copy.
 * Tokens are decoded by libcbor's streaming decoder.
 *
 * Input is hostile. A length or a count is compared with the bytes that remain before anything is
 * done with it, and nesting is bounded by SLUICE_CBOR_DEPTH_MAX without recursion. Spans point into
 * the message and live as long as it does. Any thread; a cursor is used by one.
 *
 * Errors: TRUNCATED (the message ends too early), MALFORMED (not CBOR), LIMIT (nested too deep),
 * UNSUPPORTED. `why` then says in static words what was wrong. After an error the position is
 * undefined. */
#ifndef SLUICE_INGEST_PROTOCOL_CBOR_CURSOR_H
#define SLUICE_INGEST_PROTOCOL_CBOR_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/frame.h"
#include "core/status.h"

/* Levels below a value, tags included. Smaller than what the JSON writer can nest. */
#define SLUICE_CBOR_DEPTH_MAX 60

#define SLUICE_CBOR_ABSENT SIZE_MAX /* a key that is not in the map */

enum sluice_cbor_kind {
    SLUICE_CBOR_NONE,
    SLUICE_CBOR_UINT,
    SLUICE_CBOR_NEGINT, /* -1 - value */
    SLUICE_CBOR_FLOAT,
    SLUICE_CBOR_BOOL,
    SLUICE_CBOR_NULL,   /* null and undefined */
    SLUICE_CBOR_SIMPLE, /* any other simple value */
    SLUICE_CBOR_BYTES,
    SLUICE_CBOR_TEXT,
    SLUICE_CBOR_ARRAY,
    SLUICE_CBOR_MAP,
    SLUICE_CBOR_TAG,
    SLUICE_CBOR_BREAK,
};

struct sluice_cbor_token {
    enum sluice_cbor_kind kind;
    bool indefinite;         /* BYTES, TEXT: chunks follow; ARRAY, MAP: until a BREAK */
    uint64_t value;          /* UINT, NEGINT, BOOL, SIMPLE, TAG; items of ARRAY, pairs of MAP */
    double number;           /* FLOAT */
    struct sluice_span span; /* BYTES, TEXT; empty when indefinite */
};

struct sluice_cbor_cursor {
    const uint8_t *data;
    size_t bytes, at;
    const char *why; /* static; NULL before the first error */
};

static inline struct sluice_cbor_cursor sluice_cbor_at(struct sluice_span message, size_t at)
{
    return (struct sluice_cbor_cursor){.data = message.data, .bytes = message.bytes, .at = at};
}

/* Sets `why` and returns `status`. */
static inline enum sluice_status sluice_cbor_fail(struct sluice_cbor_cursor *cursor,
                                                  enum sluice_status status, const char *why)
{
    cursor->why = why;
    return status;
}

/* The next token. A container's items, a tag's content and the chunks of a string of indefinite
 * length are tokens of their own. */
enum sluice_status sluice_cbor_next(struct sluice_cbor_cursor *cursor,
                                    struct sluice_cbor_token *token);

/* The next token that is not a tag: what an item is, whatever it is tagged with. */
enum sluice_status sluice_cbor_next_untagged(struct sluice_cbor_cursor *cursor,
                                             struct sluice_cbor_token *token);

/* Steps over one whole item, and thereby checks that it is well-formed. */
enum sluice_status sluice_cbor_skip(struct sluice_cbor_cursor *cursor);

/* What remains of a container whose first token was read. A map has two items a pair. */
struct sluice_cbor_items {
    uint64_t left;
    bool indefinite;
};
static inline struct sluice_cbor_items sluice_cbor_items(const struct sluice_cbor_token *token)
{
    return (struct sluice_cbor_items){.left = token->value, .indefinite = token->indefinite};
}
/* *more: an item (of a map: a pair) follows, and the caller reads it whole before it asks again. */
enum sluice_status sluice_cbor_more(struct sluice_cbor_cursor *cursor,
                                    struct sluice_cbor_items *items, bool *more);

struct sluice_cbor_key {
    const char *name;
    size_t bytes;
};
#define SLUICE_CBOR_KEY(text)                                                                      \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }

/* Reads the map at the cursor from end to end and notes where the value of each of the `count` keys
 * begins, SLUICE_CBOR_ABSENT where there is none. Of a key that stands twice the first one counts;
 * keys that are not text are passed over. After an error `offsets` holds the keys whose values were
 * whole. */
enum sluice_status sluice_cbor_index(struct sluice_cbor_cursor *cursor,
                                     const struct sluice_cbor_key *keys, size_t count,
                                     size_t *offsets);

#endif
