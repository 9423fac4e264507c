/* SPDX-License-Identifier: Apache-2.0
 *
 * Two ways to the same figures. A stored plane goes to readers/stats as it is, which makes pixels
 * of it only where it has to. What has no chunk of its own (several images in one, part of an
 * image, other filters, virtual datasets) is read as pixels, and so is everything for the images of
 * a series: half of a damaged one must not be in them. */
#include "cli/stats_plane.h"

#include <stdlib.h>

#define PAGE_BYTES 4096u

bool sluice_stats_planes_open(struct sluice_stats_planes *planes, size_t plane_bytes,
                              bool with_pixels)
{
    planes->with_pixels = with_pixels;
    planes->pixels =
        aligned_alloc(PAGE_BYTES, (plane_bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES);
    return planes->pixels != NULL;
}

void sluice_stats_planes_close(struct sluice_stats_planes *planes)
{
    for (uint32_t i = 0; i < SLUICE_PLANES_MAX; i++)
        free(planes->mask_planes[i]);
    sluice_stats_scratch_close(&planes->scratch);
    free(planes->pixels);
    *planes = (struct sluice_stats_planes){0};
}

/* NULL where there is no mask; without memory for it pixels are the way. */
static const uint8_t *mask_plane(struct sluice_stats_planes *planes, uint32_t channel,
                                 const struct sluice_follow_channel *shape, const uint32_t *mask)
{
    if (mask && !planes->mask_planes[channel]) {
        planes->mask_planes[channel] = malloc(sluice_mask_plane_bytes(shape->width, shape->height));
        if (planes->mask_planes[channel])
            sluice_mask_plane_fill(planes->mask_planes[channel], mask, shape->width, shape->height);
    }
    return planes->mask_planes[channel];
}

static enum sluice_status no_statistics(const struct sluice_follow_channel *shape,
                                        enum sluice_status status, struct sluice_error *why)
{
    return sluice_error_set(why, status, "no statistics of %s planes of %u x %u",
                            sluice_dtype_name(shape->dtype), shape->height, shape->width);
}

static enum sluice_status from_pixels(struct sluice_stats_planes *planes,
                                      struct sluice_follow *follow,
                                      const struct sluice_follow_row *row, uint32_t channel,
                                      const int64_t *saturation, struct sluice_survey *survey,
                                      struct sluice_stats *stats, struct sluice_error *why)
{
    const struct sluice_follow_channel *shape = sluice_follow_channel(follow, channel);
    size_t bytes = (size_t)shape->width * shape->height * sluice_dtype_bytes(shape->dtype);
    enum sluice_status status =
        sluice_follow_pixels(follow, row, channel, planes->pixels, bytes, why);
    if (status != SLUICE_OK)
        return status;
    status = sluice_stats_plane(planes->pixels, shape->width, shape->height, shape->dtype,
                                sluice_follow_mask(follow, channel), saturation, stats);
    if (status != SLUICE_OK)
        return no_statistics(shape, status, why);
    if (survey)
        sluice_survey_add(survey, planes->pixels, (uint64_t)shape->width * shape->height);
    return SLUICE_OK;
}

enum sluice_status sluice_stats_planes_compute(struct sluice_stats_planes *planes,
                                               struct sluice_follow *follow,
                                               const struct sluice_follow_row *row,
                                               uint32_t channel, struct sluice_survey *survey,
                                               struct sluice_stats *stats, struct sluice_error *why)
{
    const struct sluice_follow_channel *shape = sluice_follow_channel(follow, channel);
    struct sluice_span payload;
    enum sluice_encoding encoding;
    int64_t limit;
    const int64_t *saturation = sluice_follow_saturation(follow, channel, &limit) ? &limit : NULL;
    if (planes->with_pixels || !sluice_follow_is_direct(follow, row, channel))
        return from_pixels(planes, follow, row, channel, saturation, survey, stats, why);
    enum sluice_status status =
        sluice_follow_payload(follow, row, channel, &payload, &encoding, why);
    if (status != SLUICE_OK)
        return status;
    const uint32_t *mask = sluice_follow_mask(follow, channel);
    struct sluice_stats_channel of = {.width = shape->width,
                                      .height = shape->height,
                                      .dtype = shape->dtype,
                                      .mask = mask,
                                      .mask_plane = mask_plane(planes, channel, shape, mask),
                                      .saturation = saturation,
                                      .survey = survey};
    status = sluice_stats_payload(&of, encoding, payload, &planes->scratch, stats, NULL);
    if (status == SLUICE_LIMIT || status == SLUICE_UNSUPPORTED)
        return no_statistics(shape, status, why);
    return status == SLUICE_OK ? status : sluice_follow_undecodable(payload, encoding, status, why);
}
