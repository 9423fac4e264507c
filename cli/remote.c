/* SPDX-License-Identifier: Apache-2.0
 *
 * Talking to a running ingest. An instance leaves its address in a file beside its counters, so
 * that nothing has to be said on its own host; elsewhere --url names it. */
#include "cli/remote.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/verbs.h"
#include "config/keys.h"
#include "core/clock.h"

#define LOOK_NS       (200 * SLUICE_NS_PER_MS)
#define SERVICE_STATE "/run/sluice" /* as the systemd unit has it */

bool sluice_cli_remote_option(struct sluice_cli_remote *cli, int option, const char *argument)
{
    char *end;
    switch (option) {
    case 'c':
        cli->settings.file = argument;
        return true;
    case 1000:
        return sluice_cli_add_set(&cli->settings, argument);
    case 1001:
        cli->url = argument;
        return true;
    case 1002:
        cli->token_file = argument;
        return true;
    case 1003:
        cli->json = true;
        return true;
    case 1004:
        cli->timeout_s = strtod(argument, &end);
        if (*argument != '\0' && *end == '\0' && cli->timeout_s > 0 && cli->timeout_s <= 300)
            return true;
        fprintf(stderr, "sluice %s: --timeout %s: seconds above 0, at most 300, are wanted\n",
                cli->verb, argument);
        return false;
    case 1005:
        cli->wait = true;
        return true;
    default:
        fprintf(stderr, "see sluice %s --help\n", cli->verb);
        return false;
    }
}

static bool read_line(const char *path, char *text, size_t bytes)
{
    FILE *file = fopen(path, "re");
    const bool read = file != NULL && fgets(text, (int)bytes, file) != NULL;
    if (file != NULL)
        fclose(file);
    if (read)
        text[strcspn(text, "\r\n")] = '\0';
    return read;
}

/* Where no directory is named, the service's is looked at after this user's own. */
static bool read_address(const struct sluice_config *config, char *url, size_t bytes)
{
    char path[1200], service[160];
    snprintf(path, sizeof(path), "%s/%s.http", config->state_directory, config->instance_name);
    snprintf(service, sizeof(service), SERVICE_STATE "/%s.http", config->instance_name);
    if (read_line(path, url, bytes) ||
        (config->origins[SLUICE_KEY_instance_state_directory].line == 0 &&
         read_line(service, url, bytes)))
        return true;
    fprintf(stderr,
            "sluice: no running instance \"%s\" listens (there is no %s): start ingest with "
            "http.listen, or name it with --url, -c or --set instance.name\n",
            config->instance_name, path);
    return false;
}

bool sluice_cli_remote_find(struct sluice_cli_remote *cli, int *exit_code)
{
    struct sluice_config config = {0};
    struct sluice_error error = {0};
    char url[256];
    *exit_code = SLUICE_EXIT_USAGE;
    bool good = sluice_cli_configure(&cli->settings, &config);
    if (good && cli->url == NULL) {
        *exit_code = SLUICE_EXIT_FAILED;
        good = read_address(&config, url, sizeof(url));
    } else if (good) {
        snprintf(url, sizeof(url), "%s", cli->url);
    }
    const char *token = cli->token_file != NULL ? cli->token_file : config.http_token_file;
    if (good &&
        (sluice_remote_address(&cli->remote, url, &error) != SLUICE_OK ||
         (token[0] != '\0' && sluice_remote_token(&cli->remote, token, &error) != SLUICE_OK))) {
        fprintf(stderr, "sluice %s: %s\n", cli->verb, error.message);
        *exit_code = SLUICE_EXIT_USAGE;
        good = false;
    }
    sluice_config_close(&config);
    return good;
}

/* ---- what people read ---- */

static void print_files(const struct sluice_remote_answer *answer)
{
    if (!sluice_remote_has(answer, "file_prefix"))
        return;
    printf("files        %s/%s_*\n", sluice_remote_text(answer, "file_path"),
           sluice_remote_text(answer, "file_prefix"));
    printf("images       %" PRIu64 " visible", sluice_remote_uint(answer, "frames_written"));
    if (sluice_remote_has(answer, "frames_expected"))
        printf(" of %" PRIu64, sluice_remote_uint(answer, "frames_expected"));
    printf(", %" PRIu64 " lost\n", sluice_remote_uint(answer, "frames_lost"));
}

