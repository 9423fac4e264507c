/* SPDX-License-Identifier: Apache-2.0
 *
 * A survey: cuts what comes into blocks, makes each ready once (block.h), and gives it to the parts
 * that were asked for while it is in the L1 cache. */
#include "readers/stats/survey.h"

#include <stdlib.h>
#include <string.h>

#include "readers/stats/parts.h"

#define PIXELS_MAX (UINT64_C(1) << 31)

struct sluice_survey {
    struct sluice_survey_settings settings;
    struct sluice_shape shape;
    uint64_t *masked;       /* a bit a pixel, and a word more; owned */
    uint64_t image, next;   /* next: index of the pixel to come */
    uint64_t images;        /* ended */
    bool counted_elsewhere; /* the image's histogram */

    struct sluice_rois rois;
    struct sluice_values values;
    struct sluice_rings rings;
    struct sluice_brightest brightest;
    struct sluice_running running;
    struct sluice_survey_result of_image, of_series;
    struct sluice_block block;
};

enum sluice_block_kind sluice_block_kind(enum sluice_dtype dtype)
{
    if (dtype == SLUICE_F32 || dtype == SLUICE_F64)
        return SLUICE_BLOCK_REAL;
    return sluice_dtype_bytes(dtype) == 8 ? SLUICE_BLOCK_WIDE : SLUICE_BLOCK_SMALL;
}

/* --- make ---------------------------------------------------------------------------------- */

static enum sluice_status check(const struct sluice_survey_settings *s, uint32_t width,
                                uint32_t height, enum sluice_dtype dtype,
                                struct sluice_error *error)
{
    if ((unsigned)dtype >= SLUICE_DTYPE_COUNT)
        return sluice_error_set(error, SLUICE_UNSUPPORTED, "no statistics of this pixel type");
    if ((uint64_t)width * height > PIXELS_MAX || width == 0 || height == 0)
        return sluice_error_set(error, SLUICE_LIMIT, "no statistics of planes of %u x %u", height,
                                width);
    for (uint32_t i = 0; i < s->roi_count; i++) {
        const struct sluice_roi *roi = &s->rois[i];
        if (roi->width == 0 || roi->height == 0 || (uint64_t)roi->x + roi->width > width ||
            (uint64_t)roi->y + roi->height > height)
            return sluice_error_set(error, SLUICE_USAGE,
                                    "region %s (x %u, y %u, %u wide, %u high) is not inside the "
                                    "image, which is %u wide and %u high",
                                    roi->name, roi->x, roi->y, roi->width, roi->height, width,
                                    height);
    }
    if (s->histogram_bins > SLUICE_HISTOGRAM_BINS_MAX)
        return sluice_error_set(error, SLUICE_USAGE, "a histogram has at most %u bins",
                                SLUICE_HISTOGRAM_BINS_MAX);
    if (s->top > SLUICE_TOP_MAX)
        return sluice_error_set(error, SLUICE_USAGE, "at most the %u brightest pixels",
                                SLUICE_TOP_MAX);
    return SLUICE_OK;
}

static bool make_mask(struct sluice_survey *survey, const uint32_t *mask)
{
    uint64_t pixels = (uint64_t)survey->shape.width * survey->shape.height;
    survey->masked = calloc(pixels / 64 + 2, sizeof(*survey->masked));
    for (uint64_t i = 0; survey->masked && mask && i < pixels; i++)
        survey->masked[i / 64] |= (uint64_t)((mask[i] & 0xFFFF) != 0) << (i % 64);
    return survey->masked != NULL;
}

