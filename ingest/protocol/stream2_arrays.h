/* SPDX-License-Identifier: Apache-2.0
 *
 * The large arrays of a Stream V2 start message, decoded into memory that the series owns. Private
 * to the room. Images matter more than these: what cannot be used is left out with a warning in the
 * log. Memory is only taken for as many bytes as the payload can really expand to. */
#ifndef SLUICE_INGEST_PROTOCOL_STREAM2_ARRAYS_H
#define SLUICE_INGEST_PROTOCOL_STREAM2_ARRAYS_H

#include "core/series.h"
#include "ingest/protocol/cbor_cursor.h"

/* Maps of channel to array, at the cursor. The channels and the image's size are known already. */
void sluice_stream2_pixel_masks(struct sluice_cbor_cursor cursor, struct sluice_series *series);
void sluice_stream2_flatfields(struct sluice_cbor_cursor cursor, struct sluice_series *series);
/* A typed array, or an array of tag 40 of any shape. */
void sluice_stream2_countrate_table(struct sluice_cbor_cursor cursor, struct sluice_series *series);

/* The series' channel of this name, NULL when it has none. */
struct sluice_channel *sluice_stream2_channel(struct sluice_series *series,
                                              struct sluice_span name);

#endif
