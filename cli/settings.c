/* SPDX-License-Identifier: Apache-2.0
 *
 * `--set` comes after the file wherever it stands on the command line, so that a script can add one
 * to what a user configured. */
#include "cli/settings.h"

#include <stdio.h>

#include "core/cpu.h"

bool sluice_cli_add_set(struct sluice_cli_settings *settings, const char *assignment)
{
    if (settings->set_count == SLUICE_CLI_SETS_MAX) {
        fprintf(stderr, "sluice: more than %d --set options; use a file (-c FILE)\n",
                SLUICE_CLI_SETS_MAX);
        return false;
    }
    settings->sets[settings->set_count++] = assignment;
    return true;
}

bool sluice_cli_configure(const struct sluice_cli_settings *settings, struct sluice_config *config)
{
    struct sluice_error error = {0};
    enum sluice_status status = sluice_config_init(config, &error);
    if (status == SLUICE_OK && settings->file)
        status = sluice_config_load_file(config, settings->file, &error);
    for (size_t i = 0; status == SLUICE_OK && i < settings->set_count; i++) {
        status = sluice_config_set(config, settings->sets[i], &error);
        if (status != SLUICE_OK)
            sluice_error_prefix(&error, "--set %s", settings->sets[i]);
    }
    if (status == SLUICE_OK)
        status = sluice_config_finish(config, &error);
    if (status != SLUICE_OK) {
        fprintf(stderr, "sluice: %s\n", error.message);
        return false;
    }
    sluice_log_set_level(config->log_level);
    if (config->codec.instructions > 0)
        sluice_cpu_limit((enum sluice_cpu_level)(config->codec.instructions - 1));
    return true;
}
