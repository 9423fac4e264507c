/* SPDX-License-Identifier: Apache-2.0
 *
 * The two options that every verb with a configuration has: `-c FILE` and `--set KEY=VALUE`. */
#ifndef SLUICE_CLI_SETTINGS_H
#define SLUICE_CLI_SETTINGS_H

#include <stdbool.h>

#include "config/config.h"

#define SLUICE_CLI_SETS_MAX 128

/* What the command line said, in its order; the texts are argv's. Zeroed memory is empty. */
struct sluice_cli_settings {
    const char *file; /* NULL: none */
    const char *sets[SLUICE_CLI_SETS_MAX];
    size_t set_count;
};

/* Remembers one --set; false (and said on stderr) when there are too many. */
bool sluice_cli_add_set(struct sluice_cli_settings *settings, const char *assignment);

/* Defaults, then the file, then every --set, then the cross checks. True: `config` is ready, and
 * its log level
 * and limit of instructions are in force. False: the error was said on stderr, exit with
 * SLUICE_EXIT_USAGE. Close the configuration in any case. */
bool sluice_cli_configure(const struct sluice_cli_settings *settings, struct sluice_config *config);

#endif
