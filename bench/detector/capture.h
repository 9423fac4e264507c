/* SPDX-License-Identifier: Apache-2.0
 *
 * One series as messages: read from a folder of captured ones, or made by a scene. Everything that
 * is sent later is a copy of these with a few numbers rewritten.
 *
 * The capture owns its messages until close; zeroed memory is an empty one. Each message of Stream
 * V2 begins with the self-description tag, whatever the file did. One thread. */
#ifndef SLUICE_BENCH_DETECTOR_CAPTURE_H
#define SLUICE_BENCH_DETECTOR_CAPTURE_H

#include "bench/detector/faults.h"
#include "bench/detector/models.h"
#include "bench/detector/multipart.h"
#include "core/error.h"
#include "core/series.h"

struct sluice_capture {
    enum sluice_wire_protocol protocol;
    struct sluice_multipart start, end; /* no parts: there is none */
    struct sluice_multipart *images;    /* in sending order */
    size_t image_count;
    uint64_t series_id;
    char unique_id[SLUICE_UNIQUE_ID_BYTES];
    uint64_t first_frame; /* array-1.0: the number of image 0 */
    /* Ticks from one image's times to the next's, to move them along with the id; 0: times stay as
     * they were captured. */
    uint64_t period_ticks;
};

/* Reads the messages of the folder in the order of names: NNNNNN.cbor holds one, NNNNNN.part00,
 * NNNNNN.part01 … are the parts of one. The first tells the protocol; at most one start, images, at
 * most one end. NOT_FOUND, IO, MALFORMED (with the file's name) or NO_MEMORY. */
enum sluice_status sluice_capture_load(struct sluice_capture *capture, const char *directory,
                                       struct sluice_error *error);

enum sluice_header_detail { SLUICE_HEADER_BASIC, SLUICE_HEADER_ALL, SLUICE_HEADER_NONE };

struct sluice_capture_make_settings {
    enum sluice_wire_protocol protocol;
    const struct sluice_model *model;
    enum sluice_dtype dtype;
    enum sluice_encoding encoding;
    uint32_t channel_count; /* 1 to 3 */
    uint32_t frame_count;   /* distinct frames */
    double frame_time;      /* s */
    double rotation_start,
        rotation_increment; /* degree of omega: frame 0 begins at, each turns by */
    uint64_t seed;
    /* `all` has masks, flatfields and tables; `none` (Stream V1) nothing but the series */
    enum sluice_header_detail header;
    const char *date;            /* ISO 8601, of arming; NULL: now */
    const char *header_appendix; /* Stream V1: one part more; NULL: none */
    const char *image_appendix;
    uint64_t first_frame; /* array-1.0 */
};

/* Makes and encodes the frames. NO_MEMORY, LIMIT. */
enum sluice_status sluice_capture_make(struct sluice_capture *capture,
                                       const struct sluice_capture_make_settings *settings,
                                       struct sluice_error *error);

void sluice_capture_close(struct sluice_capture *capture);

/* A unique id as detectors make them: 26 characters from 128 bits. */
#define SLUICE_MADE_ID_BYTES 27
void sluice_unique_id_make(uint64_t high, uint64_t low, char text[SLUICE_MADE_ID_BYTES]);

#endif
