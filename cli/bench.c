/* SPDX-License-Identifier: Apache-2.0
 *
 * `sluice bench`: the command line of bench/pipeline. The program starts itself as sender
 * (`simulate`), as receiver (`ingest`) and as each floor (`bench --receive`), so that everything
 * that is compared comes from one build. stdout gets the table (or the JSON with --json -, and then
 * the table goes to stderr). */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/pipeline/disk.h"
#include "bench/pipeline/floor.h"
#include "bench/pipeline/report.h"
#include "cli/verbs.h"

#define PROGRAM      "/proc/self/exe"
#define IMAGES_MAX   UINT64_C(1000000000)
#define RATE_MAX     1e6
#define RATE_DEFAULT 1000
#define REPEAT       3

static volatile sig_atomic_t stop;
static FILE *table;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

enum option_code {
    OPTION_SET = 256,
    OPTION_LIST,
    OPTION_REPLAY,
    OPTION_MADE,
    OPTION_MODE,
    OPTION_RATE,
    OPTION_DIRECTORY,
    OPTION_IMAGES,
    OPTION_REPEAT,
    OPTION_KEY,
    OPTION_OTHER,
    OPTION_JSON,
    OPTION_QUICK,
    OPTION_RECEIVE,
    OPTION_ENDPOINT,
    OPTION_FILE,
    OPTION_HELP,
};

