/* SPDX-License-Identifier: Apache-2.0
 *
 * `sluice simulate`: turns the options into the settings of bench/detector and runs it. stdout gets
 * the report line and nothing else; what happens meanwhile goes to stderr. */
#include <signal.h>
#include <stdio.h>

#include "bench/detector/simulate.h"
#include "bench/detector/verbatim.h"
#include "bench/detector/wire.h"
#include "cli/simulate_options.h"
#include "cli/verbs.h"
#include "core/clock.h"
#include "core/log.h"

#define BUFFER_BYTES         ((size_t)16 << 20)  /* small enough to stay in a shared cache */
#define FRAME_TIME_S         0.001               /* of a made series without --rate */
#define SCAN_BYTES_MAX       ((uint64_t)1 << 30) /* of a scan's frames, as pixels */
#define ARRAY_SERIES_PAUSE_S 3 /* a receiver tells acquisitions apart by silence */

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    (void)number;
    if (stop < 2)
        stop = stop + 1;
}

static void print_list(void)
{
    printf("%-15s %6s %6s  %7s  %s\n", "name", "height", "width", "modules", "detector");
    const struct sluice_model *model;
    for (uint32_t i = 0; (model = sluice_model_at(i)) != NULL; i++)
        printf("%-15s %6u %6u  %3u x %u  %s\n", model->name, sluice_model_height(model),
               sluice_model_width(model), model->modules_y, model->modules_x, model->description);
}

/* How many different frames are made: of a scan one for each image, as far as they fit. */
static uint32_t distinct_frames(const struct sluice_simulate_options *options, uint64_t pixels)
{
    uint64_t images = options->images ? options->images : SLUICE_SIMULATE_MADE_IMAGES;
    uint64_t distinct = options->distinct;
    if (!distinct && options->has_rotation) {
        uint64_t fit = SCAN_BYTES_MAX / (pixels * sluice_dtype_bytes(options->dtype));
        distinct = fit ? fit : 1;
        if (distinct < images)
            sluice_log_warning("simulate",
                               "the scan repeats after %llu of %llu images, for want of memory; "
                               "--distinct %llu makes them all",
                               (unsigned long long)distinct, (unsigned long long)images,
                               (unsigned long long)images);
    }
    if (!distinct)
        distinct = pixels > SLUICE_SIMULATE_HUGE_PIXELS ? SLUICE_SIMULATE_DISTINCT_HUGE
                                                        : SLUICE_SIMULATE_DISTINCT;
    return (uint32_t)(distinct < images ? distinct : images);
}

static enum sluice_status load(const struct sluice_simulate_options *options,
                               struct sluice_capture *capture, struct sluice_error *error)
{
    enum sluice_status status = sluice_capture_load(capture, options->replay, error);
    if (status != SLUICE_OK || !options->has_protocol || options->protocol == capture->protocol)
        return status;
    sluice_error_set(error, SLUICE_USAGE, "--protocol %s, but %s holds messages of %s",
                     sluice_wire_of(options->protocol)->name, options->replay,
                     sluice_wire_of(capture->protocol)->name);
    sluice_capture_close(capture);
    return SLUICE_USAGE;
}

static enum sluice_status make_capture(const struct sluice_simulate_options *options,
                                       struct sluice_capture *capture, struct sluice_error *error)
{
    if (options->replay)
        return load(options, capture, error);
    const struct sluice_model *model = sluice_model_find(options->detector);
    uint64_t pixels = (uint64_t)sluice_model_width(model) * sluice_model_height(model);
    struct sluice_capture_make_settings settings = {
        .protocol = options->protocol,
        .model = model,
        .dtype = options->dtype,
        .encoding = options->encoding,
        .channel_count = (uint32_t)options->channels,
        .frame_count = distinct_frames(options, pixels),
        .frame_time = options->rate > 0 ? 1 / options->rate : FRAME_TIME_S,
        .rotation_start = options->rotation_start,
        .rotation_increment = options->rotation_increment,
        .seed = options->seed,
        .header = options->header,
        .date = options->date,
        .header_appendix = options->header_appendix,
        .image_appendix = options->image_appendix,
        .first_frame = options->first_frame,
    };
    sluice_log_info("simulate", "making %u frames of %s, %u x %u, seed=%llu", settings.frame_count,
                    model->name, sluice_model_height(model), sluice_model_width(model),
                    (unsigned long long)options->seed);
    return sluice_capture_make(capture, &settings, error);
}

