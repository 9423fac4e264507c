/* SPDX-License-Identifier: Apache-2.0
 *
 * Plans the cases and runs their rounds. Within a round the receivers take turns in being first, so
 * that none of them always finds what another has left behind. */
#include "bench/pipeline/pipeline.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/pipeline/measures.h"
#include "core/clock.h"

#define PACED_SECONDS  3 /* of a paced round, unless the set has fewer images */
#define QUICK_SECONDS  0.2
#define HIGHEST_SHARE  0.9 /* of the maximum: a rate above is not tried */
#define PYTHON_TIME_NS (30 * SLUICE_NS_PER_S)

void sluice_bench_progress(const char *format, ...)
{
    static int64_t begin_ns;
    char text[256];
    va_list arguments;
    const int64_t now_ns = sluice_now_ns(sluice_clock_system());
    begin_ns = begin_ns != 0 ? begin_ns : now_ns;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    fprintf(stderr, "[%4d s] %s\n", (int)((now_ns - begin_ns) / SLUICE_NS_PER_S), text);
}

bool sluice_bench_python_works(const char *python, char *reason, size_t bytes)
{
    static const char imports[] = "import cbor2, h5py, zmq, numpy, hdf5plugin";
    static const volatile sig_atomic_t never;
    struct sluice_process process = {0};
    struct sluice_process *const processes[] = {&process};
    struct sluice_arguments arguments = {0};
    struct sluice_error error = {0};
    const char *const list[] = {"python3", "-B", "-c", imports};
    for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
        sluice_arguments_add(&arguments, list[i]);
    reason[0] = '\0';
    if (access(python, X_OK) != 0)
        snprintf(reason, bytes, "%s: %s", python, strerror(errno));
    else if (sluice_process_start(&process, python, &arguments, &error) != SLUICE_OK)
        snprintf(reason, bytes, "%.200s", error.message);
    else if (sluice_process_wait(processes, 1, PYTHON_TIME_NS, &never) != SLUICE_OK)
        snprintf(reason, bytes, "%s does not answer", python);
    else if (sluice_process_code(&process) != 0)
        snprintf(reason, bytes, "%s cannot import cbor2, h5py, zmq, numpy and hdf5plugin", python);
    sluice_process_close(&process);
    return reason[0] == '\0';
}

uint64_t sluice_bench_images(const struct sluice_bench_settings *settings,
                             const struct sluice_bench_set *set, double rate_hz, double seconds)
{
    if (settings->images != 0)
        return settings->images;
    const uint64_t images = settings->quick ? set->quick_images : set->images;
    if (!(rate_hz > 0))
        return images;
    const double paced = rate_hz * (settings->quick ? QUICK_SECONDS : seconds);
    return paced < 1 ? 1 : paced < (double)images ? (uint64_t)paced : images;
}

void sluice_bench_receivers(const struct sluice_bench_settings *settings, bool paced,
                            bool receivers[SLUICE_RECEIVER_COUNT])
{
    receivers[SLUICE_RECEIVER_DROP] = receivers[SLUICE_RECEIVER_PWRITE] = true;
    receivers[SLUICE_RECEIVER_DISK] = !paced;
    receivers[SLUICE_RECEIVER_INGEST] = true;
    receivers[SLUICE_RECEIVER_LIVE] = paced || settings->reader;
    receivers[SLUICE_RECEIVER_OTHER] = settings->other != NULL;
    receivers[SLUICE_RECEIVER_PYTHON] = settings->python != NULL;
}

/* ---- messages, made once ---- */

/* In memory where that can be had, so that the disk that is measured does nothing else. */
static enum sluice_status make_scratch(struct sluice_bench_scratch *scratch,
                                       struct sluice_error *error)
{
    const char *const places[] = {getenv("TMPDIR"), "/dev/shm", "/tmp"};
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        if (places[i] == NULL || access(places[i], W_OK | X_OK) != 0)
            continue;
        sluice_bench_folder_sweep(places[i], stderr);
        if (sluice_bench_folder_make(&scratch->folder, places[i], error) == SLUICE_OK)
            return SLUICE_OK;
    }
    return sluice_error_set(error, SLUICE_IO,
                            "no directory for messages: tried $TMPDIR, /dev/shm and /tmp");
}

