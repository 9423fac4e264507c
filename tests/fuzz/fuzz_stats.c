/* SPDX-License-Identifier: Apache-2.0
 *
 * Fuzzes statistics of bslz4 payloads. The first three bytes choose type, level of instructions,
 * mask and shape; the rest is the payload behind a header that agrees with the shape, so that the
 * blocks are reached. The status must be the decoder's, and where it is OK, the statistics those of
 * the decoded pixels; reads and writes outside are found by AddressSanitizer. */
#include <stdlib.h>
#include <string.h>

#include "core/cpu.h"
#include "readers/stats/payload.h"

#define HEADER_BYTES 12
#define BINS         40

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void put_be(uint8_t *to, uint64_t value, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--, value >>= 8)
        to[i] = (uint8_t)value;
}

static void *need(void *memory)
{
    if (memory == NULL)
        abort();
    return memory;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static const enum sluice_dtype types[] = {SLUICE_U8, SLUICE_U16, SLUICE_U32, SLUICE_I16};
    struct sluice_stats_scratch scratch = {0};
    struct sluice_stats ours, theirs;
    uint64_t our_bins[BINS] = {0}, their_bins[BINS] = {0};
    struct sluice_histogram_counts our_histogram = {our_bins, BINS, 0};
    struct sluice_histogram_counts their_histogram = {their_bins, BINS, 0};

    if (bytes < 3)
        return 0;
    struct sluice_stats_channel channel = {
        .width = data[1] + 1u, .height = data[2] % 32 + 1u, .dtype = types[data[0] & 3]};
    const size_t size = sluice_dtype_bytes(channel.dtype);
    const size_t count = (size_t)channel.width * channel.height;
    struct sluice_span payload = {NULL, HEADER_BYTES + bytes - 3};
    uint8_t *stored = need(malloc(payload.bytes));
    uint8_t *pixels = need(malloc(count * size));
    uint32_t *mask = need(calloc(count, sizeof *mask));
    uint8_t *mask_plane = need(malloc(sluice_mask_plane_bytes(channel.width, channel.height)));

    sluice_cpu_limit((enum sluice_cpu_level)(data[0] >> 2 & 3));
    put_be(stored, count * size, 8);
    put_be(stored + 8, (size_t)512 << (data[0] >> 4 & 3), 4);
    memcpy(stored + HEADER_BYTES, data + 3, bytes - 3);
    payload.data = stored;
    if (data[0] & 0x80) {
        for (size_t i = 0; i < count; i++)
            mask[i] = i % 13 == 0;
        sluice_mask_plane_fill(mask_plane, mask, channel.width, channel.height);
        channel.mask = mask;
        channel.mask_plane = mask_plane;
    }
    enum sluice_status status = sluice_stats_payload(&channel, SLUICE_ENCODING_BSLZ4, payload,
                                                     &scratch, &ours, &our_histogram);
    if (status != sluice_codec_decode(SLUICE_ENCODING_BSLZ4, payload, size, pixels, count * size,
                                      &scratch.codec))
        abort();
    if (status == SLUICE_OK) {
        sluice_stats_plane(pixels, channel.width, channel.height, channel.dtype, channel.mask, NULL,
                           &theirs);
        sluice_histogram_plane(&their_histogram, pixels, count, channel.dtype, channel.mask);
        if (ours.valid != theirs.valid || ours.sum != theirs.sum || ours.min != theirs.min ||
            ours.max != theirs.max || memcmp(&ours.std, &theirs.std, sizeof ours.std) != 0 ||
            memcmp(our_bins, their_bins, sizeof our_bins) != 0)
            abort();
    }
    sluice_stats_scratch_close(&scratch);
    free(stored);
    free(pixels);
    free(mask);
    free(mask_plane);
    return 0;
}