static enum sluice_status make_parts(struct sluice_survey *survey, struct sluice_error *error)
{
    struct sluice_survey_settings *s = &survey->settings;
    const struct sluice_shape *shape = &survey->shape;
    bool ok = true;
    if (s->roi_count)
        ok = ok && sluice_rois_init(&survey->rois, s->rois, s->roi_count);
    if (s->histogram_bins)
        ok = ok && sluice_values_init(&survey->values, s->histogram_bins, s->histogram_low,
                                      s->histogram_width);
    if (s->top)
        ok = ok && sluice_brightest_init(&survey->brightest, s->top, shape);
    if (s->running)
        ok = ok && sluice_running_init(&survey->running, shape);
    enum sluice_status status = ok ? SLUICE_OK : SLUICE_NO_MEMORY;
    if (ok && s->radial)
        status = sluice_rings_init(&survey->rings, s, shape, survey->masked);
    if (status == SLUICE_USAGE)
        return sluice_error_set(error, status,
                                "the radial profile has no bins: a finite centre and 1 to %u bins "
                                "are needed",
                                SLUICE_RADIAL_BINS_MAX);
    if (status != SLUICE_OK)
        return sluice_error_set(error, status, "no memory for the statistics of %u x %u pixels",
                                shape->height, shape->width);
    survey->of_image = (struct sluice_survey_result){.rois = survey->rois.image,
                                                     .histogram = survey->values.image,
                                                     .radial = survey->rings.image,
                                                     .top = survey->brightest.heap};
    survey->of_series = (struct sluice_survey_result){.rois = survey->rois.series,
                                                      .histogram = survey->values.series,
                                                      .radial = survey->rings.series,
                                                      .top = survey->brightest.series};
    return SLUICE_OK;
}

enum sluice_status sluice_survey_create(const struct sluice_survey_settings *settings,
                                        uint32_t width, uint32_t height, enum sluice_dtype dtype,
                                        const uint32_t *mask, struct sluice_survey **out,
                                        struct sluice_error *error)
{
    *out = NULL;
    enum sluice_status status = check(settings, width, height, dtype, error);
    if (status != SLUICE_OK)
        return status;
    size_t bytes = (sizeof(struct sluice_survey) + 63) / 64 * 64;
    struct sluice_survey *survey = aligned_alloc(64, bytes);
    if (!survey)
        return sluice_error_set(error, SLUICE_NO_MEMORY, "no memory for statistics");
    memset(survey, 0, bytes);
    survey->settings = *settings;
    survey->settings.histogram_width = settings->histogram_width ? settings->histogram_width : 1;
    survey->shape = (struct sluice_shape){.width = width,
                                          .height = height,
                                          .dtype = dtype,
                                          .kind = sluice_block_kind(dtype),
                                          .is_signed = dtype >= SLUICE_I8 && dtype <= SLUICE_I64};
    survey->block.kind = survey->shape.kind;
    survey->block.is_signed = survey->shape.is_signed;
    if (make_mask(survey, mask))
        status = make_parts(survey, error);
    else
        status = sluice_error_set(error, SLUICE_NO_MEMORY, "no memory for a mask");
    if (status == SLUICE_OK)
        *out = survey;
    else
        sluice_survey_close(survey);
    return status;
}

void sluice_survey_close(struct sluice_survey *survey)
{
    if (!survey)
        return;
    sluice_rois_close(&survey->rois);
    sluice_values_close(&survey->values);
    sluice_rings_close(&survey->rings);
    sluice_brightest_close(&survey->brightest);
    sluice_running_close(&survey->running);
    free(survey->masked);
    free(survey);
}

/* --- images -------------------------------------------------------------------------------- */

void sluice_survey_begin(struct sluice_survey *survey, uint64_t image)
{
    const struct sluice_survey_settings *s = &survey->settings;
    survey->image = image;
    survey->next = 0;
    survey->counted_elsewhere = false;
    if (s->roi_count)
        sluice_rois_begin(&survey->rois);
    if (s->histogram_bins)
        sluice_values_begin(&survey->values);
    if (s->radial)
        sluice_rings_begin(&survey->rings);
    if (s->top)
        sluice_brightest_begin(&survey->brightest);
}

bool sluice_survey_counts_elsewhere(struct sluice_survey *survey, uint64_t **bins,
                                    uint32_t *bin_count)
{
    const struct sluice_survey_settings *s = &survey->settings;
    if (s->histogram_bins == 0 || s->histogram_low != 0 || s->histogram_width != 1)
        return false;
    survey->counted_elsewhere = true;
    *bins = survey->values.image + 1; /* the first cell is what lies below */
    *bin_count = s->histogram_bins + 1;
    return true;
}

