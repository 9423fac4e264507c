/* SPDX-License-Identifier: Apache-2.0
 *
 * Codec workers driven by hand: a real hand-over and real pools, the test in the place of source
 * and writer, every allocation of an image exactly as long as it is, so that AddressSanitizer sees
 * its end. Asserts with cmocka. */
#ifndef SLUICE_TEST_ENCODE_RIG_H
#define SLUICE_TEST_ENCODE_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/codec/codec.h"
#include "ingest/encode/encode.h"
#include "ingest/ring/pool.h"

#define RIG_SLOTS 16

enum rig_content { RIG_ZEROS, RIG_COUNTS, RIG_NOISE, RIG_CONTENT_COUNT };

struct rig {
    struct sluice_encode_settings settings;
    struct sluice_handover handover;
    struct sluice_frame frames[RIG_SLOTS];
    struct sluice_counters *counters;
    struct sluice_clock_fake clock;
    struct sluice_encode *encode;
    uint8_t *payloads[RIG_SLOTS][SLUICE_PLANES_MAX]; /* as a message would hold them */
    uint32_t used;                                   /* slots 0 … used - 1 */
};

/* Filter and workers; everything else is ample. */
void rig_open(struct rig *rig, enum sluice_codec_filter filter, uint32_t workers);
void rig_open_with(struct rig *rig, const struct sluice_encode_settings *settings);
void rig_close(struct rig *rig); /* every buffer must be home */

uint64_t rig_random(uint64_t *seed);
/* malloc'd, exactly so long. */
uint8_t *rig_pixels(enum rig_content content, size_t bytes, size_t element_bytes, uint64_t seed);
/* The same pixels as a payload: malloc'd, exactly so long. */
struct sluice_span rig_encode(enum sluice_encoding encoding, const uint8_t *pixels, size_t bytes,
                              size_t element_bytes);

/* The next slot as an image without planes; not pushed. */
uint32_t rig_image(struct rig *rig, uint64_t image_id);
/* Adds a plane; the payload's memory is the rig's. */
void rig_plane(struct rig *rig, uint32_t slot, struct sluice_span payload, uint32_t width,
               uint32_t height, enum sluice_dtype dtype, enum sluice_encoding encoding);
/* One cycle of one worker. */
int rig_cycle(struct rig *rig, uint32_t worker);
/* Cycles of all until none has anything to do; counts them. */
uint32_t rig_work(struct rig *rig);
/* What the writer would get next; NULL: nothing. */
struct sluice_frame *rig_pop(struct rig *rig);
/* As the writer does when an image is stored. */
void rig_release(struct sluice_frame *frame);
/* The plane is encoded as `encoding`, its checksum is right, and it decodes to these pixels. */
void rig_assert_plane(const struct sluice_plane *plane, enum sluice_encoding encoding,
                      const uint8_t *pixels);
uint64_t rig_counter(const struct rig *rig, enum sluice_counter counter);

#endif
