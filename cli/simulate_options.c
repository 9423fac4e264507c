/* SPDX-License-Identifier: Apache-2.0
 *
 * Options are taken one by one; what they mean together (which encodings a protocol has, which
 * options are for made frames only) is checked when all are there. */
#include "cli/simulate_options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/detector/wire.h"
#include "cli/verbs.h"

#define IMAGES_MAX UINT64_C(1000000000)
/* With a seed every run is the same bit for bit, so its date is not the clock's. */
#define SEEDED_DATE "2025-01-01T00:00:00.000000Z"

enum option_code {
    OPTION_ENDPOINT = 256,
    OPTION_BIND,
    OPTION_CONNECT,
    OPTION_SOCKET,
    OPTION_PROTOCOL,
    OPTION_REPLAY,
    OPTION_VERBATIM,
    OPTION_DETECTOR,
    OPTION_IMAGES,
    OPTION_RATE,
    OPTION_BURST,
    OPTION_PAUSE,
    OPTION_FAULT,
    OPTION_SEED,
    OPTION_DATE,
    OPTION_SERIES,
    OPTION_SERIES_ID,
    OPTION_SERIES_PAUSE,
    OPTION_DTYPE,
    OPTION_ENCODING,
    OPTION_CHANNELS,
    OPTION_HEADER,
    OPTION_APPENDIX,
    OPTION_IMAGE_APPENDIX,
    OPTION_FIRST_FRAME,
    OPTION_ROTATION,
    OPTION_DISTINCT,
    OPTION_UNTAGGED,
    OPTION_LINGER,
    OPTION_START_DELAY,
    OPTION_STAMPS,
    OPTION_CONNECT_TIMEOUT,
    OPTION_LIST,
    OPTION_HELP,
};

const struct option sluice_options_simulate[] = {
    {"endpoint", required_argument, NULL, OPTION_ENDPOINT},
    {"bind", no_argument, NULL, OPTION_BIND},
    {"connect", no_argument, NULL, OPTION_CONNECT},
    {"socket", required_argument, NULL, OPTION_SOCKET},
    {"protocol", required_argument, NULL, OPTION_PROTOCOL},
    {"replay", required_argument, NULL, OPTION_REPLAY},
    {"verbatim", no_argument, NULL, OPTION_VERBATIM},
    {"detector", required_argument, NULL, OPTION_DETECTOR},
    {"images", required_argument, NULL, OPTION_IMAGES},
    {"rate", required_argument, NULL, OPTION_RATE},
    {"burst", required_argument, NULL, OPTION_BURST},
    {"pause", required_argument, NULL, OPTION_PAUSE},
    {"fault", required_argument, NULL, OPTION_FAULT},
    {"seed", required_argument, NULL, OPTION_SEED},
    {"date", required_argument, NULL, OPTION_DATE},
    {"series", required_argument, NULL, OPTION_SERIES},
    {"series-id", required_argument, NULL, OPTION_SERIES_ID},
    {"series-pause", required_argument, NULL, OPTION_SERIES_PAUSE},
    {"dtype", required_argument, NULL, OPTION_DTYPE},
    {"encoding", required_argument, NULL, OPTION_ENCODING},
    {"channels", required_argument, NULL, OPTION_CHANNELS},
    {"header", required_argument, NULL, OPTION_HEADER},
    {"appendix", required_argument, NULL, OPTION_APPENDIX},
    {"image-appendix", required_argument, NULL, OPTION_IMAGE_APPENDIX},
    {"first-frame", required_argument, NULL, OPTION_FIRST_FRAME},
    {"rotation", required_argument, NULL, OPTION_ROTATION},
    {"distinct", required_argument, NULL, OPTION_DISTINCT},
    {"untagged", no_argument, NULL, OPTION_UNTAGGED},
    {"linger", required_argument, NULL, OPTION_LINGER},
    {"start-delay", required_argument, NULL, OPTION_START_DELAY},
    {"stamps", required_argument, NULL, OPTION_STAMPS},
    {"connect-timeout", required_argument, NULL, OPTION_CONNECT_TIMEOUT},
    {"list", no_argument, NULL, OPTION_LIST},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

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

static enum sluice_status read_dtype(struct sluice_simulate_options *options,
                                     struct sluice_error *error)
{
    struct sluice_span name = {(const uint8_t *)optarg, strlen(optarg)};
    return sluice_dtype_from_name(name, &options->dtype)
               ? SLUICE_OK
               : bad(error, "dtype", "uint8 to uint64, int8 to int64, float32 or float64");
}

static enum sluice_status read_encoding(struct sluice_simulate_options *options,
                                        struct sluice_error *error)
{
    static const struct {
        const char *name;
        enum sluice_encoding encoding;
    } names[] = {{"bslz4", SLUICE_ENCODING_BSLZ4},
                 {"lz4", SLUICE_ENCODING_LZ4},
                 {"none", SLUICE_ENCODING_NONE},
                 {"raw", SLUICE_ENCODING_NONE}};
    options->has_encoding = true;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(optarg, names[i].name) == 0) {
            options->encoding = names[i].encoding;
            return SLUICE_OK;
        }
    }
    return bad(error, "encoding", "bslz4, lz4 or none");
}

