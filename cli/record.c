/* SPDX-License-Identifier: Apache-2.0
 *
 * `sluice record`: the command line of bench/detector/record. stdout gets one JSON line at the end
 * and nothing else; progress goes to stderr, more often where that is a terminal. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/detector/record.h"
#include "cli/verbs.h"
#include "core/clock.h"
#include "core/json.h"

#define HWM               64
#define KEEP_FREE         (UINT64_C(256) << 20)
#define SECONDS_MAX       1e7
#define PROGRESS_NS       (10 * SLUICE_NS_PER_S)
#define PROGRESS_SHOWN_NS SLUICE_NS_PER_S

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

enum option_code {
    OPTION_BIND = 256,
    OPTION_CONNECT,
    OPTION_SUB,
    OPTION_TOPIC,
    OPTION_MESSAGES,
    OPTION_SECONDS,
    OPTION_BYTES,
    OPTION_IDLE,
    OPTION_HWM,
    OPTION_KEEP_FREE,
    OPTION_HELP,
};

const struct option sluice_options_record[] = {
    {"bind", no_argument, NULL, OPTION_BIND},
    {"connect", no_argument, NULL, OPTION_CONNECT},
    {"sub", no_argument, NULL, OPTION_SUB},
    {"topic", required_argument, NULL, OPTION_TOPIC},
    {"messages", required_argument, NULL, OPTION_MESSAGES},
    {"seconds", required_argument, NULL, OPTION_SECONDS},
    {"bytes", required_argument, NULL, OPTION_BYTES},
    {"idle", required_argument, NULL, OPTION_IDLE},
    {"hwm", required_argument, NULL, OPTION_HWM},
    {"keep-free", required_argument, NULL, OPTION_KEEP_FREE},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

static const char help[] =
    "usage: sluice record ENDPOINT DIR [OPTION]...\n"
    "\n"
    "Records a ZeroMQ stream, any at all, message by message, for `sluice simulate --replay DIR`.\n"
    "DIR is made, or it is empty: nothing is overwritten. NNNNNN.cbor is a message of one part\n"
    "that is a CBOR map; NNNNNN.part00, NNNNNN.part01 ... are the parts of any other.\n"
    "\n"
    "Let it be the only client: a detector shares its messages among all that pull.\n"
    "\n"
    "  --connect, --bind  who waits for whom; default: connect, as to a detector\n"
    "  --sub              subscribe (SUB) instead of pulling (PULL)\n"
    "  --topic T          only messages that begin with T; implies --sub\n"
    "\n"
    "It ends on SIGINT or SIGTERM, or after the first of:\n"
    "  --messages N       so many messages; at most and by default 1000000\n"
    "  --seconds S        so long\n"
    "  --bytes N          so many bytes, in whole messages\n"
    "  --idle S           so long without a message, once one has come\n"
    "\n"
    "  --hwm N            messages that may wait in memory; default 64\n"
    "  --keep-free BYTES  it fails rather than leave less space free; default 268435456\n"
    "  --help             this, and leave\n"
    "\n"
    "At the end everything is synced to the disk, and one JSON line on stdout says how much it "
    "is.\n"
    "\n"
    "exit: 0 recorded, 1 it failed or nothing came, 2 usage\n";

struct options {
    struct sluice_record_settings record;
    bool connect;
};

static bool bad(const char *option, const char *expected)
{
    fprintf(stderr, "sluice record: --%s: expected %s, got \"%s\"\n", option, expected, optarg);
    return false;
}

static bool take_uint(const char *option, uint64_t least, uint64_t most, uint64_t *value)
{
    char *end, expected[80];
    errno = 0;
    *value = strtoull(optarg, &end, 10);
    if (*optarg >= '0' && *optarg <= '9' && *end == '\0' && errno == 0 && *value >= least &&
        *value <= most)
        return true;
    snprintf(expected, sizeof expected, "a whole number from %llu to %llu",
             (unsigned long long)least, (unsigned long long)most);
    return bad(option, expected);
}

static bool take_seconds(const char *option, int64_t *time_ns)
{
    char *end;
    const double seconds = strtod(optarg, &end);
    if (end == optarg || *end != '\0' || !(seconds > 0 && seconds <= SECONDS_MAX))
        return bad(option, "seconds, above 0");
    *time_ns = (int64_t)(seconds * (double)SLUICE_NS_PER_S);
    return true;
}

static bool take(struct options *options, int code)
{
    struct sluice_record_settings *record = &options->record;
    uint64_t number;
    switch (code) {
    case OPTION_BIND:
        return record->bind = true;
    case OPTION_CONNECT:
        return options->connect = true;
    case OPTION_SUB:
        return record->subscribe = true;
    case OPTION_TOPIC:
        record->topic = optarg;
        return record->subscribe = true;
    case OPTION_MESSAGES:
        return take_uint("messages", 1, SLUICE_RECORD_MESSAGES_MAX, &record->messages_max);
    case OPTION_SECONDS:
        return take_seconds("seconds", &record->time_max_ns);
    case OPTION_BYTES:
        return take_uint("bytes", 1, UINT64_MAX, &record->bytes_max);
    case OPTION_IDLE:
        return take_seconds("idle", &record->idle_max_ns);
    case OPTION_HWM:
        if (!take_uint("hwm", 1, 1000000, &number))
            return false;
        record->receive_hwm = (uint32_t)number;
        return true;
    default: /* OPTION_KEEP_FREE */
        return take_uint("keep-free", 0, UINT64_MAX, &record->free_bytes_least);
    }
}

