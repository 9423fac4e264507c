/* SPDX-License-Identifier: Apache-2.0
 *
 * Design: parsed once as it is; only a number that does not fit makes it be parsed again. */
#include "ingest/protocol/json_tree.h"

json_t *sluice_json_tree(struct sluice_span text, size_t flags, bool *rounded, json_error_t *why)
{
    const char *const data = (const char *)text.data;
    json_t *tree = json_loadb(data, text.bytes, flags | JSON_ALLOW_NUL, why);
    const bool again = tree == NULL && json_error_code(why) == json_error_numeric_overflow;

    if (rounded != NULL)
        *rounded = again;
    return again
               ? json_loadb(data, text.bytes, flags | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, why)
               : tree;
}
