/* SPDX-License-Identifier: Apache-2.0
 *
 * `sluice stats`: follow (checksum, decode) -> statistics -> lines, in one thread of a process of
 * its own (core/guard.h): HDF5 does not stand every damaged file.
 *
 * Rows come from the follower one by one; each plane is computed (stats_plane.h) and printed before
 * the next is read, in the same buffers, so that memory does not grow with the series. The
 * follower is asked in short slices, so that a signal is noticed within 0.2 s. */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/stats_options.h"
#include "cli/stats_plane.h"
#include "cli/stats_survey.h"
#include "cli/verbs.h"
#include "core/clock.h"
#include "core/guard.h"
#include "readers/follow/follow.h"
#include "readers/publish/publish.h"

#define SLICE_NS          (200 * SLUICE_NS_PER_MS)
#define TERMINAL_LINES_NS (100 * SLUICE_NS_PER_MS)
#define DRAIN_NS          (20 * SLUICE_NS_PER_MS)
#define STUCK_S           30u

static volatile sig_atomic_t interrupted, images_wanted;

static void on_signal(int number)
{
    if (number == SIGUSR1)
        images_wanted = 1;
    else
        interrupted = 1;
}

struct run {
    const struct sluice_stats_options *options;
    const struct sluice_clock *clock;
    struct sluice_follow *follow;
    uint32_t selected[SLUICE_PLANES_MAX]; /* channels of the follower, totals.channel_count */
    struct sluice_publish_totals totals;
    struct sluice_stats_surveys surveys;
    struct sluice_stats_planes planes;
    struct sluice_json json;
    bool terminal;             /* stdout is one: not every line is shown */
    int64_t line_ns;           /* of the last line on a terminal */
    int64_t first_ns, last_ns; /* the first row, the last processed one */
    bool gone;                 /* the reader of our output has gone */
    struct sluice_error error;
};

/* --- output -------------------------------------------------------------------------------- */

static void put(struct run *run, const char *line, size_t bytes)
{
    enum sluice_status status = sluice_publish_write_bytes(STDOUT_FILENO, line, bytes, &run->error);
    run->gone = run->gone || status != SLUICE_OK;
}

static void put_json(struct run *run)
{
    enum sluice_status status = sluice_publish_write(STDOUT_FILENO, &run->json, &run->error);
    run->gone = run->gone || status != SLUICE_OK;
    sluice_json_reset(&run->json);
}

static void show_survey(struct run *run, const struct sluice_survey *survey, bool of_series)
{
    char line[SLUICE_TABLE_LINE_BYTES];
    size_t bytes;
    for (uint32_t i = 0; !run->gone && sluice_table_survey(line, &bytes, survey, of_series, i); i++)
        put(run, line, bytes);
}

static void show_image(struct run *run, uint64_t image, uint32_t index,
                       const struct sluice_stats *stats, double latency_ms, int64_t now)
{
    const struct sluice_channel_totals *channel = &run->totals.channels[index];
    char line[SLUICE_TABLE_LINE_BYTES];
    if (run->options->json) {
        sluice_publish_image(&run->json, image, channel->name, stats, latency_ms, channel->survey);
        put_json(run);
    } else if (!run->terminal || now - run->line_ns >= TERMINAL_LINES_NS) {
        run->line_ns = now;
        put(run, line, sluice_table_image(line, image, channel->name, stats, latency_ms));
        if (channel->survey)
            show_survey(run, channel->survey, false);
    }
}

static void show_lost(struct run *run, const struct sluice_follow_row *row, const char *reason)
{
    char line[SLUICE_TABLE_LINE_BYTES];
    for (uint32_t i = 0; i < run->totals.channel_count; i++) {
        const char *channel = run->totals.channels[i].name;
        if (run->options->json) {
            sluice_publish_lost(&run->json, row->image, channel, reason);
            put_json(run);
        } else {
            put(run, line, sluice_table_status(line, row->image, channel, "lost", reason));
        }
    }
}

static void show_bad(struct run *run, uint64_t image, const char *channel, const char *reason)
{
    char line[SLUICE_TABLE_LINE_BYTES];
    if (run->options->json) {
        sluice_publish_bad(&run->json, image, channel, reason);
        put_json(run);
    } else {
        put(run, line, sluice_table_status(line, image, channel, "bad", reason));
    }
}

