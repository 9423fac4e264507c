/* SPDX-License-Identifier: Apache-2.0
 *
 * Plans the cases and runs their rounds. Within a round the receivers take turns in being first, so
 * that none of them always finds what another has left behind. */
#include "bench/pipeline/pipeline.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PACED_SECONDS 5 /* of a paced round, unless the set has fewer images */
#define QUICK_SECONDS 0.2

static uint64_t choose_images(const struct sluice_bench_settings *settings,
                              const struct sluice_bench_set *set, double rate_hz)
{
    uint64_t images = settings->images;
    if (images == 0) {
        images = settings->quick ? set->quick_images : set->images;
    }
    if (rate_hz > 0 && settings->images == 0) {
        const double paced = rate_hz * (settings->quick ? QUICK_SECONDS : PACED_SECONDS);
        images = paced < 1 ? 1 : paced < (double)images ? (uint64_t)paced : images;
    }
    return images;
}

static void plan_case(const struct sluice_bench_settings *settings, const char *directory,
                      const struct sluice_bench_set *set, double rate_hz,
                      struct sluice_bench_case *out)
{
    *out = (struct sluice_bench_case){
        .set = set,
        .directory = directory,
        .rate_hz = rate_hz,
        .images = choose_images(settings, set, rate_hz),
        .receiver_count =
            settings->other != NULL ? SLUICE_RECEIVER_COUNT : SLUICE_RECEIVER_COUNT - 1,
    };
    if (settings->replay != NULL && set->captured != NULL) {
        snprintf(out->replay, sizeof(out->replay), "%s", settings->replay);
    } else if (settings->made ||
               !sluice_bench_set_captured(set, out->replay, sizeof(out->replay))) {
        out->replay[0] = '\0';
    }
    sluice_machine_file_system(directory, out->file_system, sizeof(out->file_system));
}

static enum sluice_status run_rounds(const struct sluice_bench_settings *settings,
                                     const char *directory, struct sluice_bench_case *result,
                                     bool *all_valid, struct sluice_error *error)
{
    struct sluice_round_settings round = {
        .program = settings->program,
        .other = settings->other,
        .set = result->set,
        .replay = result->replay[0] != '\0' ? result->replay : NULL,
        .directory = directory,
        .images = result->images,
        .rate_hz = result->rate_hz,
        .ingest_key_count = settings->ingest_key_count,
        .stop = settings->stop,
    };
    memcpy(round.ingest_keys, settings->ingest_keys, sizeof(round.ingest_keys));
    const uint32_t receivers = result->receiver_count;
    for (uint32_t r = 0; r < settings->repeat; r++) {
        struct sluice_round *row = &result->rounds[(size_t)r * receivers];
        for (uint32_t i = 0; i < receivers; i++) {
            const enum sluice_receiver receiver = (enum sluice_receiver)((r + i) % receivers);
            const enum sluice_status status =
                sluice_round_run(&round, receiver, &row[receiver], error);
            if (status != SLUICE_OK) {
                return status;
            }
            *all_valid = *all_valid && (row[receiver].valid || row[receiver].skipped);
        }
        result->round_count++;
    }
    return SLUICE_OK;
}

/* In a directory of its own below the one given. */
static enum sluice_status run_case(const struct sluice_bench_settings *settings,
                                   struct sluice_bench_case *result, bool *all_valid,
                                   struct sluice_error *error)
{
    char directory[4096];
    const int length =
        snprintf(directory, sizeof(directory), "%s/sluice-bench-XXXXXX", result->directory);
    result->rounds =
        calloc((size_t)settings->repeat * result->receiver_count, sizeof(*result->rounds));
    if (result->rounds == NULL) {
        return sluice_error_set(error, SLUICE_NO_MEMORY, "no memory for the rounds");
    }
    if ((size_t)length >= sizeof(directory) || mkdtemp(directory) == NULL) {
        return sluice_error_errno(error, SLUICE_IO, errno, "cannot make a directory in %s",
                                  result->directory);
    }
    const enum sluice_status status = run_rounds(settings, directory, result, all_valid, error);
    sluice_round_remove(directory, true);
    return status;
}

enum sluice_status sluice_bench_run(const struct sluice_bench_settings *settings,
                                    sluice_bench_on_case *on_case,
                                    struct sluice_bench_results *results,
                                    struct sluice_error *error)
{
    const uint32_t modes = (uint32_t)settings->burst + settings->paced;
    *results = (struct sluice_bench_results){.settings = settings, .all_valid = true};
    sluice_machine_look(&results->machine);
    results->cases = calloc((size_t)settings->directory_count * settings->set_count * modes,
                            sizeof(*results->cases));
    if (results->cases == NULL) {
        return sluice_error_set(error, SLUICE_NO_MEMORY, "no memory for the results");
    }
    for (uint32_t d = 0; d < settings->directory_count; d++) {
        for (uint32_t i = 0; i < settings->set_count * modes; i++) {
            const bool burst = settings->burst && i % modes == 0;
            struct sluice_bench_case *result = &results->cases[results->case_count++];
            plan_case(settings, settings->directories[d], settings->sets[i / modes],
                      burst ? 0 : settings->rate_hz, result);
            const enum sluice_status status =
                run_case(settings, result, &results->all_valid, error);
            if (status != SLUICE_OK) {
                return status;
            }
            on_case(result);
        }
    }
    return SLUICE_OK;
}

void sluice_bench_results_close(struct sluice_bench_results *results)
{
    for (uint32_t i = 0; i < results->case_count; i++) {
        free(results->cases[i].rounds);
    }
    free(results->cases);
    *results = (struct sluice_bench_results){0};
}
