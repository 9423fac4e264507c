/* SPDX-License-Identifier: Apache-2.0
 *
 * The command lines of a round. The receiver is started first; the sender waits for its connection
 * and START_DELAY longer, so that no set-up is inside the measured time. */
#include "bench/pipeline/round_run.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/peers/peers.h"

#define START_DELAY        "0.3"
#define START_DELAY_QUICK  "0.05"
#define PYTHON_FLUSH_BURST "100"
#define PYTHON_FLUSH_PACED "1"

static void add(struct sluice_arguments *arguments, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        sluice_arguments_add(arguments, list[i]);
}
#define ADD(arguments, ...)                                                                        \
    add(arguments, (const char *const[]){__VA_ARGS__},                                             \
        sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

/* A port that nobody uses now. Another program could take it before the sender does; then the
 * round fails and says so. */
static enum sluice_status choose_endpoint(struct sluice_round_run *run, struct sluice_error *error)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof(address);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool bound = fd >= 0 && bind(fd, (struct sockaddr *)&address, bytes) == 0 &&
                       getsockname(fd, (struct sockaddr *)&address, &bytes) == 0;
    const int code = errno;
    if (fd >= 0)
        close(fd);
    if (!bound)
        return sluice_error_errno(error, SLUICE_SYSTEM, code, "no free port on 127.0.0.1");
    snprintf(run->endpoint, sizeof(run->endpoint), "tcp://127.0.0.1:%d",
             (int)ntohs(address.sin_port));
    return SLUICE_OK;
}

static void sender_arguments(struct sluice_round_run *run, struct sluice_arguments *arguments)
{
    const struct sluice_round_settings *settings = run->settings;
    ADD(arguments, "sluice", "simulate", "--endpoint", run->endpoint, "--images", run->images,
        "--start-delay", settings->quick ? START_DELAY_QUICK : START_DELAY);
    if (settings->replay != NULL) {
        ADD(arguments, "--replay", settings->replay);
    } else {
        snprintf(run->channels, sizeof(run->channels), "%u", settings->set->channels);
        ADD(arguments, "--detector", settings->set->detector, "--channels", run->channels,
            "--encoding", sluice_encoding_name(settings->set->encoding));
    }
    if (settings->rate_hz > 0) {
        snprintf(run->rate, sizeof(run->rate), "%.17g", settings->rate_hz);
        ADD(arguments, "--rate", run->rate);
    }
    snprintf(run->stamps, sizeof(run->stamps), "%s/stamps", settings->scratch);
    ADD(arguments, "--stamps", run->stamps);
}

static void floor_arguments(struct sluice_round_run *run, struct sluice_arguments *arguments)
{
    const bool drop = run->round->receiver == SLUICE_RECEIVER_DROP;
    ADD(arguments, "sluice", "bench", "--receive", drop ? "drop" : "pwrite", "--endpoint",
        run->endpoint, "--images", run->images);
    if (!drop) {
        snprintf(run->file, sizeof(run->file), "%s/messages", run->settings->directory);
        ADD(arguments, "--file", run->file);
    }
}

/* What the disk is given: about as many bytes as the messages have, in MiB. */
static void disk_arguments(struct sluice_round_run *run, struct sluice_arguments *arguments)
{
    const struct sluice_round_settings *settings = run->settings;
    snprintf(run->file, sizeof(run->file), "%s/pieces", settings->directory);
    snprintf(run->mebibytes, sizeof(run->mebibytes), "%" PRIu64,
             (settings->images * settings->set->bytes_about >> 20) + 1);
    ADD(arguments, "sluice", "bench", "--receive", "disk", "--file", run->file, "--images",
        run->mebibytes);
}

static void python_arguments(struct sluice_round_run *run, struct sluice_arguments *arguments)
{
    const struct sluice_round_settings *settings = run->settings;
    snprintf(run->file, sizeof(run->file), "%s/python.h5", settings->directory);
    ADD(arguments, "python3", "-B", "-c", sluice_peer_writer, run->endpoint, run->file,
        settings->rate_hz > 0 ? PYTHON_FLUSH_PACED : PYTHON_FLUSH_BURST);
    if (sluice_round_has_passages(run)) {
        snprintf(run->passages, sizeof(run->passages), "%s/passages", settings->scratch);
        ADD(arguments, run->passages);
    }
}

static void ingest_arguments(struct sluice_round_run *run, struct sluice_arguments *arguments)
{
    const struct sluice_round_settings *settings = run->settings;
    snprintf(run->endpoint_key, sizeof(run->endpoint_key), "source.endpoint=%s", run->endpoint);
    snprintf(run->directory_key, sizeof(run->directory_key), "writer.directory=%s",
             settings->directory);
    snprintf(run->state_key, sizeof(run->state_key), "instance.state_directory=%s",
             settings->directory);
    ADD(arguments, "sluice", "ingest", "--series", "1", "--set", run->endpoint_key, "--set",
        run->directory_key, "--set", run->state_key, "--set", "log.level=warning", "--set",
        "writer.name=bench");
    for (size_t i = 0; i < SLUICE_SET_KEYS_MAX && settings->set->keys[i] != NULL; i++)
        ADD(arguments, "--set", settings->set->keys[i]);
    for (uint32_t i = 0; i < settings->ingest_key_count; i++)
        ADD(arguments, "--set", settings->ingest_keys[i]);
}

static enum sluice_status start_reader(struct sluice_round_run *run, struct sluice_error *error)
{
    struct sluice_arguments arguments = {0};
    snprintf(run->data, sizeof(run->data), "%s/bench_data_000001.h5", run->settings->directory);
    snprintf(run->passages, sizeof(run->passages), "%s/passages", run->settings->scratch);
    ADD(&arguments, "sluice", "bench", "--receive", "files", "--endpoint", run->data, "--file",
        run->passages, "--images", run->images);
    return sluice_process_start(&run->reader, run->settings->program, &arguments, error);
}

enum sluice_status sluice_round_start(struct sluice_round_run *run, struct sluice_error *error)
{
    const struct sluice_round_settings *settings = run->settings;
    const enum sluice_receiver receiver = run->round->receiver;
    struct sluice_arguments sender = {0}, arguments = {0};
    const char *program = settings->program;
    enum sluice_status status = choose_endpoint(run, error);
    if (status != SLUICE_OK)
        return status;
    snprintf(run->images, sizeof(run->images), "%" PRIu64, settings->images);
    if (receiver == SLUICE_RECEIVER_DISK) {
        disk_arguments(run, &arguments);
    } else if (receiver == SLUICE_RECEIVER_PYTHON) {
        python_arguments(run, &arguments);
        program = settings->python;
    } else if (sluice_receiver_is_ingest(receiver)) {
        ingest_arguments(run, &arguments);
        program = receiver == SLUICE_RECEIVER_OTHER ? settings->other : program;
    } else {
        floor_arguments(run, &arguments);
    }
    status = sluice_process_start(&run->receiver, program, &arguments, error);
    if (status == SLUICE_OK && receiver == SLUICE_RECEIVER_LIVE)
        status = start_reader(run, error);
    if (status == SLUICE_OK && sluice_round_has_sender(run)) {
        sender_arguments(run, &sender);
        status = sluice_process_start(&run->sender, settings->program, &sender, error);
    }
    return status;
}
