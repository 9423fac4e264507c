/* SPDX-License-Identifier: Apache-2.0
 *
 * PSI's array-1.0: one ZeroMQ message of two parts is one image. Part 1 is a JSON object,
 *
 *     {"htype": "array-1.0", "shape": [rows, columns], "type": "uint16", "frame": K, …}
 *
 * part 2 the pixels, little-endian and row-major. There is neither a start nor an end message: who
 * opens and closes an acquisition is the source's business.
 *
 * Pure functions from bytes to descriptors: no socket, no clock, no state between messages. Input
 * is hostile: the header is bounded before it is parsed, and shape, type and number of bytes must
 * agree. jansson allocates for the header; nothing is allocated or copied for the pixels. */
#ifndef SLUICE_INGEST_PROTOCOL_ARRAY10_H
#define SLUICE_INGEST_PROTOCOL_ARRAY10_H

#include "ingest/protocol/protocol.h"

#define SLUICE_ARRAY10_HEADER_BYTES_MAX 65536

/* What the only channel is called. */
#define SLUICE_ARRAY10_CHANNEL "data"

/* True for the first part of an array-1.0 message, by its htype; what follows that is not read. */
bool sluice_array10_probe(struct sluice_span header);

/* Decodes one message. `head` is always filled as far as the header could be read: image_id is the
 * frame counter as the detector counts, which may begin anywhere. For `image` likewise; its payload
 * is the second part. Further keys of the header go into `user_data` (which may be NULL) as a JSON
 * object, ASCII only; where it does not fit {"bytes":N,"omitted":true} stands for it, or nothing.
 * A header with a whole number of 2^63 or above is the user data as it stands, all keys of it.
 * OK; MALFORMED, LIMIT, MISMATCH or UNSUPPORTED with the reason in `error`; `image` is then of no
 * use. */
enum sluice_status sluice_array10_decode(const struct sluice_parts *parts,
                                         struct sluice_message_head *head,
                                         struct sluice_image *image,
                                         const struct sluice_text_buffer *user_data,
                                         struct sluice_error *error);

/* The series that a decoded image opens: its shape and type, and its header as start_message (so
 * that the first frame's own number is kept). The ids are the caller's to fill. NULL: no memory. */
struct sluice_series *sluice_array10_series(struct sluice_span header,
                                            const struct sluice_image *image);

#endif
