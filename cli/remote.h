/* SPDX-License-Identifier: Apache-2.0
 *
 * What `sluice status`, `arm` and `stop` share: how the running ingest is found, and how an answer
 * becomes lines and an exit code. */
#ifndef SLUICE_CLI_REMOTE_H
#define SLUICE_CLI_REMOTE_H

#include "cli/settings.h"
#include "ingest/remote/remote.h"

struct sluice_cli_remote {
    const char *verb; /* for messages */
    struct sluice_cli_settings settings;
    const char *url, *token_file; /* NULL: from the configuration */
    bool json, wait;
    double timeout_s; /* of one request */
    struct sluice_remote remote;
};

/* Options that all three have, as long options; the codes are from 1000. */
#define SLUICE_CLI_REMOTE_OPTIONS                                                                  \
    {"config", required_argument, NULL, 'c'}, {"set", required_argument, NULL, 1000},              \
        {"url", required_argument, NULL, 1001}, {"token-file", required_argument, NULL, 1002},     \
        {"json", no_argument, NULL, 1003}, {"timeout", required_argument, NULL, 1004},             \
        {"wait", no_argument, NULL, 1005},                                                         \
    {                                                                                              \
        "help", no_argument, NULL, 'h'                                                             \
    }
#define SLUICE_CLI_REMOTE_HELP                                                                     \
    "      --url URL           where it listens; default: what the running instance says\n"        \
    "  -c, --config FILE       its configuration, for instance.name and http.token_file\n"         \
    "      --set KEY=VALUE     one key of it; may be repeated\n"                                   \
    "      --token-file FILE   the token that it wants\n"                                          \
    "      --timeout SECONDS   how long to wait for an answer; default 10 (stop: 30)\n"            \
    "      --json              print the answer as it came\n"                                      \
    "  -h, --help              this text\n"

/* Takes a common option; false: it is none, or wrong (said on stderr). */
bool sluice_cli_remote_option(struct sluice_cli_remote *cli, int option, const char *argument);
/* Finds the instance: --url, else STATE_DIRECTORY/INSTANCE.http. False: said on stderr, exit with
 * `*exit_code`. */
bool sluice_cli_remote_find(struct sluice_cli_remote *cli, int *exit_code);

/* Asks and prints (status lines, or JSON); the exit code: 1 when there was no answer or a refusal
 * (said on stderr). With --wait it goes on asking for the status until nothing is open, and the
 * code is that of the last series (3: images were lost). */
int sluice_cli_remote_run(struct sluice_cli_remote *cli, const char *method, const char *path,
                          const char *body);

#endif