static void print_last(const struct sluice_remote_answer *answer)
{
    if (!sluice_remote_has(answer, "last_series"))
        return;
    printf("last series  %" PRIu64 ": %s, %" PRIu64 " of %" PRIu64 " images, ended by %s\n",
           sluice_remote_uint(answer, "last_series.series_id"),
           sluice_remote_text(answer, "last_series.state"),
           sluice_remote_uint(answer, "last_series.images_visible"),
           sluice_remote_uint(answer, "last_series.images_expected"),
           sluice_remote_text(answer, "last_series.ended_by"));
}

static void print_status(const struct sluice_remote_answer *answer)
{
    const char *id = sluice_remote_text(answer, "acquisition_id");
    printf("state        %s%s%s\n", sluice_remote_text(answer, "state"),
           id != NULL ? ", acquisition " : "", id != NULL ? id : "");
    print_files(answer);
    if (sluice_remote_uint(answer, "drops_unexplained") > 0)
        printf("drops        %" PRIu64 " images, not accepted yet\n",
               sluice_remote_uint(answer, "drops_unexplained"));
    if (sluice_remote_has(answer, "free_bytes"))
        printf("free space   %.1f GB\n", (double)sluice_remote_uint(answer, "free_bytes") / 1e9);
    print_last(answer);
}

static int print_answer(const struct sluice_cli_remote *cli,
                        const struct sluice_remote_answer *answer)
{
    const char *error = sluice_remote_text(answer, "error");
    if (cli->json)
        printf("%s\n", answer->body);
    else if (answer->code < 300 && answer->json != NULL)
        print_status(answer);
    if (answer->code >= 300 || answer->json == NULL)
        fprintf(stderr, "sluice %s: refused (%d): %s\n", cli->verb, answer->code,
                error != NULL ? error : "this is no sluice");
    if (answer->code == 202)
        fprintf(stderr, "sluice %s: not closed in this time; the draining goes on\n", cli->verb);
    if (fflush(stdout) != 0 || answer->code == 202)
        return SLUICE_EXIT_FAILED;
    return answer->code < 300 && answer->json != NULL ? SLUICE_EXIT_OK : SLUICE_EXIT_FAILED;
}

/* ---- asking ---- */

static bool ask(const struct sluice_cli_remote *cli, const char *method, const char *path,
                const char *body, struct sluice_remote_answer *answer)
{
    struct sluice_error error = {0};
    const int64_t timeout_ns = (int64_t)(cli->timeout_s * (double)SLUICE_NS_PER_S);
    if (sluice_remote_ask(&cli->remote, method, path, body, timeout_ns, answer, &error) ==
        SLUICE_OK)
        return true;
    fprintf(stderr, "sluice %s: %s\n", cli->verb, error.message);
    return false;
}

static int code_of_last(const struct sluice_remote_answer *answer)
{
    const char *state = sluice_remote_text(answer, "last_series.state");
    if (!sluice_remote_has(answer, "last_series") ||
        strcmp(sluice_remote_text(answer, "state"), "idle") == 0)
        return SLUICE_EXIT_OK; /* disarmed, or nothing was ever open */
    if (state == NULL || strcmp(state, "failed") == 0)
        return SLUICE_EXIT_FAILED;
    return sluice_remote_uint(answer, "last_series.images_lost") > 0 ||
                   sluice_remote_uint(answer, "last_series.images_refused") > 0
               ? SLUICE_EXIT_LOSSES
               : SLUICE_EXIT_OK;
}

/* Asks for the status until nothing is armed or open. */
static int wait_closed(const struct sluice_cli_remote *cli)
{
    const struct timespec pause = {.tv_nsec = LOOK_NS};
    for (;;) {
        struct sluice_remote_answer answer = {0};
        if (!ask(cli, "GET", "/api/v1/status", NULL, &answer))
            return SLUICE_EXIT_FAILED;
        const bool closed = answer.code != 200 || !sluice_remote_bool(&answer, "writing");
        int code = closed ? print_answer(cli, &answer) : SLUICE_EXIT_OK;
        if (closed && code == SLUICE_EXIT_OK)
            code = code_of_last(&answer);
        sluice_remote_answer_close(&answer);
        if (closed)
            return code;
        nanosleep(&pause, NULL);
    }
}

int sluice_cli_remote_run(struct sluice_cli_remote *cli, const char *method, const char *path,
                          const char *body)
{
    struct sluice_remote_answer answer = {0};
    if (!ask(cli, method, path, body, &answer))
        return SLUICE_EXIT_FAILED;
    const bool go_on = cli->wait && answer.code < 300;
    const int code = go_on ? SLUICE_EXIT_OK : print_answer(cli, &answer);
    sluice_remote_answer_close(&answer);
    return go_on ? wait_closed(cli) : code;
}
