/* SPDX-License-Identifier: Apache-2.0
 *
 * `sluice bench`: bench/pipeline from the command line. The program starts itself as sender
 * (`simulate`), as receiver (`ingest`), as each floor and as the live reader (`bench --receive`),
 * so that everything that is compared comes from one build. stdout gets the table (or the JSON with
 * --json -, and then the table goes to stderr); stderr tells how far it is. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "bench/figures/compare.h"
#include "bench/figures/targets.h"
#include "bench/pipeline/disk.h"
#include "bench/pipeline/floor.h"
#include "bench/pipeline/reader.h"
#include "bench/pipeline/report.h"
#include "cli/bench_options.h"
#include "cli/bench_targets.h"
#include "cli/signals.h"
#include "cli/verbs.h"

#define PROGRAM "/proc/self/exe"

static volatile sig_atomic_t stop;
static FILE *table;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

static int failed(const struct sluice_error *error)
{
    fprintf(stderr, "sluice bench: %s\n", error->message);
    return SLUICE_EXIT_FAILED;
}

/* ---- as a child of its own ---- */

static int receive(const struct sluice_bench_options *options)
{
    const struct sluice_floor_settings settings = {
        .endpoint = options->endpoint,
        .file = options->file,
        .images = options->bench.images,
    };
    struct sluice_floor_report report;
    struct sluice_error error = {0};
    if (sluice_floor_run(&settings, &report, &error) != SLUICE_OK)
        return failed(&error);
    printf("{\"messages\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"seconds\":%.9f}\n", report.messages,
           report.bytes, report.seconds);
    return fflush(stdout) == 0 ? SLUICE_EXIT_OK : SLUICE_EXIT_FAILED;
}

/* Its exit status tells a disk that cannot be written that way from one that failed. */
static int write_disk(const struct sluice_bench_options *options)
{
    uint64_t written = 0;
    double seconds = 0;
    struct sluice_error error = {0};
    const enum sluice_status status =
        sluice_disk_run(options->file, options->bench.images << 20, &written, &seconds, &error);
    if (status != SLUICE_OK) {
        failed(&error);
        return status == SLUICE_UNSUPPORTED ? SLUICE_EXIT_USAGE : SLUICE_EXIT_FAILED;
    }
    printf("{\"bytes\":%" PRIu64 ",\"seconds\":%.9f}\n", written, seconds);
    return fflush(stdout) == 0 ? SLUICE_EXIT_OK : SLUICE_EXIT_FAILED;
}

static int read_files(const struct sluice_bench_options *options)
{
    const struct sluice_bench_reader_settings settings = {.path = options->endpoint,
                                                          .file = options->file};
    struct sluice_bench_reader_report report;
    struct sluice_error error = {0};
    if (sluice_bench_read(&settings, &report, &error) != SLUICE_OK)
        return failed(&error);
    printf("{\"images\":%" PRIu64 ",\"cpu_seconds\":%.9f}\n", report.images, report.cpu_seconds);
    return fflush(stdout) == 0 ? SLUICE_EXIT_OK : SLUICE_EXIT_FAILED;
}

static int be_a_child(const struct sluice_bench_options *options)
{
    if (strcmp(options->receive, "disk") == 0)
        return write_disk(options);
    return strcmp(options->receive, "files") == 0 ? read_files(options) : receive(options);
}

/* ---- the measurement ---- */

static bool write_json(const struct sluice_bench_options *options,
                       const struct sluice_bench_results *results, struct sluice_figures *figures)
{
    struct sluice_json json = {0};
    const char *path = options->json;
    FILE *stream = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
    sluice_targets_mark(figures);
    sluice_json_object_begin(&json);
    sluice_json_put_text(&json, "benchmark", "sluice bench");
    sluice_bench_json_head(results, &json);
    if (options->targets)
        sluice_targets_json(figures, &json);
    sluice_figures_json(figures, &json);
    sluice_bench_json_cases(results, &json);
    sluice_json_object_end(&json);
    bool good = stream != NULL && !json.failed && !figures->failed &&
                fprintf(stream, "%s\n", json.text) > 0;
    if (stream != NULL && stream != stdout)
        good = fclose(stream) == 0 && good;
    else if (stream != NULL)
        good = fflush(stream) == 0 && good;
    if (!good)
        fprintf(stderr, "sluice bench: --json %s: %s\n", path, strerror(errno));
    sluice_json_close(&json);
    return good;
}

static void on_case(const struct sluice_bench_case *result)
{
    sluice_bench_print_case(table, result);
}

static void print_start(const struct sluice_bench_settings *settings)
{
    struct sluice_machine machine;
    sluice_machine_look(&machine);
    sluice_bench_print_head(table, &machine);
    if (settings->python == NULL)
        fprintf(table, "SKIPPED: python peer: %s\n", settings->python_reason);
    fflush(table);
}

/* Kernels first: they want a machine that nothing has heated or filled. */
static enum sluice_status measure_all(const struct sluice_bench_options *options,
                                      struct sluice_bench_results *results,
                                      struct sluice_figures *figures, struct sluice_error *error)
{
    enum sluice_status status = sluice_bench_open(&options->bench, results, error);
    if (status == SLUICE_OK && (options->kernels || options->targets))
        status = sluice_bench_kernels(options, results, figures, table, error);
    if (status == SLUICE_OK && options->targets)
        status = sluice_bench_target_cases(results, on_case, error);
    else if (status == SLUICE_OK && !options->kernels)
        status = sluice_bench_run(results, on_case, error);
    sluice_bench_figures(results, figures);
    if (options->targets) {
        sluice_bench_print_memory(table, results);
        sluice_targets_print(table, figures);
    }
    return status;
}

static int measure(const struct sluice_bench_options *options)
{
    struct sluice_bench_results results;
    struct sluice_figures figures = {0};
    struct sluice_error error = {0};
    sluice_catch_ends(on_signal);
    table = options->json != NULL && strcmp(options->json, "-") == 0 ? stderr : stdout;
    print_start(&options->bench);
    const enum sluice_status status = measure_all(options, &results, &figures, &error);
    int code = results.all_valid ? SLUICE_EXIT_OK : SLUICE_EXIT_LOSSES;
    if (status != SLUICE_OK) {
        fprintf(stderr, "sluice bench: %s\n",
                status == SLUICE_AGAIN ? "stopped by a signal" : error.message);
        code = SLUICE_EXIT_FAILED;
    }
    if (options->json != NULL && !write_json(options, &results, &figures))
        code = SLUICE_EXIT_FAILED;
    sluice_figures_close(&figures);
    sluice_bench_results_close(&results);
    return code;
}

static int compare(const struct sluice_bench_options *options)
{
    struct sluice_comparison comparison;
    struct sluice_error error = {0};
    if (sluice_compare(options->before, options->after, options->all, stdout, &comparison,
                       &error) != SLUICE_OK) {
        fprintf(stderr, "sluice bench: %s\n", error.message);
        return SLUICE_EXIT_USAGE;
    }
    return comparison.worse == 0 && fflush(stdout) == 0 ? SLUICE_EXIT_OK : SLUICE_EXIT_FAILED;
}

int sluice_verb_bench(int argc, char **argv)
{
    struct sluice_bench_options options = {
        .bench = {.program = PROGRAM, .burst = true, .paced = true, .stop = &stop},
    };
    const int code = sluice_bench_options_read(&options, argc, argv);
    if (code >= 0)
        return code;
    if (options.before != NULL)
        return compare(&options);
    return options.receive != NULL ? be_a_child(&options) : measure(&options);
}