static void catch_signals(void)
{
    const struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static struct sluice_sender_settings sender_settings(const struct sluice_simulate_options *options)
{
    return (struct sluice_sender_settings){
        .endpoint = options->endpoint,
        .connect = options->connect,
        .publish = options->publish,
        .connect_timeout_ns = (int64_t)(options->connect_timeout * SLUICE_NS_PER_S),
        .stop = &stop,
    };
}

static struct sluice_simulation_settings
make_settings(const struct sluice_simulate_options *options, const struct sluice_capture *capture)
{
    const struct sluice_clock *clock = sluice_clock_system();
    uint64_t images = options->images;
    double series_pause = options->series_pause_s;
    if (!images)
        images = options->replay ? capture->image_count : SLUICE_SIMULATE_MADE_IMAGES;
    if (series_pause < 0)
        series_pause = capture->protocol == SLUICE_WIRE_ARRAY ? ARRAY_SERIES_PAUSE_S : 0;
    return (struct sluice_simulation_settings){
        .sender = sender_settings(options),
        .capture = capture,
        .faults = &options->faults,
        .image_count = images,
        .series_count = (uint32_t)options->series,
        .has_series_id = options->has_series_id,
        .series_id = options->series_id,
        .keep_identity = options->replay && options->series == 1 && !options->has_series_id &&
                         !sluice_faults_get(&options->faults, SLUICE_FAULT_NEWSTART),
        .unique_seed = options->has_seed ? options->seed : (uint64_t)clock->real_ns(clock),
        .seed = options->seed,
        .untagged = options->untagged,
        .rate_hz = options->rate,
        .burst_images = options->burst,
        .burst_pause_ns = (int64_t)(options->pause_ms * SLUICE_NS_PER_MS),
        .series_pause_ns = (int64_t)(series_pause * SLUICE_NS_PER_S),
        .start_delay_ns = (int64_t)(options->start_delay * SLUICE_NS_PER_S),
        .linger_ns = (int64_t)(options->linger * SLUICE_NS_PER_S),
        .buffer_bytes_max = BUFFER_BYTES,
    };
}

static enum sluice_status run_verbatim(const struct sluice_simulate_options *options,
                                       struct sluice_error *error)
{
    const struct sluice_verbatim_settings settings = {
        .sender = sender_settings(options),
        .directory = options->replay,
        .rate_hz = options->rate,
        .start_delay_ns = (int64_t)(options->start_delay * SLUICE_NS_PER_S),
        .linger_ns = (int64_t)(options->linger * SLUICE_NS_PER_S),
    };
    struct sluice_verbatim_report report;
    struct sluice_json json = {0};
    catch_signals();
    const enum sluice_status status = sluice_verbatim(&settings, &report, error);
    sluice_verbatim_report_json(&report, &json);
    printf("%s\n", json.failed ? "{}" : json.text);
    sluice_json_close(&json);
    return status;
}

static enum sluice_status run(const struct sluice_simulate_options *options,
                              struct sluice_error *error)
{
    struct sluice_capture capture = {0};
    enum sluice_status status = make_capture(options, &capture, error);
    if (status != SLUICE_OK)
        return status;
    catch_signals();
    struct sluice_simulation_settings settings = make_settings(options, &capture);
    struct sluice_simulation_report report;
    struct sluice_json json = {0};
    if (options->stamps)
        status =
            sluice_stamps_create(options->stamps, settings.image_count, &settings.stamps, error);
    if (status != SLUICE_OK) {
        sluice_capture_close(&capture);
        return status;
    }
    status = sluice_simulate(&settings, &report, error);
    sluice_stamps_close(settings.stamps);
    sluice_simulation_report_json(&report, options->seed, &json);
    if (status != SLUICE_USAGE)
        printf("%s\n", json.failed ? "{}" : json.text);
    if (status == SLUICE_OK && report.undelivered)
        status = sluice_error_set(error, SLUICE_TIMEOUT,
                                  "%llu of %llu messages were not delivered within --linger %g s",
                                  (unsigned long long)report.undelivered,
                                  (unsigned long long)report.messages, options->linger);
    sluice_json_close(&json);
    sluice_simulation_report_close(&report);
    sluice_capture_close(&capture);
    return status;
}

int sluice_verb_simulate(int argc, char **argv)
{
    struct sluice_simulate_options options;
    struct sluice_error error = {0};
    enum sluice_status status = sluice_simulate_options_read(&options, argc, argv, &error);
    if (status == SLUICE_OK && options.help)
        sluice_simulate_options_help();
    else if (status == SLUICE_OK && options.list)
        print_list();
    else if (status == SLUICE_OK)
        status = options.verbatim ? run_verbatim(&options, &error) : run(&options, &error);
    if (status != SLUICE_OK)
        fprintf(stderr, "sluice simulate: %s\n", error.message);
    sluice_simulate_options_close(&options);
    return status == SLUICE_OK      ? SLUICE_EXIT_OK
           : status == SLUICE_USAGE ? SLUICE_EXIT_USAGE
                                    : SLUICE_EXIT_FAILED;
}
