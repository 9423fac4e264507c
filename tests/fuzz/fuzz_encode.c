/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzzes what a codec worker does with a plane. The first byte chooses both encodings and the
 * element size, the second whether the header is made to agree with the size that is expected, so
 * that the blocks behind it are reached (raw pixels are repeated until they are enough); the next
 * two are width and height. The rest is the payload. The second byte chooses the level of
 * instructions too. A result that does not decode to what the payload decodes to aborts; reads and
 * writes outside are found by AddressSanitizer. */
#include <stdlib.h>
#include <string.h>

#include "core/cpu.h"
#include "ingest/encode/plane.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void *allocate(size_t bytes)
{
    void *memory = malloc(bytes + 1);
    if (memory == NULL)
        abort();
    return memory;
}

static void judge(const struct sluice_plane *sent, const struct sluice_plane *made,
                  enum sluice_status status)
{
    const size_t element_bytes = sluice_dtype_bytes(sent->dtype);
    const size_t pixel_bytes = sluice_plane_pixel_bytes(sent);
    struct sluice_codec_scratch scratch = {0};
    uint8_t *expected = allocate(pixel_bytes), *found = allocate(pixel_bytes);
    const enum sluice_status decoded = sluice_codec_decode(
        sent->encoding, sent->payload, element_bytes, expected, pixel_bytes, &scratch);
    if (decoded != status &&
        (status != SLUICE_OK || sent->encoding != SLUICE_ENCODING_LZ4_BLOCK ||
         made->encoding != SLUICE_ENCODING_LZ4)) /* a bare block is framed as it is */
        abort();
    if (decoded == SLUICE_OK && (sluice_codec_decode(made->encoding, made->payload, element_bytes,
                                                     found, pixel_bytes, &scratch) != SLUICE_OK ||
                                 memcmp(expected, found, pixel_bytes) != 0))
        abort();
    if (status != SLUICE_OK && made->payload.data != sent->payload.data)
        abort();
    sluice_codec_scratch_close(&scratch);
    free(expected);
    free(found);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const enum sluice_dtype dtypes[] = {SLUICE_U8, SLUICE_I16, SLUICE_F32, SLUICE_U64};
    struct sluice_plane_encoder encoder = {0};
    struct sluice_plane plane = {0};
    if (bytes < 4)
        return 0;
    const enum sluice_encoding encoding = (enum sluice_encoding)(data[0] / 16 % 3);
    plane.encoding = (enum sluice_encoding)(data[0] % 4);
    plane.dtype = dtypes[data[0] / 4 % 4];
    plane.width = data[2] + 1u;
    plane.height = data[3] + 1u;
    const bool made_right = data[1] & 1;
    const size_t payload_bytes = made_right && bytes > 4 && plane.encoding == SLUICE_ENCODING_NONE
                                     ? sluice_plane_pixel_bytes(&plane)
                                     : bytes - 4;
    uint8_t *payload = malloc(payload_bytes > 0 ? payload_bytes : 1); /* its end is watched */
    if (payload == NULL)
        abort();
    for (size_t i = 0; i < payload_bytes; i++)
        payload[i] = data[4 + i % (bytes - 4)];
    plane.payload = (struct sluice_span){payload, payload_bytes};
    sluice_cpu_limit((enum sluice_cpu_level)((data[1] >> 1) % SLUICE_CPU_LEVEL_COUNT));
    for (size_t i = 0; made_right && plane.encoding != SLUICE_ENCODING_NONE && bytes >= 12 && i < 8;
         i++)
        payload[i] = (uint8_t)((uint64_t)sluice_plane_pixel_bytes(&plane) >> (56 - 8 * i));
    const size_t room = sluice_plane_room(&plane, encoding);
    if (room > 0) {
        uint8_t *out = allocate(room);
        struct sluice_plane made = plane;
        judge(&plane, &made, sluice_plane_encode(&encoder, &made, encoding, out, room));
        free(out);
    }
    sluice_plane_encoder_close(&encoder);
    free(payload);
    return 0;
}