static enum sluice_status folder_of(struct sluice_bench_results *results,
                                    const struct sluice_bench_set *set,
                                    const struct sluice_set_folder **folder,
                                    struct sluice_error *error)
{
    struct sluice_bench_scratch *scratch = &results->scratch;
    for (uint32_t i = 0; i < scratch->count; i++) {
        if (scratch->sets[i] == set) {
            *folder = &scratch->folders[i];
            return SLUICE_OK;
        }
    }
    const struct sluice_bench_settings *settings = results->settings;
    const struct sluice_set_wish wish = {settings->replay, settings->made, settings->quick};
    sluice_bench_progress("%s: making its messages", set->name);
    const enum sluice_status status = sluice_bench_set_prepare(
        set, scratch->folder.files, &wish, &scratch->folders[scratch->count], error);
    if (status != SLUICE_OK)
        return status;
    *folder = &scratch->folders[scratch->count];
    scratch->sets[scratch->count++] = set;
    return SLUICE_OK;
}

/* ---- one case ---- */

static const char *mode_text(const struct sluice_bench_plan *plan, char *text, size_t bytes)
{
    if (plan->rate_hz > 0)
        snprintf(text, bytes, "%.0f Hz", plan->rate_hz);
    else
        snprintf(text, bytes, "burst");
    return text;
}

/* What ingest is judged by was measured on the same machine as ingest. */
bool sluice_bench_row_counts(const struct sluice_bench_plan *plan, const struct sluice_round *row)
{
    const bool by_python = plan->rate_hz > 0 && plan->receivers[SLUICE_RECEIVER_PYTHON];
    const enum sluice_receiver other = by_python ? SLUICE_RECEIVER_PYTHON : SLUICE_RECEIVER_DROP;
    const struct sluice_round *ingest = &row[SLUICE_RECEIVER_INGEST];
    return sluice_round_comparable(ingest, plan->receivers[other] ? &row[other] : ingest);
}

/* Rows that come on top for those that do not count, at most. */
static uint32_t spare_rows(const struct sluice_bench_results *results, uint32_t repeat)
{
    return results->settings->quick ? 0 : (repeat + 2) / 3;
}

/* Ingest beside what it is most held against. */
static const enum sluice_receiver order[SLUICE_RECEIVER_COUNT] = {
    SLUICE_RECEIVER_DISK, SLUICE_RECEIVER_PWRITE, SLUICE_RECEIVER_DROP,  SLUICE_RECEIVER_INGEST,
    SLUICE_RECEIVER_LIVE, SLUICE_RECEIVER_OTHER,  SLUICE_RECEIVER_PYTHON};

/* Rows on top have only what ingest is judged by. */
static bool is_judged_by(const struct sluice_bench_plan *plan, enum sluice_receiver receiver)
{
    return receiver != SLUICE_RECEIVER_PWRITE &&
           (receiver != SLUICE_RECEIVER_PYTHON || plan->rate_hz > 0);
}

static void leave_out(struct sluice_round *round, enum sluice_receiver receiver)
{
    *round = (struct sluice_round){.receiver = receiver,
                                   .skipped = true,
                                   .way_ns_before = NAN,
                                   .way_ns_after = NAN,
                                   .steal_percent = NAN};
    snprintf(round->reason, sizeof(round->reason), "it was made for what ingest is judged by");
}

