/* SPDX-License-Identifier: Apache-2.0
 *
 * What cannot work is said before the first image: regions outside, no centre, a file that is
 * there. */
#include "cli/stats_survey.h"

#include <stdio.h>
#include <string.h>

#include "cli/verbs.h"
#include "core/guard.h"

/* The centre that was given, or the master's. */
static bool find_centre(const struct sluice_stats_options *options, struct sluice_follow *follow,
                        uint32_t channel, struct sluice_survey_settings *settings)
{
    if (!settings->radial || options->has_centre ||
        sluice_follow_beam(follow, channel, &settings->centre_x, &settings->centre_y))
        return true;
    fprintf(stderr,
            "sluice stats: no beam centre of channel %s is known (beam_center_x and _y of its "
            "master): give it in pixels, --radial=X,Y\n",
            sluice_follow_channel(follow, channel)->name);
    return false;
}

static int open_one(struct sluice_stats_surveys *surveys,
                    const struct sluice_stats_options *options, struct sluice_follow *follow,
                    uint32_t channel)
{
    const struct sluice_follow_channel *c = sluice_follow_channel(follow, channel);
    struct sluice_survey_settings settings = options->survey;
    struct sluice_error error = {0};
    struct sluice_survey *survey;
    if (!find_centre(options, follow, channel, &settings))
        return SLUICE_EXIT_USAGE;
    enum sluice_status status =
        sluice_survey_create(&settings, c->width, c->height, c->dtype,
                             sluice_follow_mask(follow, channel), &survey, &error);
    if (status != SLUICE_OK) {
        fprintf(stderr, "sluice stats: channel %s: %s\n", c->name, error.message);
        return status == SLUICE_USAGE ? SLUICE_EXIT_USAGE : SLUICE_EXIT_FAILED;
    }
    surveys->channels[surveys->count] = (struct sluice_images_channel){.name = c->name,
                                                                       .width = c->width,
                                                                       .height = c->height,
                                                                       .dtype = c->dtype,
                                                                       .survey = survey};
    surveys->surveys[surveys->count++] = survey;
    sluice_guard_alive();
    return SLUICE_EXIT_OK;
}

int sluice_stats_surveys_open(struct sluice_stats_surveys *surveys,
                              const struct sluice_stats_options *options,
                              struct sluice_follow *follow, const uint32_t *selected,
                              uint32_t count)
{
    struct sluice_error error = {0};
    int code = SLUICE_EXIT_OK;
    surveys->source = options->path;
    surveys->images.path = options->images_path;
    if (surveys->images.path && sluice_images_check(&surveys->images, &error) != SLUICE_OK) {
        fprintf(stderr, "sluice stats: %s\n", error.message);
        return SLUICE_EXIT_FAILED;
    }
    for (uint32_t i = 0; options->has_survey && i < count && code == SLUICE_EXIT_OK; i++)
        code = open_one(surveys, options, follow, selected[i]);
    return code;
}

void sluice_stats_surveys_close(struct sluice_stats_surveys *surveys)
{
    for (uint32_t i = 0; i < surveys->count; i++)
        sluice_survey_close(surveys->surveys[i]);
    memset(surveys, 0, sizeof(*surveys));
}

struct sluice_survey *sluice_stats_surveys_begin(struct sluice_stats_surveys *surveys,
                                                 uint32_t index, uint64_t image)
{
    if (surveys->count == 0)
        return NULL;
    sluice_survey_begin(surveys->surveys[index], image);
    return surveys->surveys[index];
}

void sluice_stats_surveys_end(struct sluice_stats_surveys *surveys, uint32_t index, uint64_t image)
{
    if (surveys->count == 0)
        return;
    struct sluice_images_channel *channel = &surveys->channels[index];
    bool is_first = sluice_survey_images(surveys->surveys[index]) == 0;
    sluice_survey_end(surveys->surveys[index]);
    if (is_first || image < channel->first_image)
        channel->first_image = image;
    if (is_first || image > channel->last_image)
        channel->last_image = image;
}

bool sluice_stats_surveys_write(struct sluice_stats_surveys *surveys)
{
    struct sluice_error error = {0};
    if (!surveys->images.path)
        return true;
    enum sluice_status status = sluice_images_write(&surveys->images, surveys->source,
                                                    surveys->channels, surveys->count, &error);
    if (status != SLUICE_OK)
        fprintf(stderr, "sluice stats: %s\n", error.message);
    return status == SLUICE_OK || status == SLUICE_NOT_FOUND; /* the latter: no image came */
}
