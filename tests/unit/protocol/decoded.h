/* SPDX-License-Identifier: Apache-2.0
 *
 * One image message through the decoder, and what the tests say about the outcome. */
#ifndef SLUICE_TESTS_UNIT_PROTOCOL_DECODED_H
#define SLUICE_TESTS_UNIT_PROTOCOL_DECODED_H

#include "ingest/protocol/stream2.h"
#include "tests/unit/protocol/messages.h"

/* What the last decode_image gave. */
struct decoded {
    struct sluice_message_head head;
    struct sluice_image image;
    struct sluice_error error;
    char text[256]; /* user data */
};
extern struct decoded decoded;

enum sluice_status decode_image(const struct builder *builder);
void assert_accepted(struct builder *builder);
/* Refused with this status and with `words` in the message, and still attributed to its series and
 * image 3. Frees the builder. */
void assert_refused(struct builder *builder, enum sluice_status status, const char *words);
void assert_span(struct sluice_span span, const char *expected);

/* Image 3 up to its only channel, whose array is the caller's. */
void begin_plane(struct builder *builder);
/* An array of 2 x 2 uint8. */
void build_small_plane(struct builder *builder);

#endif
