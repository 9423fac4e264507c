/* SPDX-License-Identifier: Apache-2.0
 *
 * The verbs of `sluice`. Each gets its own name as argv[0] and the rest of the command line, parses
 * it with getopt_long, answers --help on stdout (exit 0), and returns the exit code:
 *
 *   0 all well   1 it failed   2 usage or configuration   3 it ran, but images were lost or refused
 *
 * Here and nowhere else rooms are put together. */
#ifndef SLUICE_CLI_VERBS_H
#define SLUICE_CLI_VERBS_H

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>

enum sluice_exit {
    SLUICE_EXIT_OK = 0,
    SLUICE_EXIT_FAILED = 1,
    SLUICE_EXIT_USAGE = 2,
    SLUICE_EXIT_LOSSES = 3,
};

/* sluice_verb_ingest … and what getopt_long takes, sluice_options_ingest … (completion.c too) */
#define X(verb, help)                                                                              \
    int sluice_verb_##verb(int argc, char **argv);                                                 \
    extern const struct option sluice_options_##verb[];
#include "cli/verbs.def"
#undef X

/* Prints the completion script of a shell, bash or zsh; false: there is none for this one. */
bool sluice_cli_print_completion(const char *shell, FILE *stream);

#endif
