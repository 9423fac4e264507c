/* SPDX-License-Identifier: Apache-2.0
 *
 * DECTRIS Stream V2: one ZeroMQ message is one CBOR map, a start, an image or an end.
 *
 * Pure functions from bytes to descriptors: no socket, no clock, no state between messages but the
 * caller's scratch. Input is hostile: depth, lengths, counts and products are bounded before use,
 * and nothing is allocated in proportion to what a message claims.
 *
 * An image is decoded without allocation and without copying a payload: spans point into the
 * message and stay valid as long as it does. A start message is cold: its arrays are decoded into a
 * struct sluice_series of its own. */
#ifndef SLUICE_INGEST_PROTOCOL_STREAM2_H
#define SLUICE_INGEST_PROTOCOL_STREAM2_H

#include "ingest/protocol/protocol.h"

/* True for bytes that can be the beginning of a Stream V2 message: a CBOR map, with or without the
 * self-description tag, whose first key is text ("type" from a detector, but decoding takes the
 * keys in any order). Looks at a few bytes only. */
bool sluice_stream2_probe(struct sluice_span message);

/* Decodes any message. `head` is always filled. For an image also `image`: every plane with shape,
 * type, encoding and a payload whose framing agrees with them (sluice_codec_check), user data as
 * JSON (ASCII, empty for null) into `user_data`, which may be NULL. For start and end only the
 * head: use sluice_stream2_start for the rest. Keys may come in any order; of a key that stands
 * twice the first counts; unknown ones are passed over. A series_id is required, and an image_id of
 * an image. OK; MALFORMED, TRUNCATED, LIMIT, MISMATCH or UNSUPPORTED with the reason, key by name,
 * in `error`; `image` is then of no use. No allocation. */
enum sluice_status sluice_stream2_decode(struct sluice_span message,
                                         struct sluice_message_head *head,
                                         struct sluice_image *image,
                                         const struct sluice_text_buffer *user_data,
                                         struct sluice_error *error);

/* Decodes a start message into a new series that the caller owns. Every key but the large arrays
 * (pixel_mask, flatfield, table), known or not, is kept in series->start_message as JSON of at most
 * 4 MiB; what does not fit is named there as {"bytes":N,"omitted":true}. series_id, image_size_x
 * and _y and image_dtype are required, and channels must be names; null means unknown. Any other
 * field with a wrong type is left out with a warning in the log, and so is a mask, flatfield or
 * table that cannot be decoded or whose shape is not the image's: images matter more. On an error
 * *series is NULL. */
enum sluice_status sluice_stream2_start(struct sluice_span message, struct sluice_series **series,
                                        struct sluice_error *error);

#endif
