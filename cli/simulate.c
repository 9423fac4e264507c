/* SPDX-License-Identifier: Apache-2.0
 *
 * `sluice simulate`: the command line of bench/detector. Options are parsed into one struct,
 * checked together, and turned into the settings of the room; nothing is opened before all of them
 * are right. stdout gets the report line and nothing else; what happens meanwhile goes to stderr.
 */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/detector/simulate.h"
#include "cli/verbs.h"
#include "core/clock.h"
#include "core/log.h"

#define BUFFER_BYTES  ((size_t)16 << 20) /* small enough to stay in a shared cache */
#define IMAGES_MAX    UINT64_C(1000000000)
#define MADE_IMAGES   1000 /* --images of a made series */
#define DISTINCT      8
#define DISTINCT_HUGE 4 /* for detectors above HUGE_PIXELS */
#define HUGE_PIXELS   (6u << 20)
#define FRAME_TIME_S  0.001 /* of a made series without --rate */

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    (void)number;
    if (stop < 2)
        stop = stop + 1;
}

enum option_code {
    OPTION_ENDPOINT = 256,
    OPTION_BIND,
    OPTION_CONNECT,
    OPTION_PROTOCOL,
    OPTION_REPLAY,
    OPTION_DETECTOR,
    OPTION_IMAGES,
    OPTION_RATE,
    OPTION_FAULT,
    OPTION_SEED,
    OPTION_SERIES,
    OPTION_SERIES_ID,
    OPTION_DTYPE,
    OPTION_ENCODING,
    OPTION_CHANNELS,
    OPTION_HEADER,
    OPTION_DISTINCT,
    OPTION_UNTAGGED,
    OPTION_LINGER,
    OPTION_START_DELAY,
    OPTION_CONNECT_TIMEOUT,
    OPTION_LIST,
    OPTION_HELP,
};

