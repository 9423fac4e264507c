/* SPDX-License-Identifier: Apache-2.0
 *
 * User data of an image as JSON text in its slot's buffer, whatever the detector sent. Private to
 * the room; any thread; nothing is allocated. */
#ifndef SLUICE_INGEST_PROTOCOL_USER_DATA_H
#define SLUICE_INGEST_PROTOCOL_USER_DATA_H

#include "ingest/protocol/protocol.h"

/* Text that is longer stands as {"bytes":N,"omitted":true}. */
#define SLUICE_USER_DATA_BYTES_CUT 8192

/* Copies ASCII JSON text, cut where the buffer ends, but not within an escape. */
struct sluice_span sluice_user_data_put(const struct sluice_text_buffer *buffer, const char *json,
                                        size_t bytes);
/* An appendix: JSON as it is, compact and ASCII; any other text as one JSON text; nothing where it
 * is empty or null, or where there is no buffer. */
struct sluice_span sluice_user_data_of_text(const struct sluice_text_buffer *buffer,
                                            struct sluice_span text);

#endif
