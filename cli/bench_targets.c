/* SPDX-License-Identifier: Apache-2.0
 *
 * One list of cases with just the receivers that some row of the table needs, so that all rows take
 * about twelve minutes with five rounds, seven with three. */
#include "cli/bench_targets.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench/data/frames.h"
#include "bench/kernels/kernels.h"

#define KERNEL_ROUNDS  7
#define WATCHED_ROUNDS 3
#define PACED_SECONDS  4
#define MEMORY_LEFT    (UINT64_C(4) << 30) /* for programs and the disk's pages */
#define FEWEST         4                   /* a part of the images that still is a case */

static const struct target_case {
    const char *set;
    double rate_hz;
    uint64_t images;
    const char *receivers; /* letters: Drop, pWrite, dIsk, Sluice, Live, Python */
    bool watched;          /* first and last tenth; three rounds at most, for they are long */
} target_cases[] = {
    {"r500k3", 0, 5000, "DWISP", false}, {"e16m", 0, 1000, "DWISP", false},
    {"s256", 0, 50000, "DWISP", false},  {"e16m-raw", 0, 48, "DISP", false},
    {"r500k1", 1000, 0, "DSLP", false},  {"64x64", 0, 60000, "DWISP", false},
    {"long", 0, 1000000, "S", true},
};

/* In memory, for what a disk hides; no row of the table. Few images: they lie in memory. */
static const struct target_case memory_cases[] = {
    {"r500k3", 0, 3000, "DWS", false},
    {"e16m", 0, 250, "DWS", false},
    {"s256", 0, 40000, "DWS", false},
};

static void plan_receivers(const struct sluice_bench_settings *settings, const char *letters,
                           bool receivers[SLUICE_RECEIVER_COUNT])
{
    receivers[SLUICE_RECEIVER_DROP] = strchr(letters, 'D') != NULL;
    receivers[SLUICE_RECEIVER_PWRITE] = strchr(letters, 'W') != NULL;
    receivers[SLUICE_RECEIVER_DISK] = strchr(letters, 'I') != NULL;
    receivers[SLUICE_RECEIVER_INGEST] = strchr(letters, 'S') != NULL;
    receivers[SLUICE_RECEIVER_LIVE] = strchr(letters, 'L') != NULL;
    receivers[SLUICE_RECEIVER_OTHER] = settings->other != NULL;
    receivers[SLUICE_RECEIVER_PYTHON] = settings->python != NULL && strchr(letters, 'P') != NULL;
}

static struct sluice_bench_plan plan_case(const struct sluice_bench_settings *settings,
                                          const struct target_case *one, const char *directory)
{
    struct sluice_bench_plan plan = {
        .set = sluice_bench_set_find(one->set),
        .directory = directory,
        .rate_hz = one->rate_hz,
        .repeat =
            one->watched && settings->repeat > WATCHED_ROUNDS ? WATCHED_ROUNDS : settings->repeat,
        .watch = one->watched,
    };
    plan.images = sluice_bench_images(settings, plan.set, one->rate_hz, PACED_SECONDS);
    if (one->images != 0 && !settings->quick && settings->images == 0)
        plan.images = one->images;
    plan_receivers(settings, one->receivers, plan.receivers);
    return plan;
}

/* As many images as there is room for; false, with the reason, where that is too little. */
static bool fit_memory(struct sluice_bench_plan *plan, struct sluice_bench_case *skipped)
{
    char type[32];
    const char *directory = plan->directory;
    sluice_machine_file_system(directory, type, sizeof(type));
    *skipped = (struct sluice_bench_case){.plan = *plan, .has_skipped = true};
    if (access(directory, W_OK | X_OK) != 0 || !sluice_machine_is_memory(type)) {
        snprintf(skipped->skipped, sizeof(skipped->skipped),
                 "no file system in memory that can be written (--tmpfs DIR)");
        return false;
    }
    const uint64_t room = sluice_machine_memory_room(directory);
    const uint64_t fit = room > MEMORY_LEFT ? (room - MEMORY_LEFT) / plan->set->bytes_about : 0;
    if (fit < plan->images / FEWEST) {
        snprintf(skipped->skipped, sizeof(skipped->skipped),
                 "%.1f GB of memory are free there, %.1f are to be left", (double)room / 1e9,
                 (double)MEMORY_LEFT / 1e9);
        return false;
    }
    plan->images = fit < plan->images ? fit : plan->images;
    return true;
}

