/* SPDX-License-Identifier: Apache-2.0
 *
 * The options of `sluice stats`: table, help and the little grammars of their values. */
#include "cli/stats_options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/verbs.h"

#define HISTOGRAM_BINS 256

const struct option sluice_options_stats[] = {
    {"follow", no_argument, NULL, 'f'},
    {"channel", required_argument, NULL, 'c'},
    {"json", no_argument, NULL, 'j'},
    {"timeout", required_argument, NULL, 't'},
    {"wait", required_argument, NULL, 'w'},
    {"every", required_argument, NULL, 'e'},
    {"latest", no_argument, NULL, 'l'},
    {"shard", required_argument, NULL, 's'},
    {"pixels", no_argument, NULL, 'p'},
    {"roi", required_argument, NULL, 'r'},
    {"histogram", optional_argument, NULL, 'H'},
    {"radial", optional_argument, NULL, 'R'},
    {"top", required_argument, NULL, 'T'},
    {"running", required_argument, NULL, 'U'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static const char help[] =
    "usage: sluice stats PATH [options]\n"
    "\n"
    "Statistics of every image and plane of a series. PATH is any file of the set: a data\n"
    "file, NAME_master.h5 or NAME.nxs; or a file of another writer (areaDetector, DECTRIS, NXmx\n"
    "with a virtual dataset, ...). Mask and saturation value come from the masters.\n"
    "\n"
    "  --follow        go on as the files grow, until the series ends; without it: what is\n"
    "                  visible now\n"
    "  --channel C     only this channel (may be repeated; default: all)\n"
    "  --json          JSON lines: one an image and plane, a summary last\n"
    "  --timeout S     with --follow: give up when nothing new came for S seconds (default 10):\n"
    "                  then the writer has died or is stuck (exit 1)\n"
    "  --wait S        wait up to S seconds for the files to appear (default: the timeout with\n"
    "                  --follow, else 0)\n"
    "  --every N       only images whose number is a multiple of N; the others are counted as\n"
    "                  skipped\n"
    "  --latest        when it cannot keep up: the newest image next, older ones are skipped\n"
    "                  and counted\n"
    "  --shard K/N     the K-th of N processes that share the images (1/4 to 4/4)\n"
    "  --pixels        decode every image to pixels first; else bslz4 counts are not: the figures\n"
    "                  are the same, later\n"
    "\n"
    "More, of each image and of the series in the summary:\n"
    "  --roi NAME=X,Y,W,H       sum, maximum, valid pixels and mean of a rectangle whose first\n"
    "                           pixel is X, Y (may be repeated)\n"
    "  --histogram[=BINS[,LOW[,WIDTH]]]\n"
    "                           how many pixels have which value: BINS bins (default 256) of\n"
    "                           WIDTH (1) from LOW (0) on, and what lies below and above\n"
    "  --radial[=X,Y][/WIDTH | :BINS]\n"
    "                           sum, pixels and mean by distance from X, Y (default: the beam\n"
    "                           centre of the master) in rings of WIDTH pixels (default 1), or\n"
    "                           in BINS rings: --radial=512.5,530/2, --radial=:100\n"
    "  --top N                  the N brightest pixels: value, x, y\n"
    "  --running FILE           images of mean, variance and maximum over the series, into a\n"
    "                           new HDF5 file at the end, and at each SIGUSR1\n"
    "  --help          this text\n"
    "\n"
    "Image numbers start at 0. Pixels that are masked or hold the no-data value count as invalid\n"
    "and enter nothing else. x, y: whole numbers are centres of pixels, the first one is 0, 0.\n"
    "lag_ms (latency_ms): with --follow, from the complete message to this line. On a terminal\n"
    "at most 10 lines a second are shown; all images are computed. The table shows histogram and\n"
    "radial profile of the series, at its end; --json those of each image too.\n"
    "\n"
    "exit: 0 all well (lost images are stated), 1 a bad chunk, a dead writer or an error,\n"
    "2 usage.\n";

static int usage(const char *what, const char *value)
{
    fprintf(stderr, "sluice stats: %s%s%s (try --help)\n", what, value ? ": " : "",
            value ? value : "");
    return SLUICE_EXIT_USAGE;
}

/* --- values -------------------------------------------------------------------------------- */

static bool parse_seconds(const char *text, double *seconds)
{
    char *end;
    *seconds = strtod(text, &end);
    return end != text && *end == 0 && *seconds >= 0 && *seconds <= 1e9;
}

/* Digits up to `stop`; *rest is after it, or at the end. */
static bool parse_whole(const char *text, char stop, uint64_t *value, const char **rest)
{
    char *end;
    if (!isdigit((unsigned char)*text))
        return false;
    errno = 0;
    *value = strtoull(text, &end, 10);
    *rest = *end ? end + 1 : end;
    return !errno && *end == stop;
}

static bool parse_count(const char *text, uint64_t *count)
{
    const char *rest;
    return parse_whole(text, 0, count, &rest) && *count > 0;
}

static bool parse_shard(const char *text, struct sluice_stats_options *options)
{
    const char *rest;
    options->shard_text = text;
    return parse_whole(text, '/', &options->shard, &rest) && options->shard > 0 &&
           parse_count(rest, &options->shards) && options->shard <= options->shards;
}

/* NAME=X,Y,W,H */
static bool parse_roi(const char *text, struct sluice_roi *roi)
{
    const char *rest = strchr(text, '=');
    uint64_t numbers[4];
    if (!rest || rest == text || (size_t)(rest - text) >= sizeof(roi->name))
        return false;
    memcpy(roi->name, text, (size_t)(rest - text));
    roi->name[rest++ - text] = 0;
    for (int i = 0; i < 4; i++)
        if (!parse_whole(rest, i < 3 ? ',' : 0, &numbers[i], &rest) || numbers[i] > UINT32_MAX)
            return false;
    roi->x = (uint32_t)numbers[0];
    roi->y = (uint32_t)numbers[1];
    roi->width = (uint32_t)numbers[2];
    roi->height = (uint32_t)numbers[3];
    return roi->width > 0 && roi->height > 0;
}

static int add_roi(const char *text, struct sluice_stats_options *options)
{
    struct sluice_survey_settings *s = &options->survey;
    struct sluice_roi roi;
    if (!parse_roi(text, &roi))
        return usage("--roi is not NAME=X,Y,WIDTH,HEIGHT in whole pixels", text);
    if (s->roi_count == SLUICE_ROIS_MAX)
        return usage("too many regions", text);
    for (uint32_t i = 0; i < s->roi_count; i++)
        if (strcmp(options->rois[i].name, roi.name) == 0)
            return usage("two regions have one name", roi.name);
    options->rois[s->roi_count++] = roi;
    return -1;
}

/* [BINS[,LOW[,WIDTH]]] */
static bool parse_histogram(const char *text, struct sluice_survey_settings *s)
{
    uint64_t bins = HISTOGRAM_BINS;
    char *end;
    s->histogram_low = 0;
    s->histogram_width = 1;
    if (text) {
        if (!isdigit((unsigned char)*text))
            return false;
        errno = 0;
        bins = strtoull(text, &end, 10);
        if (*end == ',') {
            const char *low = end + 1;
            s->histogram_low = strtoll(low, &end, 10);
            if (end == low)
                return false;
        }
        if (*end == ',' && !parse_count(end + 1, &s->histogram_width))
            return false;
        if (errno || (*end != 0 && *end != ','))
            return false;
    }
    s->histogram_bins = (uint32_t)bins;
    return bins > 0 && bins <= SLUICE_HISTOGRAM_BINS_MAX;
}

/* [X,Y][/WIDTH | :BINS] */
static bool parse_radial(const char *text, struct sluice_stats_options *options)
{
    struct sluice_survey_settings *s = &options->survey;
    char *end;
    uint64_t bins = 0;
    s->radial = true;
    s->radial_width = 1;
    s->radial_bins = 0;
    options->has_centre = false;
    if (!text)
        return true;
    if (*text && *text != '/' && *text != ':') {
        s->centre_x = strtod(text, &end);
        if (end == text || *end != ',')
            return false;
        text = end + 1;
        s->centre_y = strtod(text, &end);
        if (end == text || !isfinite(s->centre_x) || !isfinite(s->centre_y))
            return false;
        text = end;
        options->has_centre = true;
    }
    if (*text == '/') {
        s->radial_width = strtod(text + 1, &end);
        return end != text + 1 && *end == 0 && isfinite(s->radial_width) && s->radial_width > 0;
    }
    if (*text == ':') {
        s->radial_width = 0;
        if (!parse_count(text + 1, &bins) || bins > SLUICE_RADIAL_BINS_MAX)
            return false;
        s->radial_bins = (uint32_t)bins;
        return true;
    }
    return *text == 0 && options->has_centre;
}

/* --- the command line ---------------------------------------------------------------------- */

/* Those of the survey: -1, or the exit code. */
static int survey_option(int option, struct sluice_stats_options *options)
{
    uint64_t count;
    options->has_survey = true;
    switch (option) {
    case 'r':
        return add_roi(optarg, options);
    case 'H':
        if (!parse_histogram(optarg, &options->survey))
            return usage("--histogram is not BINS[,LOW[,WIDTH]] with 1 to 65536 bins", optarg);
        return -1;
    case 'R':
        if (!parse_radial(optarg, options))
            return usage("--radial is not [X,Y][/WIDTH] or [X,Y][:BINS]", optarg);
        return -1;
    case 'T':
        if (!parse_count(optarg, &count) || count > SLUICE_TOP_MAX)
            return usage("--top is not a number from 1 to 10000", optarg);
        options->survey.top = (uint32_t)count;
        return -1;
    default:
        options->images_path = optarg;
        options->survey.running = true;
        return *optarg ? -1 : usage("--running needs the name of a file", NULL);
    }
}

static int one_option(int option, struct sluice_stats_options *options)
{
    switch (option) {
    case 'f':
        options->follow = true;
        return -1;
    case 'c':
        if (options->channel_count == SLUICE_PLANES_MAX)
            return usage("too many channels", NULL);
        options->channels[options->channel_count++] = optarg;
        return -1;
    case 'j':
        options->json = true;
        return -1;
    case 't':
        return parse_seconds(optarg, &options->timeout_s)
                   ? -1
                   : usage("--timeout is not a number of seconds", optarg);
    case 'w':
        return parse_seconds(optarg, &options->wait_s)
                   ? -1
                   : usage("--wait is not a number of seconds", optarg);
    case 'e':
        return parse_count(optarg, &options->every)
                   ? -1
                   : usage("--every is not a number above 0", optarg);
    case 'l':
        options->latest = true;
        return -1;
    case 'p':
        options->pixels = true;
        return -1;
    case 's':
        return parse_shard(optarg, options)
                   ? -1
                   : usage("--shard is not K/N with K from 1 to N", optarg);
    case 'h':
        fputs(help, stdout);
        return SLUICE_EXIT_OK;
    case '?':
        return SLUICE_EXIT_USAGE;
    default:
        return survey_option(option, options);
    }
}

int sluice_stats_options_parse(int argc, char **argv, struct sluice_stats_options *options)
{
    *options = (struct sluice_stats_options){
        .timeout_s = 10, .wait_s = -1, .every = 1, .shard = 1, .shards = 1};
    int option;
    optind = 1;
    while ((option = getopt_long(argc, argv, "", sluice_options_stats, NULL)) != -1) {
        int code = one_option(option, options);
        if (code >= 0)
            return code;
    }
    if (optind + 1 != argc)
        return usage(optind < argc ? "one PATH, please" : "PATH is missing", NULL);
    options->path = argv[optind];
    options->survey.rois = options->rois;
    if (options->wait_s < 0)
        options->wait_s = options->follow ? options->timeout_s : 0;
    return -1;
}
