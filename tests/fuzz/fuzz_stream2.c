/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a Stream V2 message, through all three entries. Beyond not crashing: the status and
 * the error agree, spans stay inside the message, and what was accepted obeys the decoder's bounds.
 */
#include <stdlib.h>
#include <string.h>

#include "core/codec/codec.h"
#include "core/log.h"
#include "ingest/protocol/stream2.h"

#define PIXEL_BYTES_MAX (1u << 16)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);
int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    sluice_log_set_level(SLUICE_LOG_ERROR);
    return 0;
}

static void require(bool condition)
{
    if (!condition)
        abort();
}

static bool is_inside(struct sluice_span span, struct sluice_span message)
{
    return span.bytes == 0 || (span.data >= message.data && span.bytes <= message.bytes &&
                               span.data + span.bytes <= message.data + message.bytes);
}

static void use_image(const struct sluice_image *image, struct sluice_span message)
{
    struct sluice_codec_scratch scratch = {0};

    require(image->plane_count >= 1 && image->plane_count <= SLUICE_PLANES_MAX);
    for (uint32_t p = 0; p < image->plane_count; p++) {
        const struct sluice_plane *plane = &image->planes[p];
        size_t element_bytes = sluice_dtype_bytes(plane->dtype);
        uint64_t pixel_bytes = (uint64_t)plane->width * plane->height * element_bytes;

        require(is_inside(plane->payload, message) && is_inside(plane->channel, message));
        require(plane->channel.bytes > 0 && plane->channel.bytes < SLUICE_NAME_BYTES);
        require(pixel_bytes > 0 && pixel_bytes <= UINT32_MAX);
        if (pixel_bytes <= PIXEL_BYTES_MAX) {
            uint8_t *pixels = malloc(pixel_bytes);

            require(pixels != NULL);
            (void)sluice_codec_decode(plane->encoding, plane->payload, element_bytes, pixels,
                                      pixel_bytes, &scratch);
            free(pixels);
        }
    }
    sluice_codec_scratch_close(&scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct sluice_span message = {data, bytes};
    struct sluice_message_head head;
    struct sluice_image image;
    struct sluice_error error = {0};
    struct sluice_series *series = NULL;
    char text[64];
    const struct sluice_text_buffer buffer = {text, sizeof(text)};
    enum sluice_status status;

    (void)sluice_stream2_probe(message);
    status = sluice_stream2_decode(message, &head, &image, &buffer, &error);
    require(error.status == status);
    require(is_inside(head.unique_id, message) && is_inside(head.series_date, message));
    require(head.unique_id.bytes < SLUICE_UNIQUE_ID_BYTES);
    if (status == SLUICE_OK && head.kind == SLUICE_MESSAGE_IMAGE) {
        use_image(&image, message);
        require(image.user_data.bytes < sizeof(text));
    }
    sluice_error_clear(&error);
    status = sluice_stream2_start(message, &series, &error);
    require(error.status == status && (status == SLUICE_OK) == (series != NULL));
    if (series != NULL) {
        require(series->start_message != NULL && series->width > 0 && series->height > 0);
        require(head.kind == SLUICE_MESSAGE_START && head.series_id == series->series_id);
    }
    sluice_series_destroy(series);
    return 0;
}
