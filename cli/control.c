/* SPDX-License-Identifier: Apache-2.0
 *
 * `sluice status`, `sluice arm` and `sluice stop`: the HTTP surface from the shell. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/remote.h"
#include "cli/verbs.h"
#include "core/json.h"

#define ANSWER_MORE_S 5.0 /* beyond the time that the server takes: its answer has to arrive */

enum { DIRECTORY = 2000, IMAGES, ID, SHAPE, DTYPE, ACCEPT_DROPS };

const struct option sluice_options_status[] = {SLUICE_CLI_REMOTE_OPTIONS, {NULL, 0, NULL, 0}};
const struct option sluice_options_stop[] = {SLUICE_CLI_REMOTE_OPTIONS, {NULL, 0, NULL, 0}};
const struct option sluice_options_arm[] = {
    SLUICE_CLI_REMOTE_OPTIONS,
    {"directory", required_argument, NULL, DIRECTORY},
    {"images", required_argument, NULL, IMAGES},
    {"id", required_argument, NULL, ID},
    {"shape", required_argument, NULL, SHAPE},
    {"dtype", required_argument, NULL, DTYPE},
    {"accept-drops", no_argument, NULL, ACCEPT_DROPS},
    {NULL, 0, NULL, 0},
};

static const char status_help[] =
    "usage: sluice status [OPTION]...\n"
    "\n"
    "What a running `sluice ingest` is doing now (it needs http.listen).\n"
    "\n"
    "      --wait              go on until nothing is armed or open\n" SLUICE_CLI_REMOTE_HELP "\n"
    "exit: 0 answered (with --wait: the last series is whole), 1 no answer or refused\n"
    "      (--wait: it failed), 2 usage or configuration, 3 --wait: images were lost or refused\n";

static const char arm_help[] =
    "usage: sluice arm [NAME] [OPTION]...\n"
    "\n"
    "Tells a running `sluice ingest` how the next series is to be written. Refused, with the\n"
    "reason, when it could not be: files of that name are there, no space, a series is open,\n"
    "earlier drops have not been accepted. `sluice stop` takes it back.\n"
    "\n"
    "      --directory DIR     below the first writer.directory; it is made\n"
    "      --images N          how many are to come, where the detector does not say\n"
    "      --id TEXT           acquisition_id: comes back in status and summary\n"
    "      --shape YxX         rows and columns of an image, shown before the first one\n"
    "      --dtype TYPE        element type, such as uint16, shown before the first one\n"
    "      --accept-drops      images of earlier series were dropped: that is known\n"
    "      --wait              go on until that series is closed\n" SLUICE_CLI_REMOTE_HELP "\n"
    "exit: 0 armed (with --wait: the series is whole), 1 no answer or refused (--wait: it\n"
    "      failed), 2 usage or configuration, 3 --wait: images were lost or refused\n";

static const char stop_help[] =
    "usage: sluice stop [OPTION]...\n"
    "\n"
    "Closes the open series of a running `sluice ingest`, or takes an arm back. What has arrived\n"
    "is written first. Ingest goes on and takes the next series. Stopping twice is no error.\n"
    "\n"
    "      --wait              go on until it is closed, however long that "
    "takes\n" SLUICE_CLI_REMOTE_HELP "\n"
    "exit: 0 closed, 1 no answer, or not closed within the timeout, 2 usage or configuration,\n"
    "      3 --wait: images were lost or refused\n";

/* Takes the options that are not an arm's own; `*code` is the exit code when it ends here. */
static bool parse_common(struct sluice_cli_remote *cli, int argc, char **argv,
                         const struct option *options, const char *help, int *code)
{
    int option;
    while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        if (option == 'h') {
            fputs(help, stdout);
            *code = fflush(stdout) == 0 ? SLUICE_EXIT_OK : SLUICE_EXIT_FAILED;
            return false;
        }
        if (!sluice_cli_remote_option(cli, option, optarg)) {
            *code = SLUICE_EXIT_USAGE;
            return false;
        }
    }
    if (optind == argc)
        return sluice_cli_remote_find(cli, code);
    fprintf(stderr, "sluice %s: \"%s\" is no option; see sluice %s --help\n", cli->verb,
            argv[optind], cli->verb);
    *code = SLUICE_EXIT_USAGE;
    return false;
}

