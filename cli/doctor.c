/* SPDX-License-Identifier: Apache-2.0
 *
 * `sluice doctor`: the command line of what doctor_*.c look at and measure. */
#include "cli/doctor.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/settings.h"
#include "cli/signals.h"
#include "cli/verbs.h"

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

enum option_code {
    OPTION_SET = 256,
    OPTION_DIRECTORY,
    OPTION_NO_MEASURE,
    OPTION_QUICK,
    OPTION_ROOT,
    OPTION_JSON,
};

const struct option sluice_options_doctor[] = {
    {"config", required_argument, NULL, 'c'},
    {"set", required_argument, NULL, OPTION_SET},
    {"directory", required_argument, NULL, OPTION_DIRECTORY},
    {"no-measure", no_argument, NULL, OPTION_NO_MEASURE},
    {"quick", no_argument, NULL, OPTION_QUICK},
    {"root", required_argument, NULL, OPTION_ROOT},
    {"json", no_argument, NULL, OPTION_JSON},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static const char help[] =
    "usage: sluice doctor [OPTION]...\n"
    "\n"
    "Says which settings of this machine cost rate or latency, and what to do about each; then\n"
    "measures what the machine takes: memory, compression, receiving, and the disk below each\n"
    "directory of writer.directory. Nothing is changed, nothing is left behind. Let nothing else\n"
    "run meanwhile. `sluice ingest --check` asks the other question: would this configuration "
    "run?\n"
    "\n"
    "  -c, --config FILE  configuration, as of `sluice ingest`\n"
    "  --set KEY=VALUE    one key of it, repeatable\n"
    "  --directory DIR    where files would go, repeatable; instead of writer.directory\n"
    "  --no-measure       the settings only: a moment instead of some seconds\n"
    "  --quick            measures so shortly that the figures mean little\n"
    "  --root DIR         looks at /proc and /sys below DIR, a copy of another machine's;\n"
    "                     measures nothing\n"
    "  --json             the list as JSON\n"
    "  --help             this, and leave\n"
    "\n"
    "exit: 0 also with warnings, 1 something could not be used at all, 2 usage or configuration\n";

struct options {
    struct sluice_cli_settings settings;
    const char *directories[SLUICE_DIRECTORIES_MAX];
    size_t directory_count;
    const char *root;
    bool no_measure, quick, json, help;
};

static bool take_directory(struct options *options)
{
    if (options->directory_count < SLUICE_DIRECTORIES_MAX) {
        options->directories[options->directory_count++] = optarg;
        return true;
    }
    fputs("sluice doctor: too many --directory\n", stderr);
    return false;
}

static bool take(struct options *options, int code)
{
    switch (code) {
    case 'c':
        options->settings.file = optarg;
        return true;
    case OPTION_SET:
        return sluice_cli_add_set(&options->settings, optarg);
    case OPTION_DIRECTORY:
        return take_directory(options);
    case OPTION_NO_MEASURE:
        options->no_measure = true;
        return true;
    case OPTION_QUICK:
        options->quick = true;
        return true;
    case OPTION_ROOT:
        options->root = optarg;
        if (access(optarg, R_OK | X_OK) == 0)
            return true;
        fprintf(stderr, "sluice doctor: --root %s: not a directory that can be read\n", optarg);
        return false;
    case OPTION_JSON:
        options->json = true;
        return true;
    case 'h':
        options->help = true;
        return true;
    default:
        return false;
    }
}

static int look(const struct options *options, struct sluice_config *config)
{
    static struct sluice_checks checks; /* too large for a stack */
    const struct sluice_doctor doctor = {
        .config = config,
        .root = options->root != NULL ? options->root : "",
        .quick = options->quick,
        .stop = &stop,
        .checks = &checks,
    };
    sluice_catch_ends(on_signal);
    for (size_t i = 0; i < options->directory_count; i++)
        config->writer.directories[i] = options->directories[i];
    if (options->directory_count > 0)
        config->writer.directory_count = options->directory_count;
    sluice_doctor_machine(&doctor);
    sluice_doctor_storage(&doctor);
    if (!options->no_measure && options->root == NULL) {
        fputs("sluice doctor: measuring, a few seconds\n", stderr);
        sluice_doctor_floors(&doctor);
    }
    if (stop != 0)
        fputs("sluice doctor: stopped by a signal: not all was measured\n", stderr);
    return sluice_checks_print(&checks, options->json) && checks.failures == 0 && stop == 0
               ? SLUICE_EXIT_OK
               : SLUICE_EXIT_FAILED;
}

int sluice_verb_doctor(int argc, char **argv)
{
    struct options options = {0};
    struct sluice_config config = {0};
    int code;
    optind = 1;
    while ((code = getopt_long(argc, argv, "c:h", sluice_options_doctor, NULL)) != -1)
        if (!take(&options, code)) {
            fputs("see sluice doctor --help\n", stderr);
            return SLUICE_EXIT_USAGE;
        }
    if (options.help) {
        fputs(help, stdout);
        return fflush(stdout) == 0 ? SLUICE_EXIT_OK : SLUICE_EXIT_FAILED;
    }
    if (optind < argc) {
        fprintf(stderr, "sluice doctor: \"%s\" is no option; see sluice doctor --help\n",
                argv[optind]);
        return SLUICE_EXIT_USAGE;
    }
    const int exit_code = sluice_cli_configure(&options.settings, &config) ? look(&options, &config)
                                                                           : SLUICE_EXIT_USAGE;
    sluice_config_close(&config);
    return exit_code;
}
