/* SPDX-License-Identifier: Apache-2.0
 *
 * From the stock stream of an image to six statistics and a histogram, on this one thread, and
 * beside it h5py and numpy, which read the same streams from a file and compute the six. A round of
 * Python is a process of its own that times itself, without its start. The first image's results
 * must be the same. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/kernels/pipeline_hdf5.h"
#include "bench/kernels/subject.h"
#include "bench/peers/peers.h"
#include "bench/pipeline/process.h"
#include "core/clock.h"
#include "readers/stats/payload.h"

#define BINS       4096
#define SATURATION 32677
#define ROUNDS_MAX 1000
#define PASSES     4 /* over all frames in a round of ours: a round of Python takes longer */
#define TIMEOUT_NS (120 * SLUICE_NS_PER_S)
#define TEXT_BYTES 4096
#define DATASET    "data"

struct match {
    const struct sluice_kernel_settings *settings;
    const struct sluice_subject *subject;
    struct sluice_stats_scratch scratch;
    struct sluice_stats first; /* of image 0 */
    uint64_t bins[BINS];
    char file[4096];
    bool has_python;
    double rate[ROUNDS_MAX], cpu_ms[ROUNDS_MAX], python_rate[ROUNDS_MAX];
};

static enum sluice_status compute(struct match *match, uint32_t frame, struct sluice_stats *stats)
{
    static const int64_t saturation = SATURATION;
    const struct sluice_frames *frames = &match->subject->frames;
    struct sluice_histogram_counts histogram = {.bins = match->bins, .bin_count = BINS};
    const struct sluice_stats_channel channel = {.width = frames->width,
                                                 .height = frames->height,
                                                 .dtype = frames->dtype,
                                                 .saturation = &saturation,
                                                 .without_centre = true};
    memset(match->bins, 0, sizeof(match->bins));
    return sluice_stats_payload(&channel, SLUICE_ENCODING_BSLZ4, match->subject->stock[frame],
                                &match->scratch, stats, &histogram);
}

/* Statistics and histogram of image 0 against those of its pixels. */
static enum sluice_status check(struct match *match, struct sluice_error *error)
{
    static const int64_t saturation = SATURATION;
    const struct sluice_frames *frames = &match->subject->frames;
    struct sluice_stats plain;
    uint64_t counted = 0;
    enum sluice_status status = compute(match, 0, &match->first);
    if (status == SLUICE_OK)
        status = sluice_stats_plane(sluice_frames_at(frames, 0), frames->width, frames->height,
                                    frames->dtype, NULL, &saturation, &plain);
    for (uint32_t i = 0; i < BINS; i++)
        counted += match->bins[i];
    if (status == SLUICE_OK &&
        (plain.min != match->first.min || plain.max != match->first.max ||
         plain.sum != match->first.sum || plain.zero != match->first.zero ||
         plain.saturated != match->first.saturated || plain.std != match->first.std ||
         match->bins[0] != plain.zero || counted != plain.valid))
        status = SLUICE_MISMATCH;
    if (status != SLUICE_OK)
        sluice_error_set(error, status, "statistics of %s images are not those of their pixels",
                         match->subject->name);
    return status;
}

static void play(struct match *match, uint32_t round)
{
    struct sluice_stats stats;
    const uint32_t images = SLUICE_SUBJECT_FRAMES * PASSES;
    const struct sluice_stopwatch begin = sluice_stopwatch_now();
    for (uint32_t i = 0; i < images; i++)
        compute(match, i % SLUICE_SUBJECT_FRAMES, &stats);
    const struct sluice_stopwatch took = sluice_stopwatch_since(begin);
    match->rate[round] = images / took.wall;
    match->cpu_ms[round] = took.cpu * 1e3 / images;
}

/* ---- Python ---- */

static double number_of(const char *text, const char *key)
{
    char pattern[64];
    snprintf(pattern, sizeof(pattern), "\"%s\":", key);
    const char *at = strstr(text, pattern);
    return at != NULL ? strtod(at + strlen(pattern), NULL) : NAN;
}

static bool agrees(const struct match *match, const char *text)
{
    const struct sluice_stats *stats = &match->first;
    return number_of(text, "images") == SLUICE_SUBJECT_FRAMES &&
           number_of(text, "first_min") == (double)stats->min &&
           number_of(text, "first_max") == (double)stats->max &&
           number_of(text, "first_sum") == (double)stats->sum &&
           number_of(text, "first_zero") == (double)stats->zero &&
           number_of(text, "first_saturated") == (double)stats->saturated;
}