const struct option sluice_options_bench[] = {
    {"set", required_argument, NULL, OPTION_SET},
    {"list", no_argument, NULL, OPTION_LIST},
    {"replay", required_argument, NULL, OPTION_REPLAY},
    {"made", no_argument, NULL, OPTION_MADE},
    {"mode", required_argument, NULL, OPTION_MODE},
    {"rate", required_argument, NULL, OPTION_RATE},
    {"directory", required_argument, NULL, OPTION_DIRECTORY},
    {"images", required_argument, NULL, OPTION_IMAGES},
    {"repeat", required_argument, NULL, OPTION_REPEAT},
    {"key", required_argument, NULL, OPTION_KEY},
    {"other", required_argument, NULL, OPTION_OTHER},
    {"json", required_argument, NULL, OPTION_JSON},
    {"quick", no_argument, NULL, OPTION_QUICK},
    {"receive", required_argument, NULL, OPTION_RECEIVE},
    {"endpoint", required_argument, NULL, OPTION_ENDPOINT},
    {"file", required_argument, NULL, OPTION_FILE},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

struct options {
    struct sluice_bench_settings bench;
    const char *json;
    const char *receive, *endpoint, *file;
};

static void print_help(void)
{
    puts("usage: sluice bench [OPTION]...\n"
         "\n"
         "Measures `sluice ingest` on this machine against floors in the same run: a program that\n"
         "receives and drops, one that receives and writes with pwrite, and what the disk takes\n"
         "past the page cache. A sender (`sluice simulate`) and the receiver are processes of "
         "their own; receivers take turns,\n"
         "files are fresh in every round and removed after it. Ratios hold where figures drift.\n"
         "\n"
         "  --set NAME        data set, repeatable; default r500k3; --list names them\n"
         "  --replay DIR      captured messages for r500k3 (as of `sluice simulate`); default:\n"
         "                    $SLUICE_SHARED or ../shared where that is there, else made ones\n"
         "  --made            made frames, whatever is there\n"
         "  --mode M          burst (as fast as they are taken), paced or both; default both\n"
         "  --rate HZ         of paced; default 1000\n"
         "  --directory DIR   where files go, repeatable, for example /dev/shm; default: here, or\n"
         "                    /var/tmp when this directory cannot be written\n"
         "  --images N        of each round; default: as --list says, paced at most 5 s\n"
         "  --repeat N        rounds; default 3\n"
         "  --key KEY=VALUE   for `sluice ingest --set`, repeatable\n"
         "  --other PROGRAM   another build of sluice, measured in the same rounds\n"
         "  --json FILE       every round as JSON; - is stdout, and the table goes to stderr\n"
         "  --quick           few images, one round: a smoke test, its times mean nothing\n"
         "  --list            the data sets, and leave\n"
         "  --help            this, and leave\n"
         "\n"
         "What it starts itself as, for use by hand too:\n"
         "  sluice bench --receive drop|pwrite --endpoint E --images N [--file FILE]\n"
         "  sluice bench --receive disk --file FILE --images MEBIBYTES\n"
         "\n"
         "exit: 0 measured, 1 it failed, 2 usage, 3 images were lost in a round (its figures do\n"
         "      not count). Missing a target is no failure.");
}

static void print_list(void)
{
    const struct sluice_bench_set *set;
    printf("%-9s %7s  %s\n", "name", "images", "what");
    for (uint32_t i = 0; (set = sluice_bench_set_at(i)) != NULL; i++) {
        char path[4096];
        printf("%-9s %7" PRIu64 "  %s%s%s\n", set->name, set->images, set->description,
               sluice_bench_set_captured(set, path, sizeof(path)) ? "; captured: " : "; made",
               sluice_bench_set_captured(set, path, sizeof(path)) ? path : "");
    }
}

/* ---- options: each says on stderr what is wrong ---- */

static bool bad(const char *option, const char *expected)
{
    fprintf(stderr, "sluice bench: --%s: expected %s, got \"%s\"\n", option, expected, optarg);
    return false;
}

static bool take_uint(const char *option, uint64_t max, uint64_t *value)
{
    char *end, expected[64];
    errno = 0;
    *value = strtoull(optarg, &end, 10);
    if (*optarg >= '0' && *optarg <= '9' && *end == '\0' && errno == 0 && *value >= 1 &&
        *value <= max) {
        return true;
    }
    snprintf(expected, sizeof(expected), "a whole number from 1 to %" PRIu64, max);
    return bad(option, expected);
}

static bool take_rate(struct sluice_bench_settings *bench)
{
    char *end;
    bench->rate_hz = strtod(optarg, &end);
    if (end != optarg && *end == '\0' && bench->rate_hz > 0 && bench->rate_hz <= RATE_MAX) {
        return true;
    }
    return bad("rate", "images a second, above 0");
}

static bool take_set(struct sluice_bench_settings *bench)
{
    const struct sluice_bench_set *set = sluice_bench_set_find(optarg);
    if (set == NULL) {
        return bad("set", "one of --list");
    }
    if (bench->set_count == SLUICE_BENCH_SETS_MAX) {
        return bad("set", "fewer of them");
    }
    bench->sets[bench->set_count++] = set;
    return true;
}

static bool take_mode(struct sluice_bench_settings *bench)
{
    const bool both = strcmp(optarg, "both") == 0;
    bench->burst = both || strcmp(optarg, "burst") == 0;
    bench->paced = both || strcmp(optarg, "paced") == 0;
    return bench->burst || bench->paced || bad("mode", "burst, paced or both");
}

/* Lists of borrowed texts. */
static bool take_text(const char *option, const char **list, uint32_t *count, uint32_t max)
{
    if (*count == max) {
        return bad(option, "fewer of them");
    }
    list[(*count)++] = optarg;
    return true;
}

static bool take(struct options *options, int code)
{
    struct sluice_bench_settings *bench = &options->bench;
    uint64_t number = 0;
    switch (code) {
    case OPTION_SET:
        return take_set(bench);
    case OPTION_REPLAY:
        bench->replay = optarg;
        return access(optarg, R_OK | X_OK) == 0 || bad("replay", "a directory that can be read");
    case OPTION_MADE:
        bench->made = true;
        return true;
    case OPTION_MODE:
        return take_mode(bench);
    case OPTION_RATE:
        return take_rate(bench);
    case OPTION_DIRECTORY:
        return (access(optarg, W_OK | X_OK) == 0 ||
                bad("directory", "a directory that can be written")) &&
               take_text("directory", bench->directories, &bench->directory_count,
                         SLUICE_BENCH_DIRECTORIES_MAX);
    case OPTION_IMAGES:
        return take_uint("images", IMAGES_MAX, &bench->images);
    case OPTION_REPEAT:
        if (!take_uint("repeat", SLUICE_BENCH_REPEAT_MAX, &number)) {
            return false;
        }
        bench->repeat = (uint32_t)number;
        return true;
    case OPTION_KEY:
        return take_text("key", bench->ingest_keys, &bench->ingest_key_count,
                         SLUICE_INGEST_KEYS_MAX);
    case OPTION_OTHER:
        bench->other = optarg;
        return access(optarg, X_OK) == 0 || bad("other", "a program");
    case OPTION_JSON:
        options->json = optarg;
        return true;
    case OPTION_QUICK:
        bench->quick = true;
        return true;
    case OPTION_RECEIVE:
        options->receive = optarg;
        return strcmp(optarg, "drop") == 0 || strcmp(optarg, "pwrite") == 0 ||
               strcmp(optarg, "disk") == 0 || bad("receive", "drop, pwrite or disk");
    case OPTION_ENDPOINT:
        options->endpoint = optarg;
        return true;
    default: /* OPTION_FILE */
        options->file = optarg;
        return true;
    }
}

/* What is not given, and what does not go together. */
static bool complete(struct options *options)
{
    struct sluice_bench_settings *bench = &options->bench;
    if (options->receive == NULL && (options->endpoint != NULL || options->file != NULL)) {
        fputs("sluice bench: --endpoint and --file belong to --receive\n", stderr);
        return false;
    }
    if (options->receive != NULL &&
        (bench->images == 0 ||
         (strcmp(options->receive, "disk") == 0) != (options->endpoint == NULL) ||
         (strcmp(options->receive, "drop") == 0) != (options->file == NULL))) {
        fputs("sluice bench: --receive needs --images, and --endpoint (drop, pwrite) or --file "
              "(pwrite, disk)\n",
              stderr);
        return false;
    }
    if (bench->made && bench->replay != NULL) {
        fputs("sluice bench: --made and --replay exclude each other\n", stderr);
        return false;
    }
    if (bench->set_count == 0) {
        bench->sets[bench->set_count++] = sluice_bench_set_find("r500k3");
    }
    if (bench->directory_count == 0) {
        bench->directories[bench->directory_count++] = access(".", W_OK) == 0 ? "." : "/var/tmp";
    }
    if (bench->repeat == 0) {
        bench->repeat = bench->quick ? 1 : REPEAT;
    }
    return true;
}

/* ---- what it does ---- */

static int receive(const struct options *options)
{
    const struct sluice_floor_settings settings = {
        .endpoint = options->endpoint,
        .file = options->file,
        .images = options->bench.images,
    };
    struct sluice_floor_report report;
    struct sluice_error error = {0};
    if (sluice_floor_run(&settings, &report, &error) != SLUICE_OK) {
        fprintf(stderr, "sluice bench: %s\n", error.message);
        return SLUICE_EXIT_FAILED;
    }
    printf("{\"messages\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"seconds\":%.9f}\n", report.messages,
           report.bytes, report.seconds);
    return fflush(stdout) == 0 ? SLUICE_EXIT_OK : SLUICE_EXIT_FAILED;
}

/* Its exit status tells a disk that cannot be written that way from one that failed. */
static int write_disk(const struct options *options)
{
    uint64_t written = 0;
    double seconds = 0;
    struct sluice_error error = {0};
    const enum sluice_status status =
        sluice_disk_run(options->file, options->bench.images << 20, &written, &seconds, &error);
    if (status != SLUICE_OK) {
        fprintf(stderr, "sluice bench: %s\n", error.message);
        return status == SLUICE_UNSUPPORTED ? SLUICE_EXIT_USAGE : SLUICE_EXIT_FAILED;
    }
    printf("{\"bytes\":%" PRIu64 ",\"seconds\":%.9f}\n", written, seconds);
    return fflush(stdout) == 0 ? SLUICE_EXIT_OK : SLUICE_EXIT_FAILED;
}

static bool write_json(const char *path, const struct sluice_bench_results *results)
{
    struct sluice_json json = {0};
    FILE *stream = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
    sluice_bench_json(results, &json);
    bool good = stream != NULL && !json.failed && fprintf(stream, "%s\n", json.text) > 0;
    if (stream != NULL && stream != stdout) {
        good = fclose(stream) == 0 && good;
    } else if (stream != NULL) {
        good = fflush(stream) == 0 && good;
    }
    if (!good) {
        fprintf(stderr, "sluice bench: --json %s: %s\n", path, strerror(errno));
    }
    sluice_json_close(&json);
    return good;
}

static void on_case(const struct sluice_bench_case *result)
{
    sluice_bench_print_case(table, result);
}

static int measure(const struct options *options)
{
    struct sluice_bench_results results;
    struct sluice_error error = {0};
    struct sluice_machine machine;
    const struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    table = options->json != NULL && strcmp(options->json, "-") == 0 ? stderr : stdout;
    sluice_machine_look(&machine);
    sluice_bench_print_head(table, &machine);
    const enum sluice_status status = sluice_bench_run(&options->bench, on_case, &results, &error);
    int code = results.all_valid ? SLUICE_EXIT_OK : SLUICE_EXIT_LOSSES;
    if (status != SLUICE_OK) {
        fprintf(stderr, "sluice bench: %s\n",
                status == SLUICE_AGAIN ? "stopped by a signal" : error.message);
        code = SLUICE_EXIT_FAILED;
    }
    if (options->json != NULL && !write_json(options->json, &results)) {
        code = SLUICE_EXIT_FAILED;
    }
    sluice_bench_results_close(&results);
    return code;
}

int sluice_verb_bench(int argc, char **argv)
{
    struct options options = {
        .bench = {.program = PROGRAM,
                  .burst = true,
                  .paced = true,
                  .rate_hz = RATE_DEFAULT,
                  .stop = &stop},
    };
    int code;
    optind = 1;
    while ((code = getopt_long(argc, argv, "", sluice_options_bench, NULL)) != -1) {
        if (code == OPTION_HELP || code == OPTION_LIST) {
            (code == OPTION_HELP ? print_help : print_list)();
            return fflush(stdout) == 0 ? SLUICE_EXIT_OK : SLUICE_EXIT_FAILED;
        }
        if (code == '?' || !take(&options, code)) { /* getopt has said what is wrong */
            fputs("see sluice bench --help\n", stderr);
            return SLUICE_EXIT_USAGE;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "sluice bench: \"%s\" is no option; see sluice bench --help\n",
                argv[optind]);
        return SLUICE_EXIT_USAGE;
    }
    if (!complete(&options)) {
        return SLUICE_EXIT_USAGE;
    }
    if (options.receive == NULL) {
        return measure(&options);
    }
    return strcmp(options.receive, "disk") == 0 ? write_disk(&options) : receive(&options);
}
