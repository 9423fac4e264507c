/* SPDX-License-Identifier: Apache-2.0
 *
 * The sending side of DECTRIS Stream V2: start, image and end messages as CBOR, each beginning with
 * the self-description tag, `type` first. What is unknown in a description (NaN, empty, NULL) is
 * left out of the message. Appends to the caller's buffer; check `failed` of it afterwards.
 * Integers that a sender changes from one image to the next (image_id, numerators of times) are
 * written in the nine-byte form, so that they can be overwritten in place. */
#ifndef SLUICE_BENCH_DETECTOR_STREAM2_ENCODE_H
#define SLUICE_BENCH_DETECTOR_STREAM2_ENCODE_H

#include "bench/detector/cbor.h"
#include "core/frame.h"
#include "core/series.h"
#include "core/status.h"

struct sluice_stream2_start_options {
    bool with_arrays;              /* header detail `all`: masks, flatfields and tables */
    enum sluice_encoding encoding; /* of these arrays */
    struct sluice_span user_data;  /* one CBOR item; may be empty */
};

/* OK or NO_MEMORY. */
enum sluice_status sluice_stream2_encode_start(struct sluice_cbor *cbor,
                                               const struct sluice_series *series,
                                               const struct sluice_stream2_start_options *options);

/* Times are fractions of seconds since series_date. */
struct sluice_stream2_image {
    uint64_t series_id;
    const char *unique_id;
    const char *series_date; /* ISO 8601 */
    uint64_t image_id;
    uint64_t ticks_per_second;
    uint64_t start_ticks, stop_ticks, real_ticks;
    struct sluice_span user_data; /* one CBOR item; may be empty */
    const struct sluice_plane *planes;
    uint32_t plane_count;
};

/* OK, NO_MEMORY, or UNSUPPORTED for a plane whose type has no typed array in the protocol. */
enum sluice_status sluice_stream2_encode_image(struct sluice_cbor *cbor,
                                               const struct sluice_stream2_image *image);

enum sluice_status sluice_stream2_encode_end(struct sluice_cbor *cbor, uint64_t series_id,
                                             const char *unique_id);

#endif