int sluice_verb_status(int argc, char **argv)
{
    struct sluice_cli_remote cli = {.verb = "status", .timeout_s = 10};
    int code;
    if (!parse_common(&cli, argc, argv, sluice_options_status, status_help, &code))
        return code;
    return sluice_cli_remote_run(&cli, "GET", "/api/v1/status", NULL);
}

int sluice_verb_stop(int argc, char **argv)
{
    struct sluice_cli_remote cli = {.verb = "stop", .timeout_s = 30};
    char body[64];
    int code;
    if (!parse_common(&cli, argc, argv, sluice_options_stop, stop_help, &code))
        return code;
    snprintf(body, sizeof(body), "{\"timeout_s\": %.3f}", cli.timeout_s);
    cli.timeout_s += ANSWER_MORE_S;
    return sluice_cli_remote_run(&cli, "POST", "/api/v1/stop", body);
}

/* ---- arm ---- */

static bool bad(const char *option, const char *argument, const char *wanted)
{
    fprintf(stderr, "sluice arm: --%s %s: %s is wanted\n", option, argument, wanted);
    return false;
}

static bool take_images(struct sluice_json *body, const char *argument)
{
    char *end;
    errno = 0;
    const unsigned long long images = strtoull(argument, &end, 10);
    if (errno != 0 || *argument < '0' || *argument > '9' || *end != '\0')
        return bad("images", argument, "a whole number");
    sluice_json_put_uint(body, "images", images);
    return true;
}

static bool take_shape(struct sluice_json *body, const char *argument)
{
    unsigned rows, columns;
    int used = 0;
    if (sscanf(argument, "%5ux%5u%n", &rows, &columns, &used) != 2 || argument[used] != '\0')
        return bad("shape", argument, "ROWSxCOLUMNS, such as 512x1028,");
    sluice_json_key(body, "shape");
    sluice_json_array_begin(body);
    sluice_json_uint(body, rows);
    sluice_json_uint(body, columns);
    sluice_json_array_end(body);
    return true;
}

/* The options of an arm go straight into the body; ingest judges them. */
static bool take_arm_option(struct sluice_cli_remote *cli, struct sluice_json *body, int option,
                            const char *argument)
{
    switch (option) {
    case DIRECTORY:
        sluice_json_put_text(body, "directory", argument);
        return true;
    case IMAGES:
        return take_images(body, argument);
    case ID:
        sluice_json_put_text(body, "acquisition_id", argument);
        return true;
    case SHAPE:
        return take_shape(body, argument);
    case DTYPE:
        sluice_json_put_text(body, "dtype", argument);
        return true;
    case ACCEPT_DROPS:
        sluice_json_key(body, "accept_drops");
        sluice_json_bool(body, true);
        return true;
    default:
        return sluice_cli_remote_option(cli, option, argument);
    }
}

static int arm(struct sluice_cli_remote *cli, struct sluice_json *body, int argc, char **argv)
{
    int option, code;
    while ((option = getopt_long(argc, argv, "c:h", sluice_options_arm, NULL)) != -1) {
        if (option == 'h') {
            fputs(arm_help, stdout);
            return fflush(stdout) == 0 ? SLUICE_EXIT_OK : SLUICE_EXIT_FAILED;
        }
        if (!take_arm_option(cli, body, option, optarg))
            return SLUICE_EXIT_USAGE;
    }
    if (optind < argc)
        sluice_json_put_text(body, "name", argv[optind++]);
    if (optind < argc) {
        fprintf(stderr, "sluice arm: one NAME, not also \"%s\"; see sluice arm --help\n",
                argv[optind]);
        return SLUICE_EXIT_USAGE;
    }
    sluice_json_object_end(body);
    if (body->failed) {
        fputs("sluice arm: out of memory\n", stderr);
        return SLUICE_EXIT_FAILED;
    }
    if (!sluice_cli_remote_find(cli, &code))
        return code;
    return sluice_cli_remote_run(cli, "POST", "/api/v1/arm", body->text);
}

int sluice_verb_arm(int argc, char **argv)
{
    struct sluice_cli_remote cli = {.verb = "arm", .timeout_s = 10};
    struct sluice_json body = {0};
    sluice_json_object_begin(&body);
    const int code = arm(&cli, &body, argc, argv);
    sluice_json_close(&body);
    return code;
}