static enum sluice_status read_header(struct sluice_simulate_options *options,
                                      struct sluice_error *error)
{
    static const char *const names[] = {[SLUICE_HEADER_BASIC] = "basic",
                                        [SLUICE_HEADER_ALL] = "all",
                                        [SLUICE_HEADER_NONE] = "none"};
    options->has_header = true;
    for (int i = SLUICE_HEADER_BASIC; i <= SLUICE_HEADER_NONE; i++) {
        if (strcmp(optarg, names[i]) == 0) {
            options->header = (enum sluice_header_detail)i;
            return SLUICE_OK;
        }
    }
    return bad(error, "header", "all, basic or none");
}

/* START:INCREMENT in degrees. */
static enum sluice_status read_rotation(struct sluice_simulate_options *options,
                                        struct sluice_error *error)
{
    char *end;
    options->has_rotation = true;
    options->rotation_start = strtod(optarg, &end);
    if (end != optarg && *end == ':') {
        const char *second = end + 1;
        options->rotation_increment = strtod(second, &end);
        if (end != second && !*end && options->rotation_start >= -1e6 &&
            options->rotation_start <= 1e6 && options->rotation_increment >= -360 &&
            options->rotation_increment <= 360)
            return SLUICE_OK;
    }
    return bad(error, "rotation", "START:INCREMENT in degrees, for example 0:0.1");
}

/* Options of made frames. */
static enum sluice_status take_made(struct sluice_simulate_options *options, int code,
                                    struct sluice_error *error)
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
        return read_uint("distinct", 1, 100000, &options->distinct, error);
    case OPTION_DATE:
        options->only_made = "date";
        options->date = optarg;
        return strlen(optarg) < 32 ? SLUICE_OK : bad(error, "date", "ISO 8601, or now");
    case OPTION_APPENDIX:
        options->only_made = "appendix";
        options->header_appendix = optarg;
        return SLUICE_OK;
    case OPTION_IMAGE_APPENDIX:
        options->only_made = "image-appendix";
        options->image_appendix = optarg;
        return SLUICE_OK;
    case OPTION_FIRST_FRAME:
        options->only_made = "first-frame";
        return read_uint("first-frame", 0, UINT64_MAX / 2, &options->first_frame, error);
    case OPTION_ROTATION:
        options->only_made = "rotation";
        return read_rotation(options, error);
    default: /* OPTION_HEADER */
        options->only_made = "header";
        return read_header(options, error);
    }
}

