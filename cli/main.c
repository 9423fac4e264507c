/* SPDX-License-Identifier: Apache-2.0
 *
 * `sluice VERB …`: one table of verbs, verbs.def; each parses its own command line. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/verbs.h"
#include "config/nearest.h"
#include "core/cpu.h"

struct verb {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
};

static const struct verb verbs[] = {
#define X(verb, help) {#verb, sluice_verb_##verb, help},
#include "cli/verbs.def"
#undef X
};
#define VERB_COUNT (sizeof verbs / sizeof *verbs)

static void print_usage(FILE *stream)
{
    fputs("usage: sluice VERB [OPTION]...\n"
          "\n"
          "Detector frames from ZeroMQ to SWMR HDF5 files and live statistics.\n"
          "\n",
          stream);
    for (size_t i = 0; i < VERB_COUNT; i++)
        fprintf(stream, "  %-10s %s\n", verbs[i].name, verbs[i].help);
    fputs("\n"
          "  sluice VERB --help   the options of a verb\n"
          "  sluice --version     the version\n"
          "\n"
          "SLUICE_INSTRUCTIONS in the environment (auto, scalar, avx2, avx512) limits the vector\n"
          "instructions of every verb.\n"
          "\n"
          "Exit status: 0 all well, 1 it failed, 2 usage or configuration, 3 it ran, but images\n"
          "were lost or refused.\n",
          stream);
}

static int unknown_verb(const char *name)
{
    const char *names[VERB_COUNT];
    for (size_t i = 0; i < VERB_COUNT; i++)
        names[i] = verbs[i].name;
    const char *nearest = sluice_nearest(name, names, VERB_COUNT);
    fprintf(stderr, "sluice: unknown verb \"%s\"", name);
    if (nearest)
        fprintf(stderr, "; did you mean %s?", nearest);
    fputs("\n`sluice --help` lists the verbs.\n", stderr);
    return SLUICE_EXIT_USAGE;
}

static bool environment_is_good(void)
{
    const char *text = getenv("SLUICE_INSTRUCTIONS");
    enum sluice_cpu_level level;

    if (!text || sluice_cpu_level_from_name(text, &level))
        return true;
    fprintf(stderr,
            "sluice: SLUICE_INSTRUCTIONS is \"%s\"; it may be auto, scalar, avx2 or avx512\n",
            text);
    return false;
}

int main(int argc, char **argv)
{
    if (!environment_is_good())
        return SLUICE_EXIT_USAGE;
    if (argc < 2) {
        print_usage(stderr);
        return SLUICE_EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_usage(stdout);
        return fflush(stdout) == 0 ? SLUICE_EXIT_OK : SLUICE_EXIT_FAILED;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("sluice " SLUICE_VERSION);
        return fflush(stdout) == 0 ? SLUICE_EXIT_OK : SLUICE_EXIT_FAILED;
    }
    for (size_t i = 0; i < VERB_COUNT; i++)
        if (strcmp(argv[1], verbs[i].name) == 0)
            return verbs[i].run(argc - 1, argv + 1);
    return unknown_verb(argv[1]);
}