static enum sluice_status run_rounds(struct sluice_bench_results *results,
                                     const struct sluice_round_settings *round,
                                     struct sluice_bench_case *result, struct sluice_error *error)
{
    char mode[32];
    const struct sluice_bench_plan *plan = &result->plan;
    uint32_t rows = plan->repeat, spare = spare_rows(results, plan->repeat);
    for (uint32_t r = 0; r < rows; r++) {
        struct sluice_round *row = &result->rounds[(size_t)r * SLUICE_RECEIVER_COUNT];
        for (uint32_t i = 0; i < SLUICE_RECEIVER_COUNT; i++) {
            const enum sluice_receiver receiver = order[(r + i) % SLUICE_RECEIVER_COUNT];
            if (!plan->receivers[receiver])
                continue;
            if (r >= plan->repeat && !is_judged_by(plan, receiver)) {
                leave_out(&row[receiver], receiver);
                continue;
            }
            sluice_bench_progress("%s, %s, %s: round %u of %u: %s", plan->set->name,
                                  mode_text(plan, mode, sizeof(mode)), plan->directory, r + 1, rows,
                                  sluice_receiver_name(receiver));
            const enum sluice_status status =
                sluice_round_run(round, receiver, &row[receiver], error);
            if (status != SLUICE_OK)
                return status;
            if (receiver != SLUICE_RECEIVER_PYTHON)
                results->all_valid &= row[receiver].valid || row[receiver].skipped;
        }
        result->round_count++;
        if (!sluice_bench_row_counts(plan, row) && spare > 0) {
            sluice_bench_progress("the host moved processors: a round more");
            rows++;
            spare--;
        }
    }
    return SLUICE_OK;
}

/* In a directory of its own below the one given. */
static enum sluice_status run_in_directory(struct sluice_bench_results *results,
                                           const struct sluice_set_folder *folder,
                                           struct sluice_bench_case *result,
                                           struct sluice_error *error)
{
    const struct sluice_bench_settings *settings = results->settings;
    struct sluice_bench_folder place;
    enum sluice_status status = sluice_bench_folder_make(&place, result->plan.directory, error);
    if (status != SLUICE_OK)
        return status;
    struct sluice_round_settings round = {
        .program = settings->program,
        .other = settings->other,
        .python = settings->python,
        .set = result->plan.set,
        .replay = folder->path,
        .directory = place.files,
        .scratch = results->scratch.folder.files,
        .images = result->plan.images,
        .rate_hz = result->plan.rate_hz,
        .watch = result->plan.watch,
        .quick = settings->quick,
        .ingest_key_count = settings->ingest_key_count,
        .stop = settings->stop,
    };
    memcpy(round.ingest_keys, settings->ingest_keys, sizeof(round.ingest_keys));
    status = run_rounds(results, &round, result, error);
    sluice_bench_folder_remove(&place);
    return status;
}

enum sluice_status sluice_bench_run_case(struct sluice_bench_results *results,
                                         const struct sluice_bench_plan *plan,
                                         const struct sluice_bench_case **out,
                                         struct sluice_error *error)
{
    const struct sluice_set_folder *folder = NULL;
    enum sluice_status status = folder_of(results, plan->set, &folder, error);
    if (status != SLUICE_OK)
        return status;
    if (results->case_count == SLUICE_BENCH_CASES_MAX)
        return sluice_error_set(error, SLUICE_LIMIT, "more than %d cases", SLUICE_BENCH_CASES_MAX);
    struct sluice_bench_case *result = &results->cases[results->case_count++];
    *result = (struct sluice_bench_case){.plan = *plan, .is_captured = folder->is_captured};
    sluice_machine_file_system(plan->directory, result->file_system, sizeof(result->file_system));
    const size_t rows = plan->repeat + spare_rows(results, plan->repeat);
    result->rounds = calloc(rows * SLUICE_RECEIVER_COUNT, sizeof(*result->rounds));
    *out = result;
    if (result->rounds == NULL)
        return sluice_error_set(error, SLUICE_NO_MEMORY, "no memory for the rounds");
    return run_in_directory(results, folder, result, error);
}

/* ---- all of them ---- */

