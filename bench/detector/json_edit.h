/* SPDX-License-Identifier: Apache-2.0
 *
 * Where the values of a header's top object stand, so that captured headers can be edited without
 * being understood: all but the edited value stays as it was, byte for byte. Found by the protocol
 * room's reader; offsets count from the text's first byte, those of a text value leave its quotes
 * out. Nothing is allocated. */
#ifndef SLUICE_BENCH_DETECTOR_JSON_EDIT_H
#define SLUICE_BENCH_DETECTOR_JSON_EDIT_H

#include "bench/detector/cbor.h"

/* True when the span is exactly one object. */
bool sluice_json_is_object(struct sluice_span text);
bool sluice_json_find(struct sluice_span text, const char *key, struct sluice_cbor_range *value);
/* The same where it is a whole number without sign. */
bool sluice_json_find_uint(struct sluice_span text, const char *key, uint64_t *value);
/* The same where it is a list of two such numbers. */
bool sluice_json_find_pair(struct sluice_span text, const char *key,
                           struct sluice_cbor_range *value, uint64_t pair[2]);
/* True when it is this text. */
bool sluice_json_has_text(struct sluice_span text, const char *key, const char *value);
/* Replaces the value of a key by a number; does nothing where there is no such key. */
void sluice_json_replace_uint(struct sluice_cbor *text, const char *key, uint64_t value);

#endif
