/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzzes check and decode. The first byte chooses encoding, element size and whether the header is
 * made to agree with the size that the caller expects, so that the blocks behind it are reached;
 * the next two choose that size. The rest is the payload. A refused framing that decodes, or
 * working memory beyond what the caller expects, aborts; so does a payload on which our LZ4
 * decoder, at any level of instructions, does not say and give what liblz4 does. Reads and writes
 * outside are found by AddressSanitizer. */
#include <stdlib.h>
#include <string.h>

#include <lz4.h>

#include "core/codec/codec.h"
#include "core/codec/lz4_decode.h"
#include "core/cpu.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* One block, as liblz4 sees it and as we do, with as much as nothing behind it and with slack. */
static void compare_decoders(const uint8_t *payload, size_t bytes, size_t decoded_bytes)
{
    bool (*const levels[])(struct sluice_lz4_task *) = {
        sluice_lz4_decode_scalar,
#ifdef SLUICE_CPU_X86
        sluice_lz4_decode_avx2,
        sluice_lz4_decode_avx512,
#endif
    };
    const size_t level_count = (size_t)sluice_cpu_level() + 1;
    uint8_t *expected = calloc(1, decoded_bytes);

    if (expected == NULL)
        abort();
    bool is_right = LZ4_decompress_safe((const char *)payload, (char *)expected, (int)bytes,
                                        (int)decoded_bytes) == (int)decoded_bytes;
    for (size_t i = 0; i < 4 * level_count; i++) {
        size_t room = decoded_bytes + (i & 1 ? SLUICE_CODEC_SLACK_BYTES : 0);
        struct sluice_lz4_task task = {.block = {payload, bytes},
                                       .readable = bytes,
                                       .decoded_bytes = decoded_bytes,
                                       .room = room,
                                       .out = calloc(1, room),
                                       .period = i & 2 && decoded_bytes % 64 == 0 ? 64 : 0};
        if (task.out == NULL || levels[i / 4](&task) != is_right)
            abort();
        for (size_t k = task.written; is_right && k < decoded_bytes; k++)
            task.out[k] = task.out[k - task.period];
        if (is_right && memcmp(task.out, expected, decoded_bytes) != 0)
            abort();
        free(task.out);
    }
    free(expected);
}

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
    if (encoding == SLUICE_ENCODING_LZ4_BLOCK && bytes > 0 && decoded_bytes > 0)
        compare_decoders(payload, bytes, decoded_bytes);
    check = sluice_codec_check(encoding, (struct sluice_span){payload, bytes}, element_bytes,
                               decoded_bytes);
    decode = sluice_codec_decode(encoding, (struct sluice_span){payload, bytes}, element_bytes,
                                 pixels, decoded_bytes, &scratch);
    if ((check != SLUICE_OK && decode == SLUICE_OK) ||
        scratch.bytes > decoded_bytes + SLUICE_CODEC_SLACK_BYTES)
        abort();
    sluice_codec_scratch_close(&scratch);
    free(payload);
    free(pixels);
    return 0;
}
