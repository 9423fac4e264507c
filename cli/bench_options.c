/* SPDX-License-Identifier: Apache-2.0
 *
 * Each option says on stderr what is wrong with it; help and list are here too, beside what they
 * speak of. */
#include "cli/bench_options.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/bench_targets.h"
#include "cli/verbs.h"

#define IMAGES_MAX     UINT64_C(1000000000)
#define RATE_MAX       1e6
#define REPEAT         3
#define REPEAT_TARGETS 5
#define PYTHON         "/usr/bin/python3"
#define MEMORY         "/dev/shm"

enum option_code {
    OPTION_SET = 256,
    OPTION_LIST,
    OPTION_REPLAY,
    OPTION_MADE,
    OPTION_MODE,
    OPTION_RATE,
    OPTION_READER,
    OPTION_DIRECTORY,
    OPTION_TMPFS,
    OPTION_IMAGES,
    OPTION_REPEAT,
    OPTION_KEY,
    OPTION_OTHER,
    OPTION_PYTHON,
    OPTION_NO_PYTHON,
    OPTION_TARGETS,
    OPTION_KERNELS,
    OPTION_CODEC_LIBRARY,
    OPTION_COMPARE,
    OPTION_ALL,
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
    {"reader", no_argument, NULL, OPTION_READER},
    {"directory", required_argument, NULL, OPTION_DIRECTORY},
    {"tmpfs", required_argument, NULL, OPTION_TMPFS},
    {"images", required_argument, NULL, OPTION_IMAGES},
    {"repeat", required_argument, NULL, OPTION_REPEAT},
    {"key", required_argument, NULL, OPTION_KEY},
    {"other", required_argument, NULL, OPTION_OTHER},
    {"python", required_argument, NULL, OPTION_PYTHON},
    {"no-python", no_argument, NULL, OPTION_NO_PYTHON},
    {"targets", no_argument, NULL, OPTION_TARGETS},
    {"kernels", optional_argument, NULL, OPTION_KERNELS},
    {"codec-library", required_argument, NULL, OPTION_CODEC_LIBRARY},
    {"compare", required_argument, NULL, OPTION_COMPARE},
    {"all", no_argument, NULL, OPTION_ALL},
    {"json", required_argument, NULL, OPTION_JSON},
    {"quick", no_argument, NULL, OPTION_QUICK},
    {"receive", required_argument, NULL, OPTION_RECEIVE},
    {"endpoint", required_argument, NULL, OPTION_ENDPOINT},
    {"file", required_argument, NULL, OPTION_FILE},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

static void print_help(void)
{
    puts(
        "usage: sluice bench [OPTION]...\n"
        "       sluice bench --targets [OPTION]...\n"
        "       sluice bench --kernels[=K] [OPTION]...\n"
        "       sluice bench --compare BEFORE.json AFTER.json [--all]\n"
        "\n"
        "Measures `sluice ingest` on this machine against floors and peers in the same run: a\n"
        "program that receives and drops, one that receives and writes with pwrite, what the disk\n"
        "takes past the page cache, and the Python script of a scientist (pyzmq, cbor2, h5py). A\n"
        "sender (`sluice simulate`) and the receiver are processes of their own; receivers take\n"
        "turns, files are fresh in every round and removed after it. Ratios hold where figures\n"
        "drift.\n"
        "\n"
        "  --set NAME        data set, repeatable; default r500k3; --list names them; all: every\n"
        "                    one but long\n"
        "  --replay DIR      captured messages for r500k3 and r500k1 in place of those of\n"
        "                    $SLUICE_SHARED or ../shared\n"
        "  --made            made frames, whatever is there\n"
        "  --mode M          burst (as fast as they are taken), paced or both; default both\n"
        "  --rate R          of paced, repeatable: images a second, or N% of what ingest reached\n"
        "                    in the burst; default 100, 1000 and 80%\n"
        "  --reader          a live reader beside ingest in bursts too (when paced there is one)\n"
        "  --directory DIR   where files go, repeatable, for example /dev/shm; default: here, or\n"
        "                    /var/tmp when this directory cannot be written\n"
        "  --tmpfs DIR       a file system in memory for --targets; default /dev/shm\n"
        "  --images N        of each round; default: as --list says, paced at most 3 s\n"
        "  --repeat N        rounds; default 3, with --targets 5\n"
        "  --key KEY=VALUE   for `sluice ingest --set`, repeatable\n"
        "  --other PROGRAM   another build of sluice, measured in the same rounds\n"
        "  --python PROGRAM  interpreter of the peer; default " PYTHON "\n"
        "  --no-python       without that peer\n"
        "  --targets         everything that the table of targets needs, and the table; three of\n"
        "                    its sets in memory (--tmpfs), too: twelve minutes, seven with\n"
        "                    --repeat 3; --set, --mode and --rate do not matter\n"
        "  --kernels[=K]     only single kernels, all or one. codec: bslz4 beside memcpy, the\n"
        "                    stock HDF5 filter and --codec-library; statistics: decoding with\n"
        "                    them beside h5py + numpy; ring: hand-over beside ck_ring; record:\n"
        "                    index and columns of an image, written into a data file\n"
        "  --codec-library F a shared library with bshuf_compress_lz4 and bshuf_decompress_lz4\n"
        "  --compare A B     two results figure by figure: ratios within a run and targets; "
        "--all:\n"
        "                    absolute figures too. Exit 0: nothing is worse, 1: something is, 2:\n"
        "                    files that cannot be used\n"
        "  --json FILE       every round as JSON; - is stdout, and the table goes to stderr\n"
        "  --quick           few images, one round: a smoke test, its times mean nothing\n"
        "  --list            the data sets, and leave\n"
        "  --help            this, and leave\n"
        "\n"
        "What it starts itself as, for use by hand too:\n"
        "  sluice bench --receive drop|pwrite --endpoint E --images N [--file FILE]\n"
        "  sluice bench --receive disk --file FILE --images MEBIBYTES\n"
        "  sluice bench --receive files --endpoint SET --file TIMES --images N\n"
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
        const bool captured = sluice_bench_set_captured(set, path, sizeof(path));
        printf("%-9s %7" PRIu64 "  %s%s%s", set->name, set->images, set->description,
               captured ? "; from " : "; made", captured ? path : "");
        for (size_t k = 0; k < SLUICE_SET_KEYS_MAX && set->keys[k] != NULL; k++)
            printf("; %s", set->keys[k]);
        putchar('\n');
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
        *value <= max)
        return true;
    snprintf(expected, sizeof(expected), "a whole number from 1 to %" PRIu64, max);
    return bad(option, expected);
}

static bool take_rate(struct sluice_bench_settings *bench)
{
    char *end;
    const double rate = strtod(optarg, &end);
    const bool share = *end == '%' && end[1] == '\0';
    if (end == optarg || !(rate > 0) || rate > (share ? 100 : RATE_MAX) || (!share && *end != '\0'))
        return bad("rate", "images a second above 0, or a percentage up to 100%");
    if (bench->rate_count == SLUICE_BENCH_RATES_MAX)
        return bad("rate", "fewer of them");
    bench->rates[bench->rate_count++] = share ? -rate / 100 : rate;
    return true;
}

/* Those whose rounds take seconds. */
static void take_all_sets(struct sluice_bench_settings *bench)
{
    const struct sluice_bench_set *set;
    bench->set_count = 0;
    for (uint32_t i = 0; (set = sluice_bench_set_at(i)) != NULL; i++)
        if (strcmp(set->name, "long") != 0 && bench->set_count < SLUICE_BENCH_SETS_MAX)
            bench->sets[bench->set_count++] = set;
}

static bool take_set(struct sluice_bench_settings *bench)
{
    const struct sluice_bench_set *set = sluice_bench_set_find(optarg);
    if (strcmp(optarg, "all") == 0) {
        take_all_sets(bench);
        return true;
    }
    if (set == NULL)
        return bad("set", "one of --list, or all");
    if (bench->set_count == SLUICE_BENCH_SETS_MAX)
        return bad("set", "fewer of them");
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
    if (*count == max)
        return bad(option, "fewer of them");
    list[(*count)++] = optarg;
    return true;
}

/* Options of what is started. */
static bool take_program(struct sluice_bench_options *options, int code)
{
    struct sluice_bench_settings *bench = &options->bench;
    switch (code) {
    case OPTION_OTHER:
        bench->other = optarg;
        return access(optarg, X_OK) == 0 || bad("other", "a program");
    case OPTION_PYTHON:
        bench->python = optarg;
        return true;
    case OPTION_NO_PYTHON:
        options->no_python = true;
        return true;
    case OPTION_KEY:
        return take_text("key", bench->ingest_keys, &bench->ingest_key_count,
                         SLUICE_INGEST_KEYS_MAX);
    case OPTION_RECEIVE:
        options->receive = optarg;
        return strcmp(optarg, "drop") == 0 || strcmp(optarg, "pwrite") == 0 ||
               strcmp(optarg, "disk") == 0 || strcmp(optarg, "files") == 0 ||
               bad("receive", "drop, pwrite, disk or files");
    case OPTION_ENDPOINT:
        options->endpoint = optarg;
        return true;
    case OPTION_CODEC_LIBRARY:
        options->codec_library = optarg;
        return access(optarg, R_OK) == 0 || bad("codec-library", "a shared library");
    case OPTION_TMPFS:
        bench->memory = optarg;
        return access(optarg, W_OK | X_OK) == 0 || bad("tmpfs", "a directory that can be written");
    default: /* OPTION_FILE */
        options->file = optarg;
        return true;
    }
}

/* Options of what is to be done at all. */
static bool take_task(struct sluice_bench_options *options, int code)
{
    switch (code) {
    case OPTION_TARGETS:
        options->targets = true;
        return true;
    case OPTION_KERNELS:
        options->kernels = true;
        options->kernel = optarg;
        return optarg == NULL || sluice_bench_has_kernel(optarg) ||
               bad("kernels", "nothing, or codec, statistics, ring or record");
    case OPTION_COMPARE:
        options->before = optarg;
        return true;
    case OPTION_ALL:
        options->all = true;
        return true;
    default:
        return take_program(options, code);
    }
}

static bool take(struct sluice_bench_options *options, int code)
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
    case OPTION_READER:
        bench->reader = true;
        return true;
    case OPTION_DIRECTORY:
        return (access(optarg, W_OK | X_OK) == 0 ||
                bad("directory", "a directory that can be written")) &&
               take_text("directory", bench->directories, &bench->directory_count,
                         SLUICE_BENCH_DIRECTORIES_MAX);
    case OPTION_IMAGES:
        return take_uint("images", IMAGES_MAX, &bench->images);
    case OPTION_REPEAT:
        if (!take_uint("repeat", SLUICE_BENCH_REPEAT_MAX, &number))
            return false;
        bench->repeat = (uint32_t)number;
        return true;
    case OPTION_JSON:
        options->json = optarg;
        return true;
    case OPTION_QUICK:
        bench->quick = true;
        return true;
    default:
        return take_task(options, code);
    }
}

