/* SPDX-License-Identifier: Apache-2.0
 *
 * What every wire protocol gives the source: a name and its operations, so that the source knows
 * none of them by its format. A protocol is one constant table of this type.
 *
 * The operations are pure functions from the parts of one ZeroMQ message to descriptors: no socket,
 * no clock, no state between messages but the caller's buffers. Input is hostile: depth, lengths,
 * counts and products are bounded before use, and nothing on the path of an image allocates in
 * proportion to its size. Re-entrant; any thread. Spans that they fill point into the message and
 * stay valid as long as it does. */
#ifndef SLUICE_INGEST_PROTOCOL_PROTOCOL_H
#define SLUICE_INGEST_PROTOCOL_PROTOCOL_H

#include <stdbool.h>

#include "core/error.h"
#include "core/frame.h"
#include "core/series.h"

#define SLUICE_PARTS_MAX 16

/* The parts of one message, borrowed. */
struct sluice_parts {
    struct sluice_span part[SLUICE_PARTS_MAX];
    uint32_t count;
    bool cut; /* more came than are here */
};

enum sluice_message_kind {
    SLUICE_MESSAGE_UNKNOWN, /* not decodable so far that its type is known */
    SLUICE_MESSAGE_START,
    SLUICE_MESSAGE_IMAGE,
    SLUICE_MESSAGE_END,
};

/* Which series a message says it is of; filled as far as the message could be read, also when
 * decoding failed later. */
struct sluice_message_head {
    enum sluice_message_kind kind;
    bool has_series_id, has_unique_id, has_image_id;
    uint64_t series_id;
    struct sluice_span unique_id; /* text in the message, at most SLUICE_UNIQUE_ID_BYTES - 1 */
    uint64_t image_id;
    struct sluice_span series_date; /* text in the message, may be empty */
};

/* Where the decoder puts the JSON of an image's user data: the slot's own buffer. */
struct sluice_text_buffer {
    char *data;
    size_t capacity; /* text that does not fit is cut, not within an escape; above 8 KiB of it
                        {"bytes":N,"omitted":true} */
};

struct sluice_protocol_ops {
    const char *name;  /* as source.protocol has it */
    const char *title; /* as people write it */

    /* Whether the message can be one of this protocol, by its first bytes. At most one protocol
     * says yes to any message. */
    bool (*probe)(const struct sluice_parts *parts);

    /* Decodes any message. `head` is always filled. For an image also `image`, its user data as
     * JSON into `user_data`, which may be NULL; for start and end only the head. No allocation in
     * proportion to the image. OK; MALFORMED, TRUNCATED, LIMIT, MISMATCH or UNSUPPORTED with the
     * reason in `error`; `image` is then of no use. */
    enum sluice_status (*decode)(const struct sluice_parts *parts, struct sluice_message_head *head,
                                 struct sluice_image *image,
                                 const struct sluice_text_buffer *user_data,
                                 struct sluice_error *error);

    /* Decodes a start message into a new series that the caller owns. On an error *series is NULL.
     * NULL where the protocol has no start messages. */
    enum sluice_status (*start)(const struct sluice_parts *parts, struct sluice_series **series,
                                struct sluice_error *error);

    /* For a protocol without start and end messages: a new series of the shape and type of a
     * decoded image, without number and name; NULL when memory is out. Its image_id is then a
     * counter that begins anywhere. NULL where the protocol has start messages. */
    struct sluice_series *(*open)(const struct sluice_parts *parts,
                                  const struct sluice_image *image);

    /* Where the configuration says nothing: idle time that closes a series. 0: never. */
    int64_t idle_timeout_ns;
};

extern const struct sluice_protocol_ops sluice_stream1_protocol;
extern const struct sluice_protocol_ops sluice_stream2_protocol;
extern const struct sluice_protocol_ops sluice_array10_protocol;

#endif
