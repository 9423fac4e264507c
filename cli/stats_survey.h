/* SPDX-License-Identifier: Apache-2.0
 *
 * The surveys of `sluice stats`: one a channel, made from the options and what the master says, and
 * the file of --running. One thread. Zeroed memory has none. */
#ifndef SLUICE_CLI_STATS_SURVEY_H
#define SLUICE_CLI_STATS_SURVEY_H

#include "cli/stats_options.h"
#include "readers/follow/follow.h"
#include "readers/images/images.h"

struct sluice_stats_surveys {
    const char *source; /* the path that is read, borrowed */
    uint32_t count;     /* 0: nothing was asked for */
    struct sluice_survey *surveys[SLUICE_PLANES_MAX];
    struct sluice_images images; /* path NULL: none are wanted */
    struct sluice_images_channel channels[SLUICE_PLANES_MAX];
};

/* For channels `selected` of the follower. Returns the exit code; what is wrong is printed. The
 * options outlive the surveys. */
int sluice_stats_surveys_open(struct sluice_stats_surveys *surveys,
                              const struct sluice_stats_options *options,
                              struct sluice_follow *follow, const uint32_t *selected,
                              uint32_t count);
void sluice_stats_surveys_close(struct sluice_stats_surveys *surveys);

/* Begins an image of the index-th of them; NULL: there are none. It is ended when it is sound. */
struct sluice_survey *sluice_stats_surveys_begin(struct sluice_stats_surveys *surveys,
                                                 uint32_t index, uint64_t image);
void sluice_stats_surveys_end(struct sluice_stats_surveys *surveys, uint32_t index, uint64_t image);

/* Writes the file of --running, where one is wanted. False: it was said why not. */
bool sluice_stats_surveys_write(struct sluice_stats_surveys *surveys);

#endif
