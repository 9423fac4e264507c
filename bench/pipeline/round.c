/* SPDX-License-Identifier: Apache-2.0
 *
 * The receiver is started first; the sender waits for its connection and START_DELAY longer, so
 * that no set-up is inside the measured time. The sender's report says how much was sent, and the
 * receiver's how much arrived: a round counts only when they agree. */
#include "bench/pipeline/round.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"

#define START_DELAY        "0.3"
#define SETTLE_NS          (200 * SLUICE_NS_PER_MS)
#define TIMEOUT_NS         (120 * SLUICE_NS_PER_S)
#define SLOWEST_BYTES_S    UINT64_C(20000000) /* below, a round is given up */
#define SPACE_MARGIN_BYTES (UINT64_C(256) << 20)
#define SENDER_BOUND       0.05 /* of the time in which it was sending */
#define AT_ONCE            1.1  /* receiver and sender end together */
#define TEXT_BYTES         65536
#define DISK_UNSUPPORTED   2 /* exit status of `--receive disk` */

struct round_run {
    const struct sluice_round_settings *settings;
    struct sluice_round *round;
    struct sluice_process sender, receiver;
    char endpoint[64], endpoint_key[96], images[24], rate[32], file[4096];
    char directory_key[4096], state_key[4096];
};

/* ---- what the children print: one JSON object of ours; keys are looked for by name ---- */

static double number_of(const char *text, const char *key)
{
    char pattern[64];
    snprintf(pattern, sizeof(pattern), "\"%s\":", key);
    const char *at = strstr(text, pattern);
    return at != NULL ? strtod(at + strlen(pattern), NULL) : -1;
}

static uint64_t count_of(const char *text, const char *key)
{
    const double value = number_of(text, key);
    return value > 0 ? (uint64_t)value : 0;
}

static void invalid(struct sluice_round *round, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void invalid(struct sluice_round *round, const char *format, ...)
{
    va_list arguments;
    if (round->reason[0] == '\0') { /* the first reason wins */
        va_start(arguments, format);
        vsnprintf(round->reason, sizeof(round->reason), format, arguments);
        va_end(arguments);
    }
    round->valid = false;
}

static void take_sender(struct round_run *run, const char *text)
{
    struct sluice_round *round = run->round;
    round->images = count_of(text, "images");
    round->bytes = count_of(text, "bytes");
    round->sender_seconds = number_of(text, "seconds");
    round->sender_cpu_seconds = number_of(text, "cpu_seconds");
    round->sender_blocked_seconds = number_of(text, "blocked_seconds");
    round->sender_behind_seconds = number_of(text, "behind_max_seconds");
    if (round->images != run->settings->images || count_of(text, "undelivered") != 0) {
        invalid(round, "the sender delivered %" PRIu64 " of %" PRIu64 " images", round->images,
                run->settings->images);
    }
}

static void take_floor(struct round_run *run, const char *text)
{
    struct sluice_round *round = run->round;
    if (count_of(text, "messages") != round->images + 2 ||
        count_of(text, "bytes") != round->bytes) {
        invalid(round, "%" PRIu64 " bytes received of %" PRIu64 " sent", count_of(text, "bytes"),
                round->bytes);
    }
}

static void take_ingest(struct round_run *run, const char *text)
{
    struct sluice_round *round = run->round;
    const uint64_t written = count_of(text, "images_written");
    const uint64_t visible = count_of(text, "images_visible");
    round->latency_p50_ms = number_of(text, "p50");
    round->latency_p99_ms = number_of(text, "p99");
    round->latency_max_ms = number_of(text, "max");
    round->has_latency = round->latency_p50_ms >= 0;
    if (written != round->images || visible != round->images) {
        invalid(round, "%" PRIu64 " images sent, %" PRIu64 " written, %" PRIu64 " visible",
                round->images, written, visible);
    }
}

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec * 1e-6;
}

static bool is_floor(enum sluice_receiver receiver)
{
    return receiver < SLUICE_RECEIVER_INGEST;
}

static void take_disk(struct round_run *run, const char *text)
{
    struct sluice_round *round = run->round;
    round->bytes = count_of(text, "bytes");
    round->images = run->settings->images;
    if (sluice_process_code(&run->receiver) == DISK_UNSUPPORTED) {
        round->skipped = true;
        invalid(round, "the file system or kernel knows no O_DIRECT with io_uring");
    }
}

