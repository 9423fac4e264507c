/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzzes check and decode. The first byte chooses encoding, element size and whether the header is
 * made to agree with the size that the caller expects, so that the blocks behind it are reached;
 * the next two choose that size. The rest is the payload. A refused framing that decodes, or
 * working memory beyond what the caller expects, aborts; reads and writes outside are found by
 * AddressSanitizer. */
#include <stdlib.h>
#include <string.h>

#include "core/codec/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct sluice_codec_scratch scratch = {0};
    enum sluice_encoding encoding;
    enum sluice_status check, decode;
    size_t element_bytes, decoded_bytes;
    uint8_t *payload, *pixels;

    if (bytes < 3)
        return 0;
    encoding = data[0] & 8   ? SLUICE_ENCODING_LZ4_BLOCK
               : data[0] & 1 ? SLUICE_ENCODING_BSLZ4
                             : SLUICE_ENCODING_LZ4;
    element_bytes = (size_t)1 << (data[0] >> 1 & 3);
    decoded_bytes = ((size_t)data[1] << 8 | data[2]) * element_bytes;
    bytes -= 3;
    payload = malloc(bytes + 1);
    pixels = malloc(decoded_bytes + 1);
    if (payload == NULL || pixels == NULL)
        abort();
    memcpy(payload, data + 3, bytes);
    if (data[0] & 0x80 && bytes >= 8) {
        for (int i = 0; i < 8; i++)
            payload[i] = (uint8_t)((uint64_t)decoded_bytes >> (56 - 8 * i));
    }
    payload = realloc(payload, bytes > 0 ? bytes : 1);
    if (payload == NULL)
        abort();
    check = sluice_codec_check(encoding, (struct sluice_span){payload, bytes}, element_bytes,
                               decoded_bytes);
    decode = sluice_codec_decode(encoding, (struct sluice_span){payload, bytes}, element_bytes,
                                 pixels, decoded_bytes, &scratch);
    if ((check != SLUICE_OK && decode == SLUICE_OK) || scratch.bytes > decoded_bytes)
        abort();
    sluice_codec_scratch_close(&scratch);
    free(payload);
    free(pixels);
    return 0;
}
