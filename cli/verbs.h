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

enum sluice_exit {
    SLUICE_EXIT_OK = 0,
    SLUICE_EXIT_FAILED = 1,
    SLUICE_EXIT_USAGE = 2,
    SLUICE_EXIT_LOSSES = 3,
};

int sluice_verb_ingest(int argc, char **argv);
int sluice_verb_simulate(int argc, char **argv);
int sluice_verb_stats(int argc, char **argv);
int sluice_verb_bench(int argc, char **argv);
int sluice_verb_config(int argc, char **argv);

#endif