static void take_results(struct round_run *run)
{
    static char text[TEXT_BYTES];
    struct sluice_round *round = run->round;
    const struct rusage *usage = &run->receiver.usage;
    round->valid = true;
    if (round->receiver != SLUICE_RECEIVER_DISK) {
        sluice_process_out(&run->sender, text, sizeof(text));
        take_sender(run, text);
    }
    sluice_process_out(&run->receiver, text, sizeof(text));
    round->seconds = number_of(text, "seconds");
    if (round->receiver == SLUICE_RECEIVER_DISK) {
        take_disk(run, text);
    } else if (is_floor(round->receiver)) {
        take_floor(run, text);
    } else {
        take_ingest(run, text);
    }
    if (round->seconds <= 0) {
        invalid(round, "the receiver reported no time");
    }
    const int code = sluice_process_code(&run->receiver);
    if (code != 0) {
        invalid(round, "the receiver ended with status %d", code);
    }
    round->user_seconds = seconds_of(usage->ru_utime);
    round->cpu_seconds = round->user_seconds + seconds_of(usage->ru_stime);
    round->page_faults = (uint64_t)(usage->ru_minflt + usage->ru_majflt);
    round->context_switches = (uint64_t)(usage->ru_nvcsw + usage->ru_nivcsw);
    round->resident_bytes_max = (uint64_t)usage->ru_maxrss * 1024;
    if (round->receiver != SLUICE_RECEIVER_DISK) {
        round->exit_seconds =
            (double)(run->receiver.end_ns - run->sender.end_ns) / (double)SLUICE_NS_PER_S;
    }
}

/* ---- command lines ---- */

/* A port that nobody uses now. Another program could take it before the sender does; then the
 * round fails and says so. */
static enum sluice_status choose_endpoint(struct round_run *run, struct sluice_error *error)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof(address);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool bound = fd >= 0 && bind(fd, (struct sockaddr *)&address, bytes) == 0 &&
                       getsockname(fd, (struct sockaddr *)&address, &bytes) == 0;
    const int code = errno;
    if (fd >= 0) {
        close(fd);
    }
    if (!bound) {
        return sluice_error_errno(error, SLUICE_SYSTEM, code, "no free port on 127.0.0.1");
    }
    snprintf(run->endpoint, sizeof(run->endpoint), "tcp://127.0.0.1:%d",
             (int)ntohs(address.sin_port));
    return SLUICE_OK;
}

/* What the disk is given: as many bytes as the messages have, in MiB. */
static uint64_t disk_mib(const struct sluice_round_settings *settings)
{
    return (settings->images * settings->set->bytes_about >> 20) + 1;
}

static void sender_arguments(struct round_run *run, struct sluice_arguments *arguments)
{
    const struct sluice_round_settings *settings = run->settings;
    const char *const fixed[] = {"sluice",   "simulate",  "--endpoint",    run->endpoint,
                                 "--images", run->images, "--start-delay", START_DELAY};
    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
        sluice_arguments_add(arguments, fixed[i]);
    }
    if (settings->rate_hz > 0) {
        snprintf(run->rate, sizeof(run->rate), "%.17g", settings->rate_hz);
        sluice_arguments_add(arguments, "--rate");
        sluice_arguments_add(arguments, run->rate);
    }
    sluice_bench_set_arguments(settings->set, settings->replay, arguments);
}

static void floor_arguments(struct round_run *run, struct sluice_arguments *arguments)
{
    const bool drop = run->round->receiver == SLUICE_RECEIVER_DROP;
    const char *const fixed[] = {"sluice",     "bench",       "--receive", drop ? "drop" : "pwrite",
                                 "--endpoint", run->endpoint, "--images",  run->images};
    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
        sluice_arguments_add(arguments, fixed[i]);
    }
    if (!drop) {
        snprintf(run->file, sizeof(run->file), "%s/messages", run->settings->directory);
        sluice_arguments_add(arguments, "--file");
        sluice_arguments_add(arguments, run->file);
    }
}

static void disk_arguments(struct round_run *run, struct sluice_arguments *arguments)
{
    snprintf(run->file, sizeof(run->file), "%s/pieces", run->settings->directory);
    snprintf(run->images, sizeof(run->images), "%" PRIu64, disk_mib(run->settings));
    const char *const fixed[] = {"sluice", "bench",   "--receive", "disk",
                                 "--file", run->file, "--images",  run->images};
    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
        sluice_arguments_add(arguments, fixed[i]);
    }
}

static void ingest_arguments(struct round_run *run, struct sluice_arguments *arguments)
{
    const struct sluice_round_settings *settings = run->settings;
    snprintf(run->endpoint_key, sizeof(run->endpoint_key), "source.endpoint=%s", run->endpoint);
    snprintf(run->directory_key, sizeof(run->directory_key), "writer.directory=%s",
             settings->directory);
    snprintf(run->state_key, sizeof(run->state_key), "instance.state_directory=%s",
             settings->directory);
    const char *const fixed[] = {"sluice", "ingest",          "--series", "1",
                                 "--set",  run->endpoint_key, "--set",    run->directory_key,
                                 "--set",  run->state_key,    "--set",    "log.level=warning"};
    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
        sluice_arguments_add(arguments, fixed[i]);
    }
    for (uint32_t i = 0; i < settings->ingest_key_count; i++) {
        sluice_arguments_add(arguments, "--set");
        sluice_arguments_add(arguments, settings->ingest_keys[i]);
    }
}

