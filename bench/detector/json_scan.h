/* SPDX-License-Identifier: Apache-2.0
 *
 * Finds a member of a message's top JSON object, so that captured headers can be edited without
 * being understood: all but the edited value stays as it was, byte for byte. Reads only inside the
 * span, nests at most SLUICE_CBOR_DEPTH_MAX deep; offsets count from its first byte. Keys are
 * compared as they are written (no header of the protocols has an escape in a key). */
#ifndef SLUICE_BENCH_DETECTOR_JSON_SCAN_H
#define SLUICE_BENCH_DETECTOR_JSON_SCAN_H

#include "bench/detector/cbor.h"

/* True when the span is exactly one object, with white space around it at most. */
bool sluice_json_is_object(struct sluice_span text);
/* Where the value of a key of the top object begins and ends. */
bool sluice_json_find(struct sluice_span text, const char *key, struct sluice_cbor_range *value);
/* The same where it is a whole number without sign. */
bool sluice_json_find_uint(struct sluice_span text, const char *key, uint64_t *value);
/* True when it is this text. */
bool sluice_json_has_text(struct sluice_span text, const char *key, const char *value);
/* Element `index` of the array that the range is: a whole number without sign. */
bool sluice_json_element(struct sluice_span text, struct sluice_cbor_range array, uint32_t index,
                         struct sluice_cbor_range *range, uint64_t *value);

#endif
