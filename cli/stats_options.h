/* SPDX-License-Identifier: Apache-2.0
 *
 * The command line of `sluice stats`. */
#ifndef SLUICE_CLI_STATS_OPTIONS_H
#define SLUICE_CLI_STATS_OPTIONS_H

#include "readers/stats/survey.h"

#define SLUICE_ROIS_MAX 64

struct sluice_stats_options {
    const char *path;
    bool follow, json, latest, pixels;
    double timeout_s, wait_s;      /* wait_s < 0: not given */
    uint64_t every, shard, shards; /* shard 1 to shards */
    const char *shard_text;
    uint32_t channel_count;
    const char *channels[SLUICE_PLANES_MAX];

    struct sluice_survey_settings survey; /* its regions are `rois` */
    bool has_survey, has_centre;          /* anything of it; the centre was given */
    const char *images_path;              /* of --running; NULL: none */
    struct sluice_roi rois[SLUICE_ROIS_MAX];
};

/* Returns -1 to go on, else the exit code: what was wrong, or the help, is printed. The texts stay
 * in argv. */
int sluice_stats_options_parse(int argc, char **argv, struct sluice_stats_options *options);

#endif