static enum sluice_status start(struct round_run *run, struct sluice_error *error)
{
    const struct sluice_round_settings *settings = run->settings;
    struct sluice_arguments sender = {0}, receiver = {0};
    snprintf(run->images, sizeof(run->images), "%" PRIu64, settings->images);
    sender_arguments(run, &sender);
    if (run->round->receiver == SLUICE_RECEIVER_DISK) {
        disk_arguments(run, &receiver);
    } else if (is_floor(run->round->receiver)) {
        floor_arguments(run, &receiver);
    } else {
        ingest_arguments(run, &receiver);
    }
    const bool other = run->round->receiver == SLUICE_RECEIVER_OTHER;
    enum sluice_status status = sluice_process_start(
        &run->receiver, other ? settings->other : settings->program, &receiver, error);
    if (status == SLUICE_OK && run->round->receiver != SLUICE_RECEIVER_DISK) {
        status = sluice_process_start(&run->sender, settings->program, &sender, error);
    }
    return status;
}

/* ---- the round ---- */

static enum sluice_status check_space(const struct sluice_round_settings *settings,
                                      struct sluice_error *error)
{
    struct statvfs info;
    const uint64_t needed = settings->images * settings->set->bytes_about + SPACE_MARGIN_BYTES;
    if (statvfs(settings->directory, &info) != 0) {
        return sluice_error_errno(error, SLUICE_IO, errno, "cannot look at %s",
                                  settings->directory);
    }
    if ((uint64_t)info.f_bavail * info.f_frsize < needed) {
        return sluice_error_set(error, SLUICE_NO_SPACE,
                                "%s: a round needs %.1f GB and %.1f are free; take fewer --images "
                                "or another --directory",
                                settings->directory, (double)needed / 1e9,
                                (double)info.f_bavail * (double)info.f_frsize / 1e9);
    }
    return SLUICE_OK;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)info;
    (void)kind;
    if (where->level > 0) {
        remove(path);
    }
    return 0;
}

void sluice_round_remove(const char *directory, bool itself)
{
    nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    if (itself) {
        rmdir(directory);
    }
}

/* The next round finds neither our dirty pages nor a disk that still works for this one. */
static void settle(const char *directory)
{
    const struct timespec pause = {.tv_nsec = SETTLE_NS};
    sluice_round_remove(directory, false);
    const int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        syncfs(fd);
        close(fd);
    }
    nanosleep(&pause, NULL);
}

static enum sluice_status fail(struct round_run *run, enum sluice_status status,
                               struct sluice_error *error)
{
    char sender[200] = "", receiver[200] = "";
    if (status == SLUICE_AGAIN) {
        return status;
    }
    if (run->sender.pid > 0) {
        sluice_process_log(&run->sender, sender, sizeof(sender));
    }
    if (run->receiver.pid > 0) {
        sluice_process_log(&run->receiver, receiver, sizeof(receiver));
    }
    return sluice_error_set(error, status,
                            "a round %s; the sender's last words: %s; the receiver's: %s",
                            status == SLUICE_TIMEOUT ? "did not end" : "failed", sender, receiver);
}

enum sluice_status sluice_round_run(const struct sluice_round_settings *settings,
                                    enum sluice_receiver receiver, struct sluice_round *round,
                                    struct sluice_error *error)
{
    struct round_run run = {.settings = settings, .round = round};
    struct sluice_process *const processes[] = {&run.sender, &run.receiver};
    int64_t timeout_ns =
        TIMEOUT_NS + (int64_t)(settings->images * settings->set->bytes_about / SLOWEST_BYTES_S) *
                         SLUICE_NS_PER_S;
    if (settings->rate_hz > 0) {
        timeout_ns += (int64_t)((double)settings->images / settings->rate_hz * SLUICE_NS_PER_S);
    }
    *round = (struct sluice_round){.receiver = receiver};
    enum sluice_status status = check_space(settings, error);
    if (status == SLUICE_OK) {
        status = choose_endpoint(&run, error);
    }
    if (status == SLUICE_OK) {
        status = start(&run, error);
    }
    if (status == SLUICE_OK) {
        const bool alone = receiver == SLUICE_RECEIVER_DISK;
        status = sluice_process_wait(alone ? &processes[1] : processes, alone ? 1 : 2, timeout_ns,
                                     settings->stop);
        if (alone && status == SLUICE_IO &&
            sluice_process_code(&run.receiver) == DISK_UNSUPPORTED) {
            status = SLUICE_OK;
        }
        /* An ingest that lost images ends with 3, which may be before the sender has ended. */
        if (status == SLUICE_IO && run.receiver.done && sluice_process_code(&run.receiver) == 3) {
            status = sluice_process_wait(processes, 1, timeout_ns, settings->stop);
        }
        if (status != SLUICE_OK) {
            status = fail(&run, status, error);
        }
    }
    if (status == SLUICE_OK) {
        take_results(&run);
    }
    sluice_process_close(&run.sender);
    sluice_process_close(&run.receiver);
    settle(settings->directory);
    return status;
}

/* It may have had room for everything in buffers: then the receiver is still at work when it ends.
 */
bool sluice_round_sender_bound(const struct sluice_round *round)
{
    return round->sender_blocked_seconds < SENDER_BOUND * round->sender_seconds &&
           round->seconds < AT_ONCE * round->sender_seconds;
}
