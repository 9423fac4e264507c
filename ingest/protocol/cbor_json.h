/* SPDX-License-Identifier: Apache-2.0
 *
 * Any CBOR item as JSON text, for user data and for the start message.
 *
 *   integers, floats, booleans, null   as they are; NaN and infinities as null
 *   text                               escaped, ASCII
 *   byte strings                       {"base64":"…"}, above 64 KiB {"bytes":N,"omitted":true}
 *   strings in chunks                  joined, above 4 KiB {"bytes":N,"omitted":true}
 *   tags                               dropped, their content stays
 *   other simple values                {"simple":N}
 *   map keys that are not text         their own JSON text as the key
 *
 * Allocates nothing itself; a growing writer does. Any thread. */
#ifndef SLUICE_INGEST_PROTOCOL_CBOR_JSON_H
#define SLUICE_INGEST_PROTOCOL_CBOR_JSON_H

#include "core/json.h"
#include "ingest/protocol/cbor_cursor.h"

/* Writes the item at the cursor and steps over it. LIMIT when the writer has reached `bytes_max` or
 * failed: what it holds is then of no use. Otherwise OK, or the cursor's error. */
enum sluice_status sluice_cbor_write_json(struct sluice_cbor_cursor *cursor,
                                          struct sluice_json *json, size_t bytes_max);

/* The key of a map's pair, and steps over it: the value is written next. */
enum sluice_status sluice_cbor_write_json_key(struct sluice_cbor_cursor *cursor,
                                              struct sluice_json *json, size_t bytes_max);

/* {"bytes":N,"omitted":true}: what stands where something was too large. */
void sluice_cbor_write_omitted(struct sluice_json *json, size_t bytes);

#endif