static void show_summary(struct run *run, const char *state)
{
    const struct sluice_publish_totals *totals = &run->totals;
    double seconds = (double)(run->last_ns - run->first_ns) / (double)SLUICE_NS_PER_S;
    char line[SLUICE_TABLE_LINE_BYTES];
    if (run->options->json) {
        sluice_publish_summary(&run->json, totals, state, run->options->shard_text, seconds);
        put_json(run);
        return;
    }
    put(run, line, sluice_table_summary(line, totals, state, run->options->shard_text, seconds));
    for (uint32_t i = 0; i < totals->channel_count; i++) {
        put(run, line, sluice_table_channel(line, &totals->channels[i]));
        if (totals->channels[i].survey)
            show_survey(run, totals->channels[i].survey, true);
    }
}

/* --- one image ----------------------------------------------------------------------------- */

/* NOT_FOUND: a file without image_id has a hole here. */
static enum sluice_status process_plane(struct run *run, const struct sluice_follow_row *row,
                                        uint32_t index)
{
    uint32_t channel = run->selected[index];
    const struct sluice_follow_channel *shape = sluice_follow_channel(run->follow, channel);
    struct sluice_error why = {0};
    struct sluice_stats stats;
    enum sluice_status status = sluice_stats_planes_compute(
        &run->planes, run->follow, row, channel,
        sluice_stats_surveys_begin(&run->surveys, index, row->image), &stats, &why);
    if (status == SLUICE_NOT_FOUND && index == 0)
        return status;
    if (status != SLUICE_OK) {
        run->totals.bad++;
        run->totals.channels[index].bad++;
        show_bad(run, row->image, shape->name, why.message);
        return status;
    }
    sluice_totals_add(&run->totals, index, &stats);
    sluice_stats_surveys_end(&run->surveys, index, row->image);
    double latency_ms = NAN;
    if (run->options->follow && row->arrival_real_ns > 0) {
        int64_t latency_ns = run->clock->real_ns(run->clock) - row->arrival_real_ns;
        latency_ms = (double)latency_ns / 1e6;
        if (index + 1 == run->totals.channel_count)
            sluice_histogram_record(&run->totals.latency, latency_ns);
    }
    show_image(run, row->image, index, &stats, latency_ms, sluice_now_ns(run->clock));
    return SLUICE_OK;
}

static void process_image(struct run *run, const struct sluice_follow_row *row)
{
    run->last_ns = sluice_now_ns(run->clock);
    for (uint32_t i = 0; i < run->totals.channel_count && !run->gone; i++) {
        if (process_plane(run, row, i) == SLUICE_NOT_FOUND && i == 0) {
            run->totals.lost++;
            show_lost(run, row, "it was never written");
            return;
        }
    }
    run->totals.images++;
    if (row->image + 1 > run->totals.newest_processed)
        run->totals.newest_processed = row->image + 1;
    run->last_ns = sluice_now_ns(run->clock);
}

/* Counts a row; true when its pixels are to be looked at. */
static bool wanted(struct run *run, const struct sluice_follow_row *row)
{
    const struct sluice_stats_options *options = run->options;
    bool sampled = row->image % options->every == 0;
    uint64_t turn = sampled ? row->image / options->every : row->image;
    if (turn % options->shards != options->shard - 1)
        return false; /* another process has it */
    if (row->status != SLUICE_ROW_WRITTEN) {
        run->totals.lost++;
        show_lost(run, row, row->status == SLUICE_ROW_REFUSED ? "refused by the writer" : NULL);
        return false;
    }
    if (!sampled)
        run->totals.skipped++;
    return sampled;
}

/* Puts the newest row that is there now in place of `row`; those between are skipped. */
static enum sluice_status skip_to_latest(struct run *run, struct sluice_follow_row *row)
{
    struct sluice_follow_row next;
    enum sluice_status status;
    int64_t end = sluice_now_ns(run->clock) + DRAIN_NS;
    while (sluice_now_ns(run->clock) < end &&
           (status = sluice_follow_next(run->follow, 0, &next, &run->error)) == SLUICE_OK) {
        if (!wanted(run, &next))
            continue;
        run->totals.skipped++;
        if (next.image > row->image)
            *row = next;
    }
    return SLUICE_OK;
}