/* ---- what does not go together, and what is not given ---- */

static bool check_receive(const struct sluice_bench_options *options)
{
    const char *receive = options->receive;
    if (receive == NULL && (options->endpoint != NULL || options->file != NULL)) {
        fputs("sluice bench: --endpoint and --file belong to --receive\n", stderr);
        return false;
    }
    if (receive != NULL && (options->bench.images == 0 ||
                            (strcmp(receive, "disk") == 0) != (options->endpoint == NULL) ||
                            (strcmp(receive, "drop") == 0) != (options->file == NULL))) {
        fputs("sluice bench: --receive needs --images, --endpoint (drop, pwrite, files) and --file "
              "(pwrite, disk, files)\n",
              stderr);
        return false;
    }
    return true;
}

static void complete(struct sluice_bench_options *options)
{
    static const double rates[] = {100, 1000, -0.8};
    struct sluice_bench_settings *bench = &options->bench;
    const char *python = bench->python != NULL ? bench->python : PYTHON;
    if (bench->set_count == 0)
        bench->sets[bench->set_count++] = sluice_bench_set_find("r500k3");
    if (bench->directory_count == 0)
        bench->directories[bench->directory_count++] = access(".", W_OK) == 0 ? "." : "/var/tmp";
    if (bench->memory == NULL)
        bench->memory = MEMORY;
    if (bench->repeat == 0)
        bench->repeat = bench->quick ? 1 : options->targets ? REPEAT_TARGETS : REPEAT;
    if (bench->rate_count == 0) {
        bench->rate_count = sizeof(rates) / sizeof(rates[0]);
        memcpy(bench->rates, rates, sizeof(rates));
    }
    bench->python = NULL;
    if (options->no_python)
        snprintf(bench->python_reason, sizeof(bench->python_reason), "--no-python");
    else if (options->receive == NULL && options->before == NULL &&
             sluice_bench_python_works(python, bench->python_reason, sizeof(bench->python_reason)))
        bench->python = python;
}