static bool print_report(const struct sluice_record_settings *settings,
                         const struct sluice_record_report *report)
{
    struct sluice_json json = {0};
    sluice_json_object_begin(&json);
    sluice_json_put_uint(&json, "messages", report->messages);
    sluice_json_put_uint(&json, "parts", report->parts);
    sluice_json_put_uint(&json, "bytes", report->bytes);
    sluice_json_put_double(&json, "seconds", report->seconds);
    sluice_json_put_text(&json, "ended_by", sluice_record_end_name(report->ended_by));
    sluice_json_put_text(&json, "directory", settings->directory);
    sluice_json_object_end(&json);
    const bool good = !json.failed && printf("%s\n", json.text) > 0 && fflush(stdout) == 0;
    sluice_json_close(&json);
    return good;
}

static int run(const struct sluice_record_settings *settings)
{
    const struct sigaction action = {.sa_handler = on_signal};
    struct sluice_record_report report;
    struct sluice_error error = {0};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    enum sluice_status status = sluice_record(settings, &report, &error);
    if (status == SLUICE_CONFIG || status == SLUICE_EXISTS) {
        fprintf(stderr, "sluice record: %s\n", error.message);
        return SLUICE_EXIT_USAGE;
    }
    if (status == SLUICE_OK && report.messages == 0)
        status =
            sluice_error_set(&error, SLUICE_TIMEOUT, "nothing came from %s", settings->endpoint);
    if (!print_report(settings, &report))
        status = sluice_error_errno(&error, SLUICE_IO, errno, "standard output");
    if (status == SLUICE_OK)
        return SLUICE_EXIT_OK;
    fprintf(stderr, "sluice record: %s\n", error.message);
    return SLUICE_EXIT_FAILED;
}

int sluice_verb_record(int argc, char **argv)
{
    struct options options = {.record = {.topic = "",
                                         .receive_hwm = HWM,
                                         .free_bytes_least = KEEP_FREE,
                                         .stop = &stop,
                                         .progress_ns = PROGRESS_NS}};
    int code;
    optind = 1;
    while ((code = getopt_long(argc, argv, "", sluice_options_record, NULL)) != -1) {
        if (code == OPTION_HELP) {
            fputs(help, stdout);
            return fflush(stdout) == 0 ? SLUICE_EXIT_OK : SLUICE_EXIT_FAILED;
        }
        if (code == '?' || !take(&options, code)) { /* getopt has said what is wrong */
            fputs("see sluice record --help\n", stderr);
            return SLUICE_EXIT_USAGE;
        }
    }
    if (optind + 2 != argc || (options.connect && options.record.bind)) {
        fprintf(stderr, "sluice record: %s; see sluice record --help\n",
                optind + 2 == argc ? "--bind and --connect exclude each other"
                                   : "ENDPOINT and DIR are wanted, no more and no less");
        return SLUICE_EXIT_USAGE;
    }
    options.record.endpoint = argv[optind];
    options.record.directory = argv[optind + 1];
    if (isatty(STDERR_FILENO))
        options.record.progress_ns = PROGRESS_SHOWN_NS;
    return run(&options.record);
}