/* Says why and stays away for the rest when it fails. */
static enum sluice_status play_python(struct match *match, uint32_t round,
                                      struct sluice_error *error)
{
    char text[TEXT_BYTES], saturation[24];
    struct sluice_process process = {0};
    struct sluice_process *const processes[] = {&process};
    struct sluice_arguments arguments = {0};
    snprintf(saturation, sizeof(saturation), "%d", SATURATION);
    const char *const list[] = {"python3",   "-B",    "-c",      sluice_peer_stats,
                                match->file, DATASET, saturation};
    for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
        sluice_arguments_add(&arguments, list[i]);
    enum sluice_status status =
        sluice_process_start(&process, match->settings->python, &arguments, error);
    if (status == SLUICE_OK)
        status = sluice_process_wait(processes, 1, TIMEOUT_NS, match->settings->stop);
    match->python_rate[round] = NAN;
    if (status == SLUICE_OK) {
        sluice_process_out(&process, text, sizeof(text));
        if (sluice_process_code(&process) == 0 && agrees(match, text)) {
            match->python_rate[round] = number_of(text, "images") / number_of(text, "seconds");
        } else {
            sluice_process_log(&process, text, 200);
            fprintf(match->settings->stream, "SKIPPED: h5py + numpy, %s: %s\n",
                    match->subject->name, text[0] != '\0' ? text : "its statistics are not ours");
            match->has_python = false;
        }
    }
    sluice_process_close(&process);
    return status == SLUICE_TIMEOUT ? sluice_error_set(error, status, "h5py + numpy did not end")
                                    : status;
}

/* ---- all ---- */

static void add_figures(const struct match *match, struct sluice_figures *figures)
{
    const uint32_t rounds = match->settings->repeat;
    const char *name = match->subject->name;
    double rates[ROUNDS_MAX], costs[ROUNDS_MAX], ratios[ROUNDS_MAX], python[ROUNDS_MAX];
    for (uint32_t r = 0; r < rounds; r++) {
        rates[r] = match->rate[r];
        costs[r] = match->cpu_ms[r];
        python[r] = match->python_rate[r];
        ratios[r] = match->rate[r] / match->python_rate[r];
    }
    const struct sluice_spread rate = sluice_spread_of(rates, rounds);
    const struct sluice_spread cost = sluice_spread_of(costs, rounds);
    const struct sluice_spread peer = sluice_spread_of(python, rounds);
    const struct sluice_spread ratio = sluice_spread_of(ratios, rounds);
    sluice_figures_add(figures, SLUICE_FIGURE_RATE, &rate,
                       "kernel/statistics/%s/sluice/images_per_s", name);
    sluice_figures_add(figures, SLUICE_FIGURE_COST, &cost,
                       "kernel/statistics/%s/sluice/cpu_ms_per_image", name);
    sluice_figures_add(figures, SLUICE_FIGURE_RATE, &peer,
                       "kernel/statistics/%s/python/images_per_s", name);
    sluice_figures_add(figures, SLUICE_FIGURE_RATE_RATIO, &ratio,
                       "kernel/statistics/%s/sluice/of_python", name);
}

static enum sluice_status run(struct match *match, struct sluice_error *error)
{
    enum sluice_status status = SLUICE_OK;
    match->has_python = match->settings->python != NULL;
    if (match->has_python) {
        snprintf(match->file, sizeof(match->file), "%s/statistics_%s.h5", match->settings->scratch,
                 match->subject->name);
        status = sluice_hdf5_save(match->file, DATASET, match->subject, error);
    }
    for (uint32_t r = 0; status == SLUICE_OK && r < match->settings->repeat; r++) {
        if (*match->settings->stop)
            status = SLUICE_AGAIN;
        else
            play(match, r);
        match->python_rate[r] = NAN;
        if (status == SLUICE_OK && match->has_python)
            status = play_python(match, r, error);
    }
    if (match->file[0] != '\0')
        unlink(match->file);
    return status;
}

enum sluice_status sluice_kernels_statistics(const struct sluice_kernel_settings *settings,
                                             struct sluice_figures *figures,
                                             struct sluice_error *error)
{
    static const enum sluice_dtype dtypes[] = {SLUICE_U16, SLUICE_U32};
    static struct match match;
    enum sluice_status status = SLUICE_OK;
    if (settings->python == NULL)
        fprintf(settings->stream, "SKIPPED: h5py + numpy: %s\n", settings->python_reason);
    for (size_t i = 0; status == SLUICE_OK && i < sizeof(dtypes) / sizeof(dtypes[0]); i++) {
        struct sluice_subject subject;
        match = (struct match){.settings = settings, .subject = &subject};
        status = sluice_subject_open(&subject, dtypes[i], settings, error);
        if (status != SLUICE_OK)
            break;
        status = check(&match, error);
        if (status == SLUICE_OK)
            status = run(&match, error);
        if (status == SLUICE_OK)
            add_figures(&match, figures);
        sluice_stats_scratch_close(&match.scratch);
        sluice_subject_close(&subject);
    }
    return status;
}
