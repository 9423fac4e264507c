/* SPDX-License-Identifier: Apache-2.0
 *
 * HDF5's way to our decoders: chunks of other writers that hold a part of an image, or several, are
 * read by H5Dread, which calls these filters. Ours stand before any plugin that is installed.
 *
 * The header of a chunk says how large it becomes and may lie: LZ4 makes at most 255 bytes of one,
 * so what is not possible is refused before anything is allocated. */
#include "core/codec/codec.h"
#include "readers/follow/h5.h"
#include "writer/layout/layout.h"

#define LZ4_RATIO_MAX   256u
#define CHUNK_BYTES_MAX (UINT64_C(1) << 32)
#define HEADER_BYTES    12u

static uint64_t claimed_bytes(const uint8_t *chunk)
{
    uint64_t bytes = 0;
    for (int i = 0; i < 8; i++)
        bytes = bytes << 8 | chunk[i];
    return bytes;
}

static size_t decode(enum sluice_encoding encoding, size_t element_bytes, size_t bytes,
                     size_t *buffer_bytes, void **buffer)
{
    struct sluice_span chunk = {*buffer, bytes};
    struct sluice_codec_scratch scratch = {0};
    if (bytes < HEADER_BYTES)
        return 0;
    uint64_t claimed = claimed_bytes(chunk.data);
    if (claimed == 0 || claimed > CHUNK_BYTES_MAX || claimed / LZ4_RATIO_MAX > bytes)
        return 0;
    void *pixels = H5allocate_memory(claimed, false);
    if (!pixels)
        return 0;
    enum sluice_status status =
        sluice_codec_decode(encoding, chunk, element_bytes, pixels, claimed, &scratch);
    sluice_codec_scratch_close(&scratch);
    if (status != SLUICE_OK) {
        H5free_memory(pixels);
        return 0;
    }
    H5free_memory(*buffer);
    *buffer = pixels;
    *buffer_bytes = claimed;
    return claimed;
}

static size_t lz4(unsigned flags, size_t value_count, const unsigned *values, size_t bytes,
                  size_t *buffer_bytes, void **buffer)
{
    (void)value_count, (void)values;
    if (!(flags & H5Z_FLAG_REVERSE))
        return 0;
    return decode(SLUICE_ENCODING_LZ4, 1, bytes, buffer_bytes, buffer);
}

static size_t bslz4(unsigned flags, size_t value_count, const unsigned *values, size_t bytes,
                    size_t *buffer_bytes, void **buffer)
{
    if (!(flags & H5Z_FLAG_REVERSE) || value_count < 5 || values[4] != 2)
        return 0;
    return decode(SLUICE_ENCODING_BSLZ4, values[2], bytes, buffer_bytes, buffer);
}

void sluice_follow_h5_start(void)
{
    static const H5Z_class2_t filters[] = {
        {H5Z_CLASS_T_VERS, SLUICE_FILTER_LZ4, 0, 1, "lz4 (decoder)", NULL, NULL, lz4},
        {H5Z_CLASS_T_VERS, SLUICE_FILTER_BSLZ4, 0, 1, "bitshuffle + lz4 (decoder)", NULL, NULL,
         bslz4},
    };
    H5open();
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL); /* a setting of the calling thread */
    for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++)
        H5Zregister(&filters[i]);
}