int sluice_bench_options_read(struct sluice_bench_options *options, int argc, char **argv)
{
    int code;
    optind = 1;
    while ((code = getopt_long(argc, argv, "", sluice_options_bench, NULL)) != -1) {
        if (code == OPTION_HELP || code == OPTION_LIST) {
            (code == OPTION_HELP ? print_help : print_list)();
            return fflush(stdout) == 0 ? SLUICE_EXIT_OK : SLUICE_EXIT_FAILED;
        }
        if (code == '?' || !take(options, code)) { /* getopt has said what is wrong */
            fputs("see sluice bench --help\n", stderr);
            return SLUICE_EXIT_USAGE;
        }
    }
    if (options->before != NULL && optind < argc)
        options->after = argv[optind++];
    if (optind < argc) {
        fprintf(stderr, "sluice bench: \"%s\" is no option; see sluice bench --help\n",
                argv[optind]);
        return SLUICE_EXIT_USAGE;
    }
    if (options->bench.made && options->bench.replay != NULL) {
        fputs("sluice bench: --made and --replay exclude each other\n", stderr);
        return SLUICE_EXIT_USAGE;
    }
    if ((options->before == NULL) != (options->after == NULL) ||
        (options->before == NULL && options->all)) {
        fputs("sluice bench: --compare BEFORE.json AFTER.json needs both; --all belongs to it\n",
              stderr);
        return SLUICE_EXIT_USAGE;
    }
    if (!check_receive(options))
        return SLUICE_EXIT_USAGE;
    complete(options);
    return -1;
}
