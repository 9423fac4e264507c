/* SPDX-License-Identifier: Apache-2.0
 *
 * Design: what the decoder fills is overwritten with noise first, so that a test cannot pass on
 * what the one before left. */
#include "tests/unit/protocol/cmocka_all.h"

#include <string.h>

#include "tests/unit/protocol/decoded.h"

struct decoded decoded;

enum sluice_status decode_image(const struct builder *builder)
{
    const struct sluice_text_buffer buffer = {decoded.text, sizeof(decoded.text)};

    memset(&decoded.image, 0xA5, sizeof(decoded.image));
    memset(&decoded.head, 0xA5, sizeof(decoded.head));
    sluice_error_clear(&decoded.error);
    return sluice_stream2_decode(build_span(builder), &decoded.head, &decoded.image, &buffer,
                                 &decoded.error);
}

void assert_span(struct sluice_span span, const char *expected)
{
    assert_int_equal(span.bytes, strlen(expected));
    assert_memory_equal(span.data, expected, span.bytes);
}

void assert_accepted(struct builder *builder)
{
    enum sluice_status status = decode_image(builder);

    if (status != SLUICE_OK)
        fail_msg("refused: %s", decoded.error.message);
    assert_int_equal(decoded.error.status, SLUICE_OK);
}

void assert_refused(struct builder *builder, enum sluice_status status, const char *words)
{
    assert_int_equal(decode_image(builder), status);
    assert_int_equal(decoded.error.status, status);
    if (strstr(decoded.error.message, words) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", words, decoded.error.message);
    assert_int_equal(decoded.head.kind, SLUICE_MESSAGE_IMAGE);
    assert_true(decoded.head.has_series_id && decoded.head.series_id == 7);
    assert_true(decoded.head.has_image_id && decoded.head.image_id == 3);
    assert_span(decoded.head.unique_id, MESSAGE_UNIQUE_ID);
    build_free(builder);
}

void begin_plane(struct builder *builder)
{
    message_image_begin(builder, 3, 1);
    build_text(builder, "data");
    build_head(builder, MAJOR_MAP, 1);
    build_text(builder, "threshold_1");
}

void build_small_plane(struct builder *builder)
{
    message_shape(builder, 2, 2);
    build_head(builder, MAJOR_TAG, 64);
    build_bytes(builder, "1234", 4);
}
