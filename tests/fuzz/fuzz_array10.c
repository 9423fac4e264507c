/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as an array-1.0 message: two bytes of length, a header so long, the rest are pixels.
 * Beyond not crashing: the status and the error agree, an accepted image has exactly the pixels
 * that came, and user data stay in their buffer. */
#include <stdlib.h>

#include "ingest/protocol/array10.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void require(bool condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    const size_t head_bytes = bytes < 2 ? 0 : (size_t)(data[0] | data[1] << 8) % (bytes - 1);
    const uint8_t *begin = bytes < 2 ? data : data + 2;
    const struct sluice_span spans[] = {
        {begin, head_bytes},
        {begin + head_bytes, bytes < 2 ? 0 : bytes - 2 - head_bytes},
    };
    const struct sluice_parts parts = {.part = {spans[0], spans[1]}, .count = 2};
    char text[64];
    const struct sluice_text_buffer buffer = {text, sizeof(text)};
    struct sluice_message_head head;
    struct sluice_image image;
    struct sluice_error error = {0};
    enum sluice_status status;

    status = sluice_array10_decode(&parts, &head, &image, &buffer, &error);
    require(error.status == status && head.kind == SLUICE_MESSAGE_IMAGE);
    if (sluice_array10_probe(parts.part[0]) && status != SLUICE_OK)
        require(error.message[0] != '\0');
    if (status != SLUICE_OK)
        return 0;
    const struct sluice_plane *plane = &image.planes[0];
    require(image.plane_count == 1 && plane->payload.data == parts.part[1].data);
    require(plane->payload.bytes == parts.part[1].bytes && parts.part[1].bytes > 0);
    require((uint64_t)plane->width * plane->height * sluice_dtype_bytes(plane->dtype) ==
            parts.part[1].bytes);
    require(image.user_data.bytes < sizeof(text));
    struct sluice_series *series = sluice_array10_series(parts.part[0], &image);
    require(series != NULL && series->start_message != NULL);
    sluice_series_destroy(series);
    return 0;
}