const struct option sluice_options_simulate[] = {
    {"endpoint", required_argument, NULL, OPTION_ENDPOINT},
    {"bind", no_argument, NULL, OPTION_BIND},
    {"connect", no_argument, NULL, OPTION_CONNECT},
    {"protocol", required_argument, NULL, OPTION_PROTOCOL},
    {"replay", required_argument, NULL, OPTION_REPLAY},
    {"detector", required_argument, NULL, OPTION_DETECTOR},
    {"images", required_argument, NULL, OPTION_IMAGES},
    {"rate", required_argument, NULL, OPTION_RATE},
    {"fault", required_argument, NULL, OPTION_FAULT},
    {"seed", required_argument, NULL, OPTION_SEED},
    {"series", required_argument, NULL, OPTION_SERIES},
    {"series-id", required_argument, NULL, OPTION_SERIES_ID},
    {"dtype", required_argument, NULL, OPTION_DTYPE},
    {"encoding", required_argument, NULL, OPTION_ENCODING},
    {"channels", required_argument, NULL, OPTION_CHANNELS},
    {"header", required_argument, NULL, OPTION_HEADER},
    {"distinct", required_argument, NULL, OPTION_DISTINCT},
    {"untagged", no_argument, NULL, OPTION_UNTAGGED},
    {"linger", required_argument, NULL, OPTION_LINGER},
    {"start-delay", required_argument, NULL, OPTION_START_DELAY},
    {"connect-timeout", required_argument, NULL, OPTION_CONNECT_TIMEOUT},
    {"list", no_argument, NULL, OPTION_LIST},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

struct options {
    const char *endpoint, *replay, *detector;
    const char *only_made; /* an option given that makes sense for made frames only */
    bool bind, connect, untagged, has_seed, has_series_id;
    uint64_t images, seed, series, series_id, channels, distinct;
    double rate, linger, start_delay, connect_timeout;
    enum sluice_dtype dtype;
    enum sluice_encoding encoding;
    bool header_all;
    struct sluice_faults faults;
};

static void print_help(void)
{
    printf("Usage: sluice simulate --endpoint E (--replay DIR | --detector NAME) [option...]\n"
           "\n"
           "Sends what a detector would send: captured messages, or made ones.\n"
           "\n"
           "  --endpoint E         ZeroMQ endpoint, for example tcp://*:31001\n"
           "  --bind, --connect    who waits for whom; default: bind, as a detector does\n"
           "  --protocol stream2   DECTRIS Stream V2, the one there is\n"
           "  --replay DIR         messages from DIR/*.cbor in the order of their names: start,\n"
           "                       images, end; repeated with new ids up to --images\n"
           "  --detector NAME      made frames of one of the detectors of --list\n"
           "  --images N           images of each series; default: as many as captured, or %d\n"
           "  --rate HZ            images a second on an absolute schedule; default: no limit\n"
           "  --series COUNT       so many series, one after the other; default 1\n"
           "  --series-id N        id of the first series\n"
           "  --seed S             of frames, faults and unique ids; without it frames and faults\n"
           "                       are those of seed 1 and unique ids are new in every run\n"
           "  --untagged           without the CBOR self-description tag in front\n"
           "  --start-delay S      wait so long after a receiver has connected; default 0\n"
           "  --connect-timeout S  give up when no receiver is there for so long; 0 = never;\n"
           "                       default 60\n"
           "  --linger S           at the end, time for what is still queued; default 30\n"
           "\n"
           "Of made frames:\n"
           "  --dtype T            uint8, uint16 or uint32; default uint16\n"
           "  --encoding E         bslz4, lz4 or none; default bslz4\n"
           "  --channels N         1 threshold_1; 2 and threshold_2; 3 and difference; default 1\n"
           "  --header H           all or basic (no masks, flatfields, tables); default all\n"
           "  --distinct K         different frames, sent in turn; default %d, %d for large ones\n"
           "\n"
           "  --list               the detectors, and leave\n"
           "  --help               this, and leave\n"
           "\n"
           "  --fault KIND[=VALUE] may be given often; IDS are like 3,7,10-20 or 5%%:\n",
           MADE_IMAGES, DISTINCT, DISTINCT_HUGE);
    for (int kind = 0; kind < SLUICE_FAULT_KIND_COUNT; kind++) {
        const struct sluice_fault_info *info = sluice_fault_info((enum sluice_fault_kind)kind);
        char name[64];
        snprintf(name, sizeof name, "%s%s%s", info->name, info->value ? "=" : "",
                 info->value ? info->value : "");
        printf("    %-22s %s\n", name, info->help);
    }
    printf(
        "\nAt the end one JSON line on stdout. SIGINT ends the series in order, a second one at\n"
        "once. Exit: 0 all was sent, 1 it was not, 2 usage.\n");
}

static void print_list(void)
{
    printf("%-15s %6s %6s  %7s  %s\n", "name", "height", "width", "modules", "detector");
    const struct sluice_model *model;
    for (uint32_t i = 0; (model = sluice_model_at(i)) != NULL; i++)
        printf("%-15s %6u %6u  %3u x %u  %s\n", model->name, sluice_model_height(model),
               sluice_model_width(model), model->modules_y, model->modules_x, model->description);
}

static enum sluice_status bad(struct sluice_error *error, const char *option, const char *expected)
{
    return sluice_error_set(error, SLUICE_USAGE, "--%s: expected %s, got \"%s\"", option, expected,
                            optarg);
}

static enum sluice_status read_uint(const char *option, uint64_t min, uint64_t max, uint64_t *value,
                                    struct sluice_error *error)
{
    char expected[80], *end;
    errno = 0;
    *value = strtoull(optarg, &end, 10);
    if (optarg[0] >= '0' && optarg[0] <= '9' && !*end && !errno && *value >= min && *value <= max)
        return SLUICE_OK;
    snprintf(expected, sizeof expected, "a whole number from %llu to %llu", (unsigned long long)min,
             (unsigned long long)max);
    return bad(error, option, expected);
}

static enum sluice_status read_double(const char *option, double max, double *value,
                                      struct sluice_error *error)
{
    char expected[80], *end;
    *value = strtod(optarg, &end);
    if (end != optarg && !*end && *value >= 0 && *value <= max)
        return SLUICE_OK;
    snprintf(expected, sizeof expected, "a number from 0 to %g", max);
    return bad(error, option, expected);
}

static enum sluice_status read_dtype(struct options *options, struct sluice_error *error)
{
    struct sluice_span name = {(const uint8_t *)optarg, strlen(optarg)};
    if (!sluice_dtype_from_name(name, &options->dtype) || options->dtype > SLUICE_U32)
        return bad(error, "dtype", "uint8, uint16 or uint32");
    return SLUICE_OK;
}

static enum sluice_status read_encoding(struct options *options, struct sluice_error *error)
{
    for (int e = SLUICE_ENCODING_NONE; e <= SLUICE_ENCODING_BSLZ4; e++) {
        if (strcmp(optarg, sluice_encoding_name((enum sluice_encoding)e)) == 0) {
            options->encoding = (enum sluice_encoding)e;
            return SLUICE_OK;
        }
    }
    return bad(error, "encoding", "bslz4, lz4 or none");
}

/* Options of made frames. */
static enum sluice_status take_made(struct options *options, int code, struct sluice_error *error)
{
    switch (code) {
    case OPTION_DTYPE:
        options->only_made = "dtype";
        return read_dtype(options, error);
    case OPTION_ENCODING:
        options->only_made = "encoding";
        return read_encoding(options, error);
    case OPTION_CHANNELS:
        options->only_made = "channels";
        return read_uint("channels", 1, 3, &options->channels, error);
    case OPTION_DISTINCT:
        options->only_made = "distinct";
        return read_uint("distinct", 1, 10000, &options->distinct, error);
    default: /* OPTION_HEADER */
        options->only_made = "header";
        options->header_all = strcmp(optarg, "all") == 0;
        if (!options->header_all && strcmp(optarg, "basic") != 0)
            return bad(error, "header", "all or basic");
        return SLUICE_OK;
    }
}

static enum sluice_status take(struct options *options, int code, struct sluice_error *error)
{
    switch (code) {
    case OPTION_ENDPOINT:
        options->endpoint = optarg;
        return SLUICE_OK;
    case OPTION_BIND:
        options->bind = true;
        return SLUICE_OK;
    case OPTION_CONNECT:
        options->connect = true;
        return SLUICE_OK;
    case OPTION_PROTOCOL:
        return strcmp(optarg, "stream2") == 0 ? SLUICE_OK : bad(error, "protocol", "stream2");
    case OPTION_REPLAY:
        options->replay = optarg;
        return SLUICE_OK;
    case OPTION_DETECTOR:
        options->detector = optarg;
        return SLUICE_OK;
    case OPTION_IMAGES:
        return read_uint("images", 1, IMAGES_MAX, &options->images, error);
    case OPTION_RATE:
        return read_double("rate", 1e6, &options->rate, error);
    case OPTION_FAULT:
        return sluice_faults_add(&options->faults, optarg, error);
    case OPTION_SEED:
        options->has_seed = true;
        return read_uint("seed", 0, UINT64_MAX, &options->seed, error);
    case OPTION_SERIES:
        return read_uint("series", 1, 1000000, &options->series, error);
    case OPTION_SERIES_ID:
        options->has_series_id = true;
        return read_uint("series-id", 0, UINT64_MAX / 2, &options->series_id, error);
    case OPTION_UNTAGGED:
        options->untagged = true;
        return SLUICE_OK;
    case OPTION_LINGER:
        return read_double("linger", 86400, &options->linger, error);
    case OPTION_START_DELAY:
        return read_double("start-delay", 86400, &options->start_delay, error);
    case OPTION_CONNECT_TIMEOUT:
        return read_double("connect-timeout", 86400, &options->connect_timeout, error);
    default:
        return take_made(options, code, error);
    }
}

static enum sluice_status check(const struct options *options, struct sluice_error *error)
{
    if (!options->endpoint)
        return sluice_error_set(error, SLUICE_USAGE,
                                "--endpoint is missing, for example --endpoint tcp://*:31001");
    if (!options->replay == !options->detector)
        return sluice_error_set(error, SLUICE_USAGE,
                                "one of --replay DIR and --detector NAME is needed");
    if (options->bind && options->connect)
        return sluice_error_set(error, SLUICE_USAGE, "--bind and --connect exclude each other");
    if (options->replay && options->only_made)
        return sluice_error_set(error, SLUICE_USAGE, "--%s is for made frames, not for --replay",
                                options->only_made);
    if (options->detector && !sluice_model_find(options->detector))
        return sluice_error_set(error, SLUICE_USAGE,
                                "--detector: \"%s\" is not known; --list names them",
                                options->detector);
    return SLUICE_OK;
}

static enum sluice_status make_capture(const struct options *options,
                                       struct sluice_capture *capture, struct sluice_error *error)
{
    if (options->replay)
        return sluice_capture_load(capture, options->replay, error);
    const struct sluice_model *model = sluice_model_find(options->detector);
    uint64_t pixels = (uint64_t)sluice_model_width(model) * sluice_model_height(model);
    uint64_t distinct = options->distinct;
    if (!distinct)
        distinct = pixels > HUGE_PIXELS ? DISTINCT_HUGE : DISTINCT;
    if (options->images && distinct > options->images)
        distinct = options->images;
    struct sluice_capture_make_settings settings = {
        .model = model,
        .dtype = options->dtype,
        .encoding = options->encoding,
        .channel_count = (uint32_t)options->channels,
        .frame_count = (uint32_t)distinct,
        .frame_time = options->rate > 0 ? 1 / options->rate : FRAME_TIME_S,
        .seed = options->seed,
        .with_arrays = options->header_all,
    };
    sluice_log_info("simulate", "making %u frames of %s, %u x %u, seed=%llu", settings.frame_count,
                    model->name, sluice_model_height(model), sluice_model_width(model),
                    (unsigned long long)options->seed);
    return sluice_capture_make(capture, &settings, error);
}

static struct sluice_simulation_settings make_settings(const struct options *options,
                                                       const struct sluice_capture *capture)
{
    const struct sluice_clock *clock = sluice_clock_system();
    uint64_t images = options->images;
    if (!images)
        images = options->replay ? capture->image_count : MADE_IMAGES;
    return (struct sluice_simulation_settings){
        .sender = {.endpoint = options->endpoint,
                   .connect = options->connect,
                   .connect_timeout_ns = (int64_t)(options->connect_timeout * SLUICE_NS_PER_S),
                   .stop = &stop},
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
        .start_delay_ns = (int64_t)(options->start_delay * SLUICE_NS_PER_S),
        .linger_ns = (int64_t)(options->linger * SLUICE_NS_PER_S),
        .buffer_bytes_max = BUFFER_BYTES,
    };
}

static enum sluice_status run(const struct options *options, struct sluice_error *error)
{
    struct sluice_capture capture = {0};
    enum sluice_status status = make_capture(options, &capture, error);
    if (status != SLUICE_OK)
        return status;
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);

    struct sluice_simulation_settings settings = make_settings(options, &capture);
    struct sluice_simulation_report report;
    struct sluice_json json = {0};
    status = sluice_simulate(&settings, &report, error);
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
    struct options options = {.seed = 1,
                              .series = 1,
                              .channels = 1,
                              .dtype = SLUICE_U16,
                              .encoding = SLUICE_ENCODING_BSLZ4,
                              .header_all = true,
                              .linger = 30,
                              .connect_timeout = 60};
    struct sluice_error error = {0};
    enum sluice_status status = SLUICE_OK;
    int code;
    optind = 1;
    while (status == SLUICE_OK &&
           (code = getopt_long(argc, argv, "", sluice_options_simulate, NULL)) != -1) {
        if (code == OPTION_HELP || code == OPTION_LIST) {
            (code == OPTION_HELP ? print_help : print_list)();
            sluice_faults_close(&options.faults);
            return SLUICE_EXIT_OK;
        }
        if (code == '?') /* getopt has said what is wrong */
            status = sluice_error_set(&error, SLUICE_USAGE, "see sluice simulate --help");
        else
            status = take(&options, code, &error);
    }
    if (status == SLUICE_OK && optind < argc)
        status = sluice_error_set(&error, SLUICE_USAGE, "\"%s\" is not an option", argv[optind]);
    if (status == SLUICE_OK)
        status = check(&options, &error);
    if (status == SLUICE_OK)
        status = run(&options, &error);
    if (status != SLUICE_OK)
        fprintf(stderr, "sluice simulate: %s\n", error.message);
    sluice_faults_close(&options.faults);
    return status == SLUICE_OK      ? SLUICE_EXIT_OK
           : status == SLUICE_USAGE ? SLUICE_EXIT_USAGE
                                    : SLUICE_EXIT_FAILED;
}