/* Options of time. */
static enum sluice_status take_time(struct sluice_simulate_options *options, int code,
                                    struct sluice_error *error)
{
    switch (code) {
    case OPTION_RATE:
        return read_double("rate", 1e6, &options->rate, error);
    case OPTION_BURST:
        return read_uint("burst", 1, IMAGES_MAX, &options->burst, error);
    case OPTION_PAUSE:
        return read_double("pause", 86400e3, &options->pause_ms, error);
    case OPTION_SERIES_PAUSE:
        return read_double("series-pause", 86400, &options->series_pause_s, error);
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

static enum sluice_status take(struct sluice_simulate_options *options, int code,
                               struct sluice_error *error)
{
    switch (code) {
    case OPTION_ENDPOINT:
        options->endpoint = optarg;
        return SLUICE_OK;
    case OPTION_STAMPS:
        options->stamps = optarg;
        return SLUICE_OK;
    case OPTION_BIND:
        options->bind = true;
        return SLUICE_OK;
    case OPTION_CONNECT:
        options->connect = true;
        return SLUICE_OK;
    case OPTION_SOCKET:
        options->publish = strcmp(optarg, "pub") == 0;
        return options->publish || strcmp(optarg, "push") == 0
                   ? SLUICE_OK
                   : bad(error, "socket", "push or pub");
    case OPTION_PROTOCOL:
        options->has_protocol = true;
        return sluice_wire_from_name(optarg, &options->protocol)
                   ? SLUICE_OK
                   : bad(error, "protocol", "stream2, stream1 or array-1.0");
    case OPTION_REPLAY:
        options->replay = optarg;
        return SLUICE_OK;
    case OPTION_VERBATIM:
        options->verbatim = true;
        return SLUICE_OK;
    case OPTION_DETECTOR:
        options->detector = optarg;
        return SLUICE_OK;
    case OPTION_IMAGES:
        return read_uint("images", 1, IMAGES_MAX, &options->images, error);
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
    default:
        return take_time(options, code, error);
    }
}

/* What a protocol does not have. */
static enum sluice_status check_protocol(const struct sluice_simulate_options *options,
                                         struct sluice_error *error)
{
    bool stream2 = options->protocol == SLUICE_WIRE_STREAM2;
    bool stream1 = options->protocol == SLUICE_WIRE_STREAM1;
    bool array = options->protocol == SLUICE_WIRE_ARRAY;
    const char *why = NULL;
    if (!array && options->dtype > SLUICE_U32)
        why = "--dtype: uint8, uint16 or uint32; only array-1.0 has the others";
    else if (!stream2 && options->channels > 1)
        why = "--channels: only stream2 has several";
    else if (!stream2 && options->untagged)
        why = "--untagged: only stream2 has the tag";
    else if (!stream1 && options->header == SLUICE_HEADER_NONE)
        why = "--header none: only stream1 has it";
    else if (!stream1 && (options->header_appendix || options->image_appendix))
        why = "--appendix, --image-appendix: only stream1 has them";
    else if (!array && options->first_frame)
        why = "--first-frame: only frames of array-1.0 are numbered from anywhere";
    else if (array && options->has_header)
        why = "--header: array-1.0 has none";
    else if (array && options->has_series_id)
        why = "--series-id: messages of array-1.0 name no series";
    else if (array && options->encoding != SLUICE_ENCODING_NONE)
        why = "--encoding: array-1.0 sends raw pixels";
    return why ? sluice_error_set(error, SLUICE_USAGE, "%s", why) : SLUICE_OK;
}

static enum sluice_status check(const struct sluice_simulate_options *options,
                                struct sluice_error *error)
{
    if (!options->endpoint)
        return sluice_error_set(error, SLUICE_USAGE,
                                "--endpoint is missing, for example --endpoint tcp://*:31001");
    if (!options->replay == !options->detector)
        return sluice_error_set(error, SLUICE_USAGE,
                                "one of --replay DIR and --detector NAME is needed");
    if (options->bind && options->connect)
        return sluice_error_set(error, SLUICE_USAGE, "--bind and --connect exclude each other");
    if (options->pause_ms > 0 && !options->burst)
        return sluice_error_set(error, SLUICE_USAGE,
                                "--pause needs --burst: after how many images");
    if (options->replay && options->only_made)
        return sluice_error_set(error, SLUICE_USAGE, "--%s is for made frames, not for --replay",
                                options->only_made);
    if (options->detector && !sluice_model_find(options->detector))
        return sluice_error_set(error, SLUICE_USAGE,
                                "--detector: \"%s\" is not known; --list names them",
                                options->detector);
    if (options->stamps && (options->verbatim || options->series != 1))
        return sluice_error_set(error, SLUICE_USAGE, "--stamps is for one series, not --verbatim");
    if (options->verbatim &&
        (options->detector || options->images || options->series != 1 || options->has_series_id ||
         options->burst || options->untagged || options->faults.count > 0))
        return sluice_error_set(error, SLUICE_USAGE,
                                "--verbatim sends a --replay as it is: --images, --series, "
                                "--series-id, --burst, --untagged and --fault do not go with it");
    return options->detector ? check_protocol(options, error) : SLUICE_OK;
}

/* What follows from other options where nothing was said. */
static void complete(struct sluice_simulate_options *options)
{
    bool array = options->protocol == SLUICE_WIRE_ARRAY;
    if (!options->has_encoding)
        options->encoding = array ? SLUICE_ENCODING_NONE : SLUICE_ENCODING_BSLZ4;
    if (!options->date)
        options->date = options->has_seed ? SEEDED_DATE : NULL;
    else if (strcmp(options->date, "now") == 0)
        options->date = NULL;
}

enum sluice_status sluice_simulate_options_read(struct sluice_simulate_options *options, int argc,
                                                char **argv, struct sluice_error *error)
{
    *options = (struct sluice_simulate_options){.seed = 1,
                                                .series = 1,
                                                .channels = 1,
                                                .dtype = SLUICE_U16,
                                                .header = SLUICE_HEADER_ALL,
                                                .rotation_start = 12.5,
                                                .rotation_increment = 0.1,
                                                .series_pause_s = -1,
                                                .linger = 30,
                                                .connect_timeout = 60};
    enum sluice_status status = SLUICE_OK;
    int code;
    optind = 1;
    while (status == SLUICE_OK &&
           (code = getopt_long(argc, argv, "", sluice_options_simulate, NULL)) != -1) {
        options->list |= code == OPTION_LIST;
        options->help |= code == OPTION_HELP;
        if (options->list || options->help)
            return SLUICE_OK;
        if (code == '?') /* getopt has said what is wrong */
            status = sluice_error_set(error, SLUICE_USAGE, "see sluice simulate --help");
        else
            status = take(options, code, error);
    }
    if (status == SLUICE_OK && optind < argc)
        status = sluice_error_set(error, SLUICE_USAGE, "\"%s\" is not an option", argv[optind]);
    complete(options);
    return status == SLUICE_OK ? check(options, error) : status;
}

void sluice_simulate_options_close(struct sluice_simulate_options *options)
{
    sluice_faults_close(&options->faults);
}
