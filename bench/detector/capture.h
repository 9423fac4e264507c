/* SPDX-License-Identifier: Apache-2.0
 *
 * One series as messages: read from a folder of captured ones, or made by a scene. Everything that
 * is sent later is a copy of these with a few numbers rewritten.
 *
 * The capture owns its messages until close; zeroed memory is an empty one. Each message begins
 * with the self-description tag, whatever the file did. One thread. */
#ifndef SLUICE_BENCH_DETECTOR_CAPTURE_H
#define SLUICE_BENCH_DETECTOR_CAPTURE_H

#include "bench/detector/cbor.h"
#include "bench/detector/models.h"
#include "core/error.h"
#include "core/series.h"

struct sluice_capture {
    struct sluice_cbor start, end; /* empty: there is none */
    struct sluice_cbor *images;    /* in sending order */
    size_t image_count;
    uint64_t series_id;
    char unique_id[SLUICE_UNIQUE_ID_BYTES];
    /* Ticks from one image's times to the next's, to move them along with the id; 0: times stay as
     * they were captured. */
    uint64_t period_ticks;
};

/* Reads every *.cbor of the folder in the order of names: at most one start, images, at most one
 * end. NOT_FOUND, IO, MALFORMED (with the file's name) or NO_MEMORY. */
enum sluice_status sluice_capture_load(struct sluice_capture *capture, const char *directory,
                                       struct sluice_error *error);

struct sluice_capture_make_settings {
    const struct sluice_model *model;
    enum sluice_dtype dtype;
    enum sluice_encoding encoding;
    uint32_t channel_count; /* 1 to 3 */
    uint32_t frame_count;   /* distinct frames */
    double frame_time;      /* s */
    uint64_t seed;
    bool with_arrays; /* header detail `all` */
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
