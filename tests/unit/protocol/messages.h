/* SPDX-License-Identifier: Apache-2.0
 *
 * Stream V2 messages for the tests of this folder, as the captures have them, in pieces that a test
 * can put together wrongly. */
#ifndef SLUICE_TESTS_UNIT_PROTOCOL_MESSAGES_H
#define SLUICE_TESTS_UNIT_PROTOCOL_MESSAGES_H

#include "core/frame.h"
#include "tests/support/cbor_build.h"

#define MESSAGE_UNIQUE_ID "01GRXWT80JSDY2FNW8SGCCDZD9"

/* The self-description tag, a map of the head's keys and `more` others, and the head's keys. */
#define MESSAGE_IMAGE_KEYS 4
void message_image_begin(struct builder *builder, uint64_t image_id, unsigned more);
/* type, series_id, series_unique_id, size and dtype. */
#define MESSAGE_START_KEYS 6
void message_start_begin(struct builder *builder, uint32_t width, uint32_t height,
                         const char *dtype, unsigned more);

/* tag 40 of [[height, width], … : the typed array is the caller's. */
void message_shape(struct builder *builder, uint64_t width, uint64_t height);
uint64_t message_typed_tag(enum sluice_dtype dtype);
/* tag 56500 of [name, element size, bytes]. */
void message_compressed(struct builder *builder, const char *algorithm, uint64_t element_bytes,
                        struct sluice_span payload);
/* A whole array of width × height elements whose bytes are `pixels`, encoded. */
void message_array(struct builder *builder, uint32_t width, uint32_t height,
                   enum sluice_dtype dtype, enum sluice_encoding encoding, const void *pixels);

/* `bytes` of photon-like values, the same for the same seed. The caller frees them. */
uint8_t *message_pixels(size_t bytes, uint32_t seed);
/* The payload of those pixels; the caller frees payload.data (cast from const). */
struct sluice_span message_encode(enum sluice_encoding encoding, const void *pixels, size_t bytes,
                                  size_t element_bytes);

/* A complete image of three uint16 channels (bslz4, lz4, raw), with dates, times and user data. */
void message_whole_image(struct builder *builder, uint32_t width, uint32_t height);
/* A complete start message with masks, flatfields, table and a nested unknown key. */
void message_whole_start(struct builder *builder, uint32_t width, uint32_t height);

#endif