/* --- the series ---------------------------------------------------------------------------- */

/* Gives rows to process_image until the end. Returns END, AGAIN (nothing more came) or a fault. */
static enum sluice_status process_series(struct run *run)
{
    const struct sluice_stats_options *options = run->options;
    int64_t timeout_ns = options->follow ? (int64_t)(options->timeout_s * 1e9) : 0;
    int64_t slice_ns = timeout_ns < SLICE_NS ? timeout_ns : SLICE_NS;
    int64_t grown_ns = sluice_now_ns(run->clock);
    struct sluice_follow_row row;
    while (!interrupted && !run->gone) {
        enum sluice_status status = sluice_follow_next(run->follow, slice_ns, &row, &run->error);
        int64_t now = sluice_now_ns(run->clock);
        sluice_guard_alive();
        if (images_wanted) {
            images_wanted = 0;
            sluice_stats_surveys_write(&run->surveys);
        }
        run->totals.newest_visible = sluice_follow_newest(run->follow);
        if (status == SLUICE_AGAIN && now - grown_ns < timeout_ns)
            continue;
        if (status != SLUICE_OK)
            return status;
        grown_ns = now;
        run->first_ns = run->first_ns ? run->first_ns : now;
        run->last_ns = now;
        if (!wanted(run, &row))
            continue;
        if (options->latest)
            skip_to_latest(run, &row);
        process_image(run, &row);
    }
    return SLUICE_OK;
}

