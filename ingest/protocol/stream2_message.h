/* SPDX-License-Identifier: Apache-2.0
 *
 * What the readers of Stream V2 messages (stream2*.c) share. Private to the room. Any thread;
 * errors name the fault in `error`. */
#ifndef SLUICE_INGEST_PROTOCOL_STREAM2_MESSAGE_H
#define SLUICE_INGEST_PROTOCOL_STREAM2_MESSAGE_H

#include "core/error.h"
#include "core/series.h"
#include "ingest/protocol/cbor_cursor.h"

#define SLUICE_STREAM2_TAG_SELF_DESCRIBED 55799

/* A cursor on the message's map, past the self-description tag where there is one. */
struct sluice_cbor_cursor sluice_stream2_begin(struct sluice_span message);

/* sluice_cbor_index over the whole message, which must be one map and nothing behind it. */
enum sluice_status sluice_stream2_index(struct sluice_span message,
                                        const struct sluice_cbor_key *wanted, size_t count,
                                        size_t *offsets, struct sluice_error *error);

/* Makes series->start_message of a start message that was indexed before. Allocates at most a few
 * times its bound of 4 MiB. */
enum sluice_status sluice_stream2_text(struct sluice_span message, struct sluice_series *series,
                                       struct sluice_error *error);

#endif
