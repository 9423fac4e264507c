/* SPDX-License-Identifier: Apache-2.0
 *
 * The statistics of a channel beyond the basic ones: regions of interest, histogram, radial
 * profile, brightest pixels, of each image and of the series; and images of mean, variance and
 * maximum over the series. Pure arithmetic, no files, no clock.
 *
 * Pixels come in pieces of any length, in order (so that they can come straight from a decoder's
 * cache), or as whole planes. Those that are masked or hold the no-data value never count, as in
 * stats.h. Integers are exact; floats use compensated sums.
 *
 * One thread a survey. All memory is taken when it is made; it is proportional to the plane for the
 * radial profile (4 bytes a piece of a row within one ring) and the images of the series (12 to 52
 * bytes a pixel). */
#ifndef SLUICE_READERS_STATS_SURVEY_H
#define SLUICE_READERS_STATS_SURVEY_H

#include <stdbool.h>

#include "core/error.h"
#include "core/frame.h"

#define SLUICE_HISTOGRAM_BINS_MAX 65536u
#define SLUICE_RADIAL_BINS_MAX    65535u
#define SLUICE_TOP_MAX            10000u

struct sluice_roi {
    char name[SLUICE_NAME_BYTES];
    uint32_t x, y, width, height; /* pixels; x and y of its first one */
};

struct sluice_survey_settings {
    const struct sluice_roi *rois; /* borrowed until the survey is closed */
    uint32_t roi_count;
    /* Bin k holds low + k * width <= value < low + (k + 1) * width. 0 bins: no histogram. */
    uint32_t histogram_bins;
    int64_t histogram_low;
    uint64_t histogram_width; /* at least 1 */
    /* Bin k holds pixels whose centre is k * width <= r < (k + 1) * width from the beam. */
    bool radial;
    double centre_x, centre_y; /* pixels; a whole number is the centre of a pixel */
    double radial_width;       /* pixels; 0: such that there are radial_bins */
    uint32_t radial_bins;
    uint32_t top; /* brightest pixels; 0: none */
    bool running; /* images of mean, variance, maximum */
};

/* A value is whole or, of float types, real. */
struct sluice_roi_sum {
    uint64_t pixels; /* valid; 0: no max */
    __int128 sum, max;
    double sum_real, max_real;
};

struct sluice_radial_bin {
    uint64_t pixels;
    __int128 sum;
    double sum_real;
};

struct sluice_top_pixel {
    uint64_t image;
    uint32_t x, y;
    __int128 value;
    double value_real;
};

/* Of one image, or of all. What was not asked for is NULL or 0. */
struct sluice_survey_result {
    const struct sluice_roi_sum *rois; /* roi_count */
    const uint64_t *histogram;         /* below, histogram_bins, above */
    const struct sluice_radial_bin *radial;
    const struct sluice_top_pixel *top; /* largest first; of equal ones the first in the series */
    uint32_t top_count;
};

struct sluice_survey;

/* Makes a survey for planes of that shape. `mask` (NULL: none) is not kept. USAGE: a region that is
 * not inside the image, or too many bins; LIMIT: a plane of more than 2^31 pixels; NO_MEMORY. */
enum sluice_status sluice_survey_create(const struct sluice_survey_settings *settings,
                                        uint32_t width, uint32_t height, enum sluice_dtype dtype,
                                        const uint32_t *mask, struct sluice_survey **survey,
                                        struct sluice_error *error);
void sluice_survey_close(struct sluice_survey *survey); /* NULL is accepted */

/* One image: begin, every pixel once in order (`pixels` aligned to its type), end, which adds it to
 * the series. An image that is begun again instead of ended counts nowhere, except in the images of
 * the series: begin only what is known to be sound. */
void sluice_survey_begin(struct sluice_survey *survey, uint64_t image);
void sluice_survey_add(struct sluice_survey *survey, const void *pixels, uint64_t count);
void sluice_survey_end(struct sluice_survey *survey);
/* After a begin: the caller adds the counts of valid values to bins itself, value v to bins[v] and
 * all from bin_count - 1 on to the last. False: there is no histogram, or one of other bins. */
bool sluice_survey_counts_elsewhere(struct sluice_survey *survey, uint64_t **bins,
                                    uint32_t *bin_count);
/* begin, add, end. */
void sluice_survey_plane(struct sluice_survey *survey, uint64_t image, const void *pixels);

/* With what was settled: radial_width, radial_bins, histogram_width. */
const struct sluice_survey_settings *sluice_survey_settings(const struct sluice_survey *survey);
bool sluice_survey_is_real(const struct sluice_survey *survey);
/* Valid until the next begin, and until close. */
const struct sluice_survey_result *sluice_survey_image(const struct sluice_survey *survey);
const struct sluice_survey_result *sluice_survey_series(const struct sluice_survey *survey);
uint64_t sluice_survey_images(const struct sluice_survey *survey); /* ended */

/* Pixels [first, first + count) of the images of the series: NaN, the no-data value and 0 where no
 * image had a value. Any of the arrays may be NULL. */
struct sluice_running_part {
    double *mean, *variance; /* the population's */
    void *max;               /* in the plane's type */
    void *sum;        /* int64_t of signed types, else uint64_t; modulo 2^64 of 64-bit ones */
    uint32_t *images; /* in which the pixel was valid */
};
void sluice_survey_running(const struct sluice_survey *survey, uint64_t first, uint64_t count,
                           const struct sluice_running_part *part);

#endif
