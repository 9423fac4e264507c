/* SPDX-License-Identifier: Apache-2.0
 *
 * The sending side of DECTRIS Stream V1: headers, images and ends as parts, the small ones JSON.
 * What is unknown in a description (NaN, empty, NULL) is left out. Appends to the caller's parts;
 * check sluice_multipart_failed afterwards. */
#ifndef SLUICE_BENCH_DETECTOR_STREAM1_ENCODE_H
#define SLUICE_BENCH_DETECTOR_STREAM1_ENCODE_H

#include "bench/detector/capture.h"
#include "core/frame.h"
#include "core/series.h"
#include "core/status.h"

/* `all` adds flatfield, mask and table to `basic`; `none` names the series and nothing else.
 * `appendix` may be NULL. OK or NO_MEMORY. */
enum sluice_status sluice_stream1_encode_start(struct sluice_multipart *message,
                                               const struct sluice_series *series,
                                               enum sluice_header_detail detail,
                                               const char *appendix);

/* Times are nanoseconds since the start of the series. */
struct sluice_stream1_image {
    uint64_t series_id, frame;
    uint64_t start_ns, stop_ns, real_ns;
    uint32_t width, height;
    enum sluice_dtype dtype;
    /* LZ4: the payload is one bare block; BSLZ4: it has the framing of the filter */
    enum sluice_encoding encoding;
    struct sluice_span payload;
    const char *appendix; /* NULL: none */
};

/* OK, NO_MEMORY, or UNSUPPORTED for a type that the protocol does not have. */
enum sluice_status sluice_stream1_encode_image(struct sluice_multipart *message,
                                               const struct sluice_stream1_image *image);

enum sluice_status sluice_stream1_encode_end(struct sluice_multipart *message, uint64_t series_id);

#endif
