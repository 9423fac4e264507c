/* SPDX-License-Identifier: Apache-2.0
 *
 * jansson's tree of a header, for what senders really write: a whole number beyond jansson's (2^63
 * and above, such as the bunch number of all ones that stands for none) must not cost the image or
 * the configuration that it stands beside. Pure; re-entrant. */
#ifndef SLUICE_INGEST_PROTOCOL_JSON_TREE_H
#define SLUICE_INGEST_PROTOCOL_JSON_TREE_H

#include <stdbool.h>

#include <jansson.h>

#include "core/frame.h"

/* The caller's to json_decref. `flags` are jansson's, to which JSON_ALLOW_NUL is added. Where a
 * whole number is too large for jansson all of them become reals, and *rounded (which may be NULL)
 * says so. NULL: no JSON, with the reason in `why`. */
json_t *sluice_json_tree(struct sluice_span text, size_t flags, bool *rounded, json_error_t *why);

#endif
