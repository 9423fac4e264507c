/* SPDX-License-Identifier: Apache-2.0
 *
 * Statistics of a plane straight from its payload, and its histogram.
 *
 * A bslz4 payload of unsigned counts is not even made into pixels: blocks are decoded to bit planes
 * (core/codec/planes.h), and populations of bits are counted. Everything else is decoded first. The
 * result is in every case that of sluice_stats_plane on the decoded pixels, bit for bit.
 *
 * Re-entrant; a scratch is one thread's. Nothing is allocated once it has the size that an image
 * needs. */
#ifndef SLUICE_READERS_STATS_PAYLOAD_H
#define SLUICE_READERS_STATS_PAYLOAD_H

#include "core/codec/codec.h"
#include "readers/stats/stats.h"
#include "readers/stats/survey.h"

/* How often each value occurs among the valid pixels: bins[i] counts the values v with
 * i <= v < i + 1 (integers: v = i) for i < bin_count - 1, the last bin all larger ones. The caller
 * owns `bins`; what is counted is added to what is there. */
struct sluice_histogram_counts {
    uint64_t *bins;
    uint32_t bin_count; /* at least 2 */
    uint64_t negative;  /* values below 0 */
};

/* Adds decoded pixels; mask and types as in sluice_stats_plane. UNSUPPORTED for a type that it
 * does not know. */
enum sluice_status sluice_histogram_plane(struct sluice_histogram_counts *histogram,
                                          const void *pixels, size_t count, enum sluice_dtype dtype,
                                          const uint32_t *mask);

/* A mask as one bit plane (bit i % 8 of byte i / 8: pixel i is masked), made once for many images.
 * `bits` has sluice_mask_plane_bytes. */
size_t sluice_mask_plane_bytes(uint32_t width, uint32_t height);
void sluice_mask_plane_fill(uint8_t *bits, const uint32_t *mask, uint32_t width, uint32_t height);

/* What payloads of a channel have in common. */
struct sluice_stats_channel {
    uint32_t width, height;
    enum sluice_dtype dtype;
    const uint32_t *mask;      /* may be NULL */
    const uint8_t *mask_plane; /* of `mask`; where it is NULL, a mask leads through pixels */
    const int64_t *saturation; /* may be NULL */
    bool without_centre;       /* com_x and com_y are then not computed, but NaN */
    /* NULL, or gets all pixels too, block by block out of the decoder's cache, between a begin and
     * an end that are the caller's. Its images of the series do not stand a payload that turns out
     * to be damaged: with them decode first. */
    struct sluice_survey *survey;
};

/* Zeroed memory is acceptable; close frees it. */
struct sluice_stats_scratch {
    struct sluice_codec_scratch codec;
    uint8_t *pixels;
    size_t pixel_bytes;
    uint32_t *tables; /* of histograms */
    uint32_t table_bins;
};
void sluice_stats_scratch_close(struct sluice_stats_scratch *scratch);

/* `histogram` may be NULL. OK, or LIMIT, UNSUPPORTED (stats are then not filled), or what is wrong
 * with the payload, as sluice_codec_decode says it (the histogram may then hold a part of it). */
enum sluice_status sluice_stats_payload(const struct sluice_stats_channel *channel,
                                        enum sluice_encoding encoding, struct sluice_span payload,
                                        struct sluice_stats_scratch *scratch,
                                        struct sluice_stats *stats,
                                        struct sluice_histogram_counts *histogram);

#endif
