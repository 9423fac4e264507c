/* SPDX-License-Identifier: Apache-2.0
 *
 * Altering image messages of the protocols whose headers are JSON (Stream V1, array-1.0). */
#ifndef SLUICE_BENCH_DETECTOR_JSON_SPOIL_H
#define SLUICE_BENCH_DETECTOR_JSON_SPOIL_H

#include "bench/detector/wire.h"

/* Where such a message says what its pixels are. */
struct sluice_json_layout {
    uint32_t description, blob; /* parts */
    uint32_t rows;              /* element of `shape` that counts the rows */
    bool framed;                /* the blob begins with its uncompressed bytes, u64 BE */
};

/* Does what the alteration asks for; a message that lacks the parts is left alone. */
void sluice_json_alter(struct sluice_multipart *message, const struct sluice_json_layout *layout,
                       const struct sluice_alteration *alteration);

#endif