/* Which of the pixels from `first` on are not masked. */
static void allow(const struct sluice_survey *survey, struct sluice_block *block)
{
    const uint64_t *masked = survey->masked + block->first / 64;
    uint32_t shift = (uint32_t)(block->first % 64);
    for (uint32_t w = 0; w * 64 < block->count; w++) {
        uint32_t left = block->count - w * 64;
        uint64_t hidden = masked[w] >> shift;
        if (shift && left > 64 - shift)
            hidden |= masked[w + 1] << (64 - shift);
        block->valid[w] = ~hidden & (left < 64 ? (UINT64_C(1) << left) - 1 : UINT64_MAX);
    }
}

static void load(const struct sluice_kernels *kernels, enum sluice_dtype dtype, const void *pixels,
                 struct sluice_block *block)
{
    void (*how)(const void *, struct sluice_block *) = kernels->load[dtype];
    if (!how)
        how = sluice_kernels_scalar.load[dtype];
    how(pixels, block);
    block->valid_count = block->no_data_count = 0;
    for (uint32_t w = 0; w * 64 < block->count; w++) {
        block->valid_count += (uint32_t)__builtin_popcountll(block->valid[w]);
        block->no_data_count += (uint32_t)__builtin_popcountll(block->no_data[w]);
    }
}

void sluice_survey_add(struct sluice_survey *survey, const void *pixels, uint64_t count)
{
    const struct sluice_survey_settings *s = &survey->settings;
    const struct sluice_kernels *kernels = sluice_kernels();
    struct sluice_block *block = &survey->block;
    size_t pixel_bytes = sluice_dtype_bytes(survey->shape.dtype);
    const uint8_t *from = pixels;
    while (count > 0) {
        block->first = survey->next;
        block->count = count < SLUICE_BLOCK_PIXELS ? (uint32_t)count : SLUICE_BLOCK_PIXELS;
        allow(survey, block);
        load(kernels, survey->shape.dtype, from, block);
        if (s->roi_count)
            sluice_rois_add(&survey->rois, &survey->shape, kernels, block);
        if (s->histogram_bins && !survey->counted_elsewhere)
            sluice_values_add(&survey->values, block);
        if (s->radial)
            sluice_rings_add(&survey->rings, kernels, block);
        if (s->top)
            sluice_brightest_add(&survey->brightest, kernels, block);
        if (s->running)
            sluice_running_add(&survey->running, kernels, block);
        from += block->count * pixel_bytes;
        count -= block->count;
        survey->next += block->count;
    }
}

void sluice_survey_end(struct sluice_survey *survey)
{
    const struct sluice_survey_settings *s = &survey->settings;
    if (s->roi_count)
        sluice_rois_end(&survey->rois);
    if (s->histogram_bins)
        sluice_values_end(&survey->values);
    if (s->radial)
        sluice_rings_end(&survey->rings, &survey->shape);
    if (s->top)
        sluice_brightest_end(&survey->brightest, survey->image);
    if (s->running)
        sluice_running_end(&survey->running);
    survey->of_image.top_count = survey->brightest.count;
    survey->of_series.top_count = survey->brightest.series_count;
    survey->images++;
}

void sluice_survey_plane(struct sluice_survey *survey, uint64_t image, const void *pixels)
{
    sluice_survey_begin(survey, image);
    sluice_survey_add(survey, pixels, (uint64_t)survey->shape.width * survey->shape.height);
    sluice_survey_end(survey);
}

/* --- results ------------------------------------------------------------------------------- */

const struct sluice_survey_settings *sluice_survey_settings(const struct sluice_survey *survey)
{
    return &survey->settings;
}

bool sluice_survey_is_real(const struct sluice_survey *survey)
{
    return survey->shape.kind == SLUICE_BLOCK_REAL;
}

const struct sluice_survey_result *sluice_survey_image(const struct sluice_survey *survey)
{
    return &survey->of_image;
}

const struct sluice_survey_result *sluice_survey_series(const struct sluice_survey *survey)
{
    return &survey->of_series;
}

uint64_t sluice_survey_images(const struct sluice_survey *survey)
{
    return survey->images;
}

void sluice_survey_running(const struct sluice_survey *survey, uint64_t first, uint64_t count,
                           const struct sluice_running_part *part)
{
    sluice_running_read(&survey->running, &survey->shape, survey->masked, first, count, part);
}