/* A rate that the maximum does not reach is no case. */
static bool plan_rate(const struct sluice_bench_settings *settings, double rate, double maximum,
                      struct sluice_bench_plan *plan, struct sluice_bench_case *skipped)
{
    plan->share = rate < 0 ? -rate : 0;
    plan->rate_hz = rate < 0 ? -rate * maximum : rate;
    sluice_bench_receivers(settings, true, plan->receivers);
    plan->images = sluice_bench_images(settings, plan->set, plan->rate_hz, PACED_SECONDS);
    *skipped = (struct sluice_bench_case){.plan = *plan, .has_skipped = true};
    if (rate < 0 && !(maximum > 0)) {
        snprintf(skipped->skipped, sizeof(skipped->skipped),
                 "%.0f %% of the maximum: there was no burst to know it from", -rate * 100);
        return false;
    }
    if (rate > 0 && maximum > 0 && rate > maximum * HIGHEST_SHARE && !settings->quick) {
        snprintf(skipped->skipped, sizeof(skipped->skipped),
                 "%.0f Hz is more than %.0f %% of what ingest takes in a burst (%.0f/s)", rate,
                 HIGHEST_SHARE * 100, maximum);
        return false;
    }
    return true;
}

static enum sluice_status run_set(struct sluice_bench_results *results, const char *directory,
                                  const struct sluice_bench_set *set, sluice_bench_on_case *on_case,
                                  struct sluice_error *error)
{
    const struct sluice_bench_settings *settings = results->settings;
    const struct sluice_bench_case *result = NULL;
    struct sluice_bench_plan plan = {
        .set = set, .directory = directory, .repeat = settings->repeat};
    enum sluice_status status = SLUICE_OK;
    double maximum = 0;
    if (settings->burst) {
        sluice_bench_receivers(settings, false, plan.receivers);
        plan.images = sluice_bench_images(settings, set, 0, 0);
        plan.watch = strcmp(set->name, "long") == 0;
        status = sluice_bench_run_case(results, &plan, &result, error);
        if (status != SLUICE_OK)
            return status;
        maximum =
            sluice_bench_spread(result, SLUICE_RECEIVER_INGEST, SLUICE_MEASURE_IMAGES_PER_S).median;
        on_case(result);
    }
    plan.watch = false;
    for (uint32_t i = 0; settings->paced && i < settings->rate_count; i++) {
        struct sluice_bench_case skipped;
        if (!plan_rate(settings, settings->rates[i], maximum, &plan, &skipped)) {
            on_case(&skipped);
            continue;
        }
        status = sluice_bench_run_case(results, &plan, &result, error);
        if (status != SLUICE_OK)
            return status;
        on_case(result);
    }
    return SLUICE_OK;
}

enum sluice_status sluice_bench_open(const struct sluice_bench_settings *settings,
                                     struct sluice_bench_results *results,
                                     struct sluice_error *error)
{
    *results = (struct sluice_bench_results){.settings = settings, .all_valid = true};
    sluice_machine_look(&results->machine);
    for (uint32_t d = 0; d < settings->directory_count; d++)
        sluice_bench_folder_sweep(settings->directories[d], stderr);
    sluice_bench_folder_sweep(settings->memory, stderr);
    results->cases = calloc(SLUICE_BENCH_CASES_MAX, sizeof(*results->cases));
    if (results->cases == NULL)
        return sluice_error_set(error, SLUICE_NO_MEMORY, "no memory for the results");
    return make_scratch(&results->scratch, error);
}

enum sluice_status sluice_bench_run(struct sluice_bench_results *results,
                                    sluice_bench_on_case *on_case, struct sluice_error *error)
{
    const struct sluice_bench_settings *settings = results->settings;
    enum sluice_status status = SLUICE_OK;
    for (uint32_t d = 0; d < settings->directory_count; d++)
        for (uint32_t i = 0; status == SLUICE_OK && i < settings->set_count; i++)
            status = run_set(results, settings->directories[d], settings->sets[i], on_case, error);
    return status;
}

void sluice_bench_results_close(struct sluice_bench_results *results)
{
    for (uint32_t i = 0; i < results->case_count; i++)
        free(results->cases[i].rounds);
    free(results->cases);
    sluice_bench_folder_remove(&results->scratch.folder);
    *results = (struct sluice_bench_results){0};
}
