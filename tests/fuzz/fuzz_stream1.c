/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a Stream V1 message, through all three entries. The input is its parts, two bytes of
 * length before each; every part lies in an allocation of its own. Beyond not crashing: the status
 * and the error agree, spans stay inside the message, and what was accepted obeys the bounds. */
#include <stdlib.h>
#include <string.h>

#include "core/codec/codec.h"
#include "core/log.h"
#include "ingest/protocol/stream1.h"

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

static void split(const uint8_t *data, size_t bytes, struct sluice_parts *parts)
{
    memset(parts, 0, sizeof(*parts));
    while (bytes >= 2 && parts->count < SLUICE_PARTS_MAX) {
        size_t length = (size_t)data[0] << 8 | data[1];
        uint8_t *copy;

        data += 2;
        bytes -= 2;
        length = length < bytes ? length : bytes;
        copy = malloc(length + (length == 0));
        require(copy != NULL);
        memcpy(copy, data, length);
        parts->part[parts->count++] = (struct sluice_span){copy, length};
        data += length;
        bytes -= length;
    }
    parts->cut = bytes > 0;
}

static void use_image(const struct sluice_image *image, const struct sluice_parts *parts)
{
    const struct sluice_plane *plane = &image->planes[0];
    const size_t element_bytes = sluice_dtype_bytes(plane->dtype);
    const uint64_t pixel_bytes = (uint64_t)plane->width * plane->height * element_bytes;
    struct sluice_codec_scratch scratch = {0};

    require(image->plane_count == 1);
    require(plane->payload.data == parts->part[2].data);
    require(plane->payload.bytes == parts->part[2].bytes);
    require(pixel_bytes > 0 && pixel_bytes <= UINT32_MAX);
    if (pixel_bytes <= PIXEL_BYTES_MAX) {
        const size_t room = SLUICE_BLOCK_FRAMING_BYTES + plane->payload.bytes;
        uint8_t *pixels = malloc(pixel_bytes), *chunk = malloc(room);
        size_t chunk_bytes;

        require(pixels != NULL && chunk != NULL);
        (void)sluice_codec_decode(plane->encoding, plane->payload, element_bytes, pixels,
                                  pixel_bytes, &scratch);
        if (plane->encoding == SLUICE_ENCODING_LZ4_BLOCK &&
            sluice_codec_frame_block(plane->payload, pixel_bytes, chunk, room, &chunk_bytes) ==
                SLUICE_OK)
            require(sluice_codec_check(SLUICE_ENCODING_LZ4,
                                       (struct sluice_span){chunk, chunk_bytes}, element_bytes,
                                       pixel_bytes) == SLUICE_OK);
        free(pixels);
        free(chunk);
    }
    sluice_codec_scratch_close(&scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct sluice_parts parts;
    struct sluice_message_head head;
    static struct sluice_image image;
    struct sluice_error error = {0};
    struct sluice_series *series = NULL;
    char text[64];
    const struct sluice_text_buffer buffer = {text, sizeof(text)};
    enum sluice_status status;

    split(data, bytes, &parts);
    (void)sluice_stream1_probe(&parts);
    status = sluice_stream1_decode(&parts, &head, &image, &buffer, &error);
    require(error.status == status);
    if (status == SLUICE_OK)
        require(sluice_stream1_probe(&parts));
    if (status == SLUICE_OK && head.kind == SLUICE_MESSAGE_IMAGE) {
        use_image(&image, &parts);
        require(image.user_data.bytes < sizeof(text));
    }
    sluice_error_clear(&error);
    status = sluice_stream1_start(&parts, &series, &error);
    require(error.status == status && (status == SLUICE_OK) == (series != NULL));
    if (series != NULL) {
        require(series->start_message != NULL && series->channel_count == 1);
        require((series->width == 0) == (series->height == 0));
        require(head.kind == SLUICE_MESSAGE_START && head.series_id == series->series_id);
    }
    sluice_series_destroy(series);
    for (uint32_t i = 0; i < parts.count; i++)
        free((void *)(uintptr_t)parts.part[i].data);
    return 0;
}
