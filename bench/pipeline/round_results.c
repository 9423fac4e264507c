/* SPDX-License-Identifier: Apache-2.0
 *
 * The sender's report says how much was sent, the receiver's how much arrived, the reader's how
 * much was read: a round counts only when they agree. */
#include "bench/pipeline/round_run.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"

#define TEXT_BYTES 65536

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

void sluice_round_invalid(struct sluice_round *round, const char *format, ...)
{
    va_list arguments;
    if (round->reason[0] == '\0') {
        va_start(arguments, format);
        vsnprintf(round->reason, sizeof(round->reason), format, arguments);
        va_end(arguments);
    }
    round->valid = false;
}

static void take_sender(struct sluice_round_run *run, const char *text)
{
    struct sluice_round *round = run->round;
    round->images = count_of(text, "images");
    round->bytes = count_of(text, "bytes");
    round->sender_seconds = number_of(text, "seconds");
    round->sender_cpu_seconds = number_of(text, "cpu_seconds");
    round->sender_blocked_seconds = number_of(text, "blocked_seconds");
    round->sender_behind_seconds = number_of(text, "behind_max_seconds");
    if (round->images != run->settings->images || count_of(text, "undelivered") != 0)
        sluice_round_invalid(round, "the sender delivered %" PRIu64 " of %" PRIu64 " images",
                             round->images, run->settings->images);
}

/* Floors and peers count every message. */
static void take_messages(struct sluice_round_run *run, const char *text)
{
    struct sluice_round *round = run->round;
    if (count_of(text, "messages") != round->images + 2 || count_of(text, "bytes") != round->bytes)
        sluice_round_invalid(round, "%" PRIu64 " bytes received of %" PRIu64 " sent",
                             count_of(text, "bytes"), round->bytes);
}

static void take_files(struct sluice_round_run *run, const char *text)
{
    struct sluice_round *round = run->round;
    const uint64_t written = count_of(text, "images_written");
    const uint64_t visible = count_of(text, "images_visible");
    round->latency_p50_ms = number_of(text, "p50");
    round->latency_p99_ms = number_of(text, "p99");
    round->latency_max_ms = number_of(text, "max");
    round->has_latency = round->latency_p50_ms >= 0;
    if (written != round->images || visible != round->images)
        sluice_round_invalid(round,
                             "%" PRIu64 " images sent, %" PRIu64 " written, %" PRIu64 " visible",
                             round->images, written, visible);
}

static void take_disk(struct sluice_round_run *run, const char *text)
{
    struct sluice_round *round = run->round;
    round->bytes = count_of(text, "bytes");
    round->images = run->settings->images;
    if (sluice_process_code(&run->receiver) == SLUICE_DISK_UNSUPPORTED) {
        round->skipped = true;
        sluice_round_invalid(round, "the file system or kernel knows no O_DIRECT with io_uring");
    }
}

static void take_receiver(struct sluice_round_run *run, const char *text)
{
    struct sluice_round *round = run->round;
    round->seconds = number_of(text, "seconds");
    switch (round->receiver) {
    case SLUICE_RECEIVER_DISK:
        take_disk(run, text);
        break;
    case SLUICE_RECEIVER_DROP:
    case SLUICE_RECEIVER_PWRITE:
        take_messages(run, text);
        break;
    case SLUICE_RECEIVER_PYTHON:
        take_messages(run, text);
        take_files(run, text);
        break;
    default:
        take_files(run, text);
        break;
    }
    const int code = sluice_process_code(&run->receiver);
    if (code != 0)
        sluice_round_invalid(round, "the receiver ended with status %d", code);
    if (round->seconds <= 0)
        sluice_round_invalid(round, "the receiver reported no time");
}

static double seconds_of(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec * 1e-6;
}

static void take_usage(struct sluice_round_run *run, const char *text)
{
    struct sluice_round *round = run->round;
    const struct rusage *usage = &run->receiver.usage;
    round->user_seconds = seconds_of(usage->ru_utime);
    round->cpu_seconds =
        round->receiver == SLUICE_RECEIVER_PYTHON
            ? number_of(text, "cpu_seconds")
            : round->user_seconds + seconds_of(usage->ru_stime) - round->start_cpu_seconds;
    round->page_faults = (uint64_t)(usage->ru_minflt + usage->ru_majflt);
    round->context_switches = (uint64_t)(usage->ru_nvcsw + usage->ru_nivcsw);
    round->resident_bytes_max = (uint64_t)usage->ru_maxrss * 1024;
    if (sluice_round_has_sender(run))
        round->exit_seconds =
            (double)(run->receiver.end_ns - run->sender.end_ns) / (double)SLUICE_NS_PER_S;
}

static void take_path(struct sluice_round_run *run)
{
    struct sluice_round *round = run->round;
    struct sluice_error error = {0};
    if (!round->valid || !sluice_round_has_passages(run))
        return;
    if (sluice_latency_load(run->stamps, run->passages, &round->path, &error) != SLUICE_OK)
        sluice_round_invalid(round, "no latencies: %s", error.message);
    else if (round->path.images != round->images)
        sluice_round_invalid(round, "%" PRIu64 " images sent, %" PRIu64 " seen by the reader",
                             round->images, round->path.images);
}

void sluice_round_take(struct sluice_round_run *run)
{
    static char text[TEXT_BYTES];
    struct sluice_round *round = run->round;
    round->valid = true;
    if (sluice_round_has_sender(run)) {
        sluice_process_out(&run->sender, text, sizeof(text));
        take_sender(run, text);
    }
    sluice_process_out(&run->receiver, text, sizeof(text));
    take_receiver(run, text);
    take_usage(run, text);
    if (run->reader.pid > 0) {
        sluice_process_out(&run->reader, text, sizeof(text));
        round->reader_cpu_seconds = number_of(text, "cpu_seconds");
        if (count_of(text, "images") != round->images)
            sluice_round_invalid(round, "the reader read %" PRIu64 " of %" PRIu64 " images",
                                 count_of(text, "images"), round->images);
    }
    take_path(run);
}