static enum sluice_status run_memory(struct sluice_bench_results *results,
                                     sluice_bench_on_case *on_case, struct sluice_error *error)
{
    enum sluice_status status = SLUICE_OK;
    for (size_t i = 0; status == SLUICE_OK && i < sizeof(memory_cases) / sizeof(memory_cases[0]);
         i++) {
        struct sluice_bench_case skipped;
        const struct sluice_bench_case *result = &skipped;
        struct sluice_bench_plan plan =
            plan_case(results->settings, &memory_cases[i], results->settings->memory);
        if (fit_memory(&plan, &skipped))
            status = sluice_bench_run_case(results, &plan, &result, error);
        if (status == SLUICE_OK)
            on_case(result);
    }
    return status;
}

enum sluice_status sluice_bench_target_cases(struct sluice_bench_results *results,
                                             sluice_bench_on_case *on_case,
                                             struct sluice_error *error)
{
    const struct sluice_bench_settings *settings = results->settings;
    const size_t count = sizeof(target_cases) / sizeof(target_cases[0]);
    for (size_t i = 0; i < settings->directory_count * count; i++) {
        const struct sluice_bench_case *result = NULL;
        const struct sluice_bench_plan plan =
            plan_case(settings, &target_cases[i % count], settings->directories[i / count]);
        const enum sluice_status status = sluice_bench_run_case(results, &plan, &result, error);
        if (status != SLUICE_OK)
            return status;
        on_case(result);
    }
    return run_memory(results, on_case, error);
}

static const struct {
    const char *name, *what;
    enum sluice_status (*run)(const struct sluice_kernel_settings *settings,
                              struct sluice_figures *figures, struct sluice_error *error);
} kernels[] = {{"codec", "bslz4", sluice_kernels_codec},
               {"statistics", "decoding with statistics", sluice_kernels_statistics},
               {"ring", "hand-over through rings", sluice_kernels_handover},
               {"record", "the record of an image", sluice_kernels_record}};
#define KERNEL_COUNT (sizeof(kernels) / sizeof(kernels[0]))

bool sluice_bench_has_kernel(const char *name)
{
    for (size_t i = 0; i < KERNEL_COUNT; i++)
        if (strcmp(kernels[i].name, name) == 0)
            return true;
    return false;
}

enum sluice_status sluice_bench_kernels(const struct sluice_bench_options *options,
                                        const struct sluice_bench_results *results,
                                        struct sluice_figures *figures, FILE *table,
                                        struct sluice_error *error)
{
    const struct sluice_bench_settings *bench = &options->bench;
    char counts[4096];
    const bool captured =
        !bench->made && sluice_shared_folder("data/jungfrau", counts, sizeof(counts));
    const struct sluice_kernel_settings settings = {
        .counts = captured ? counts : NULL,
        .codec_library = options->codec_library,
        .python = bench->python,
        .python_reason = bench->python_reason,
        .scratch = results->scratch.folder.files,
        .directory = bench->directories[0],
        .repeat = bench->quick                    ? 1
                  : bench->repeat > KERNEL_ROUNDS ? bench->repeat
                                                  : KERNEL_ROUNDS,
        .quick = bench->quick,
        .stop = bench->stop,
        .stream = table,
    };
    enum sluice_status status = SLUICE_OK;
    fprintf(table, "\nkernels (%s of %s), one core, %u rounds in turn; a ratio above 1: faster\n",
            bench->quick ? "1M images" : "16M images", captured ? "real counts" : "made counts",
            settings.repeat);
    for (size_t i = 0; status == SLUICE_OK && i < KERNEL_COUNT; i++) {
        const uint32_t first = figures->count;
        if (!options->targets && options->kernel != NULL &&
            strcmp(options->kernel, kernels[i].name) != 0)
            continue;
        sluice_bench_progress("kernels: %s", kernels[i].what);
        status = kernels[i].run(&settings, figures, error);
        sluice_figures_print(table, figures, first);
    }
    return status;
}
