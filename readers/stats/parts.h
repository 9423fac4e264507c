/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of a survey, one a statistic, each with the same four calls: init takes memory, begin
 * starts an image, add takes a block, end adds the image to the series (where there is something to
 * add). Private to the room; one thread. Zeroed memory is a closed part. */
#ifndef SLUICE_READERS_STATS_PARTS_H
#define SLUICE_READERS_STATS_PARTS_H

#include "readers/stats/block.h"
#include "readers/stats/compensated.h"
#include "readers/stats/kernels.h"
#include "readers/stats/survey.h"

struct sluice_shape {
    uint32_t width, height;
    enum sluice_dtype dtype;
    enum sluice_block_kind kind;
    bool is_signed;
};

/* --- regions of interest --- */

struct sluice_rois {
    const struct sluice_roi *rois; /* borrowed */
    uint32_t count;
    struct sluice_roi_sum *image, *series;        /* owned */
    struct compensated *image_real, *series_real; /* owned */
};
bool sluice_rois_init(struct sluice_rois *part, const struct sluice_roi *rois, uint32_t count);
void sluice_rois_close(struct sluice_rois *part);
void sluice_rois_begin(struct sluice_rois *part);
void sluice_rois_add(struct sluice_rois *part, const struct sluice_shape *shape,
                     const struct sluice_kernels *kernels, const struct sluice_block *block);
void sluice_rois_end(struct sluice_rois *part);

/* --- histogram --- */

#define SLUICE_HISTOGRAM_TABLES 4u
#define SLUICE_HISTOGRAM_KNOWN  1024u

struct sluice_values {
    uint32_t bins;
    int64_t low;
    uint64_t width, inverse;  /* inverse: 2^64 / width, rounded up; 0 where width is 1 */
    uint64_t *image, *series; /* below, bins, above; owned */
    uint32_t *tables;         /* SLUICE_HISTOGRAM_TABLES of them; owned */
    uint32_t known[SLUICE_HISTOGRAM_KNOWN]; /* cells of the values 0, 1, ... */
    uint32_t excess;                        /* pixels that do not count, counted as 0 */
};
bool sluice_values_init(struct sluice_values *part, uint32_t bins, int64_t low, uint64_t width);
void sluice_values_close(struct sluice_values *part);
void sluice_values_begin(struct sluice_values *part);
void sluice_values_add(struct sluice_values *part, const struct sluice_block *block);
void sluice_values_end(struct sluice_values *part);

/* --- radial profile --- */

struct sluice_segment {
    uint16_t pixels, bin; /* bin `bins`: masked */
};

struct sluice_rings {
    uint32_t bins;
    struct sluice_segment *segments; /* of the whole plane, in order; owned */
    size_t segment_count, at;        /* at: the one being filled */
    uint32_t used;                   /* pixels of it that were added */
    uint64_t *unmasked;              /* pixels a bin; owned, as all that follow: bins + 1 */
    uint64_t *no_data;               /* of the image */
    uint64_t *sums;                  /* SMALL, modulo 2^64 */
    __int128 *wide;
    struct compensated *real, *series_real;
    struct sluice_radial_bin *image, *series;
    uint32_t *prefix; /* of a block */
};
/* Settles settings->radial_width and radial_bins. `masked`: a bit a pixel. */
enum sluice_status sluice_rings_init(struct sluice_rings *part,
                                     struct sluice_survey_settings *settings,
                                     const struct sluice_shape *shape, const uint64_t *masked);
void sluice_rings_close(struct sluice_rings *part);
void sluice_rings_begin(struct sluice_rings *part);
void sluice_rings_add(struct sluice_rings *part, const struct sluice_kernels *kernels,
                      const struct sluice_block *block);
void sluice_rings_end(struct sluice_rings *part, const struct sluice_shape *shape);

/* --- brightest pixels --- */

struct sluice_brightest {
    uint32_t wanted, count, series_count, width;
    struct sluice_top_pixel *heap;   /* of the image: the least on top; sorted by end; owned */
    struct sluice_top_pixel *series; /* room for twice as many; owned */
    bool is_real;
};
bool sluice_brightest_init(struct sluice_brightest *part, uint32_t wanted,
                           const struct sluice_shape *shape);
void sluice_brightest_close(struct sluice_brightest *part);
void sluice_brightest_begin(struct sluice_brightest *part);
void sluice_brightest_add(struct sluice_brightest *part, const struct sluice_kernels *kernels,
                          const struct sluice_block *block);
void sluice_brightest_end(struct sluice_brightest *part, uint64_t image);

/* --- images of the series --- */

struct sluice_running {
    uint64_t images;
    uint32_t *missing;               /* images in which an unmasked pixel had no data; owned */
    struct sluice_running_rows rows; /* SMALL; owned */
    long double *mean, *spread;      /* WIDE and REAL; owned */
    uint64_t *wide_sum, *wide_max;   /* WIDE; owned */
    double *real_max;                /* REAL; owned */
};
bool sluice_running_init(struct sluice_running *part, const struct sluice_shape *shape);
void sluice_running_close(struct sluice_running *part);
void sluice_running_add(struct sluice_running *part, const struct sluice_kernels *kernels,
                        const struct sluice_block *block);
void sluice_running_end(struct sluice_running *part);
void sluice_running_read(const struct sluice_running *part, const struct sluice_shape *shape,
                         const uint64_t *masked, uint64_t first, uint64_t count,
                         const struct sluice_running_part *to);

#endif