/* Chooses the channels and makes room for the largest plane and for what is wanted of each. */
static int prepare(struct run *run)
{
    const struct sluice_stats_options *options = run->options;
    uint32_t count = sluice_follow_channel_count(run->follow);
    size_t plane_bytes = 0;
    for (uint32_t o = 0; o < options->channel_count; o++) {
        bool found = false;
        for (uint32_t i = 0; i < count; i++) {
            const struct sluice_follow_channel *c = sluice_follow_channel(run->follow, i);
            found = found || strcmp(options->channels[o], c->name) == 0 ||
                    strcmp(options->channels[o], c->dataset) == 0;
        }
        if (!found) {
            fprintf(stderr, "sluice stats: no channel %s; there are:", options->channels[o]);
            for (uint32_t i = 0; i < count; i++)
                fprintf(stderr, " %s", sluice_follow_channel(run->follow, i)->name);
            fputc('\n', stderr);
            return SLUICE_EXIT_USAGE;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct sluice_follow_channel *c = sluice_follow_channel(run->follow, i);
        bool chosen = options->channel_count == 0;
        for (uint32_t o = 0; o < options->channel_count; o++)
            chosen = chosen || strcmp(options->channels[o], c->name) == 0 ||
                     strcmp(options->channels[o], c->dataset) == 0;
        if (!chosen)
            continue;
        size_t bytes = (size_t)c->width * c->height * sluice_dtype_bytes(c->dtype);
        plane_bytes = bytes > plane_bytes ? bytes : plane_bytes;
        snprintf(run->totals.channels[run->totals.channel_count].name, SLUICE_NAME_BYTES, "%s",
                 c->name);
        run->selected[run->totals.channel_count++] = i;
    }
    if (!sluice_stats_planes_open(&run->planes, plane_bytes,
                                  options->pixels || options->survey.running)) {
        fprintf(stderr, "sluice stats: no memory for a plane of %zu bytes\n", plane_bytes);
        return SLUICE_EXIT_FAILED;
    }
    int code = sluice_stats_surveys_open(&run->surveys, options, run->follow, run->selected,
                                         run->totals.channel_count);
    for (uint32_t i = 0; i < run->surveys.count; i++)
        run->totals.channels[i].survey = run->surveys.surveys[i];
    return code;
}

/* Other writers' files say less: what is not checked or known is said once. */
static void say_lacks(struct run *run)
{
    unsigned lacks = sluice_follow_lacks(run->follow);
    run->totals.lacks = lacks;
    if (lacks & SLUICE_LACK_IMAGE_ID)
        fputs("sluice stats: no image_id column: every row is taken as an image, in order\n",
              stderr);
    if (lacks & SLUICE_LACK_CHECKSUM)
        fputs("sluice stats: no checksum column: stored bytes are not checked\n", stderr);
    if (lacks & SLUICE_LACK_MASK)
        fputs("sluice stats: no pixel mask: only pixels that hold the no-data value are invalid\n",
              stderr);
}

/* Says how it ended; returns the exit code. */
static int conclude(struct run *run, enum sluice_status status)
{
    const struct sluice_stats_options *options = run->options;
    bool finished = sluice_follow_finished(run->follow);
    const char *state = finished ? "complete" : "growing";
    int code = run->totals.bad ? SLUICE_EXIT_FAILED : SLUICE_EXIT_OK;
    if (status == SLUICE_OK) {
        state = "interrupted";
    } else if (status == SLUICE_END) {
        state = finished ? "complete" : "failed";
    } else if (status == SLUICE_AGAIN && options->follow) {
        state = "stalled";
        code = SLUICE_EXIT_FAILED;
        fprintf(stderr,
                "sluice stats: nothing new for %g s and the series has not ended: its writer has "
                "died or is stuck. What is visible was processed; the files stay readable with "
                "SWMR read.\n",
                options->timeout_s);
    } else if (status != SLUICE_AGAIN) {
        state = "error";
        code = SLUICE_EXIT_FAILED;
    }
    if (!sluice_stats_surveys_write(&run->surveys))
        code = SLUICE_EXIT_FAILED;
    if (!run->gone)
        show_summary(run, state);
    if (run->error.status != SLUICE_OK) {
        fprintf(stderr, "sluice stats: %s\n", run->error.message);
        code = SLUICE_EXIT_FAILED;
    }
    return code;
}

static int run_stats(void *context)
{
    const struct sluice_stats_options *options = context;
    int code;
    struct run *run = calloc(1, sizeof(*run));
    if (!run) {
        fputs("sluice stats: no memory\n", stderr);
        return SLUICE_EXIT_FAILED;
    }
    run->options = options;
    run->clock = sluice_clock_system();
    run->terminal = isatty(STDOUT_FILENO) != 0;
    if (sluice_follow_open(options->path, (int64_t)(options->wait_s * 1e9), &interrupted,
                           &run->follow, &run->error) != SLUICE_OK) {
        fprintf(stderr, "sluice stats: %s\n", run->error.message);
        code = SLUICE_EXIT_FAILED;
    } else {
        code = prepare(run);
    }
    if (code == SLUICE_EXIT_OK) {
        say_lacks(run);
        char line[SLUICE_TABLE_LINE_BYTES];
        if (!options->json)
            put(run, line, sluice_table_header(line));
        code = conclude(run, process_series(run));
    }
    sluice_stats_surveys_close(&run->surveys);
    sluice_follow_close(run->follow);
    sluice_json_close(&run->json);
    sluice_stats_planes_close(&run->planes);
    free(run);
    return code;
}

int sluice_verb_stats(int argc, char **argv)
{
    struct sluice_stats_options options;
    struct sluice_guard_result end;
    struct sluice_error error = {0};
    int code = sluice_stats_options_parse(argc, argv, &options);
    if (code >= 0)
        return code;
    const struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    if (options.images_path) { /* else it ends us, as it does others */
        const struct sigaction restart = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
        sigaction(SIGUSR1, &restart, NULL);
    }
    signal(SIGPIPE, SIG_IGN);
    if (sluice_guard_run(run_stats, &options, STUCK_S, &end, &error) != SLUICE_OK) {
        fprintf(stderr, "sluice stats: %s\n", error.message);
        return SLUICE_EXIT_FAILED;
    }
    if (end.code >= 0)
        return end.code;
    fprintf(stderr, "sluice stats: %s: %s: metadata of the set are damaged; opened last: %s\n",
            options.path, end.why, end.file[0] ? end.file : "nothing");
    return SLUICE_EXIT_FAILED;
}
