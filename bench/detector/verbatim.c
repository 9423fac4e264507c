/* SPDX-License-Identifier: Apache-2.0
 *
 * One message is read, sent, and forgotten, so a recording may be larger than the memory. Message n
 * is due at the beginning + n / rate, whatever happened before. */
#include "bench/detector/verbatim.h"

#include <errno.h>
#include <time.h>

#include "bench/detector/capture_files.h"
#include "core/clock.h"

#define HIGH_WATER 64

static int64_t now(void)
{
    return sluice_now_ns(sluice_clock_system());
}

/* AGAIN: stopped meanwhile. */
static enum sluice_status sleep_until(const struct sluice_verbatim_settings *settings,
                                      int64_t at_ns)
{
    const struct timespec at = {.tv_sec = at_ns / SLUICE_NS_PER_S,
                                .tv_nsec = at_ns % SLUICE_NS_PER_S};
    while (!*settings->sender.stop)
        if (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) != EINTR)
            return SLUICE_OK;
    return SLUICE_AGAIN;
}

static enum sluice_status send_all(const struct sluice_verbatim_settings *settings,
                                   struct sluice_capture_files *files, struct sluice_sender *sender,
                                   struct sluice_error *error)
{
    const double interval_ns =
        settings->rate_hz > 0 ? (double)SLUICE_NS_PER_S / settings->rate_hz : 0;
    const int64_t begin = now();
    for (;;) {
        struct sluice_multipart message = {0};
        const char *name;
        enum sluice_status status = sluice_capture_files_next(files, &message, &name, error);
        if (status == SLUICE_OK)
            status =
                sleep_until(settings, begin + (int64_t)((double)sender->messages * interval_ns));
        if (status == SLUICE_OK)
            status = sluice_sender_send_copy(sender, &message, error);
        sluice_multipart_close(&message);
        if (status != SLUICE_OK)
            return status;
    }
}

static enum sluice_status run(const struct sluice_verbatim_settings *settings,
                              struct sluice_capture_files *files, struct sluice_sender *sender,
                              struct sluice_error *error)
{
    enum sluice_status status = sluice_sender_wait(sender, error);
    if (status == SLUICE_OK && settings->start_delay_ns > 0)
        status = sleep_until(settings, now() + settings->start_delay_ns);
    return status == SLUICE_OK ? send_all(settings, files, sender, error) : status;
}

enum sluice_status sluice_verbatim(const struct sluice_verbatim_settings *settings,
                                   struct sluice_verbatim_report *report,
                                   struct sluice_error *error)
{
    struct sluice_capture_files files;
    struct sluice_sender sender = {0};
    struct sluice_sender_settings sender_settings = settings->sender;
    sender_settings.high_water = HIGH_WATER;
    *report = (struct sluice_verbatim_report){0};
    enum sluice_status status = sluice_capture_files_open(&files, settings->directory, error);
    if (status != SLUICE_OK)
        return status;
    if (files.count == 0)
        status = sluice_error_set(error, SLUICE_NOT_FOUND,
                                  "%s holds no message (NNNNNN.cbor or NNNNNN.part00 …)",
                                  settings->directory);
    if (status == SLUICE_OK)
        status = sluice_sender_open(&sender, &sender_settings, error);
    const int64_t begin = now();
    if (status == SLUICE_OK)
        status = run(settings, &files, &sender, error);
    *report = (struct sluice_verbatim_report){.messages = sender.messages,
                                              .bytes = sender.bytes,
                                              .peers_max = sender.peers_max,
                                              .stopped = status == SLUICE_AGAIN,
                                              .blocked_seconds = (double)sender.blocked_ns / 1e9};
    sluice_sender_close(&sender, *settings->sender.stop > 1 ? 0 : settings->linger_ns);
    report->seconds = (double)(now() - begin) / 1e9;
    sluice_capture_files_close(&files);
    return status == SLUICE_END || status == SLUICE_AGAIN ? SLUICE_OK : status;
}

void sluice_verbatim_report_json(const struct sluice_verbatim_report *report,
                                 struct sluice_json *json)
{
    sluice_json_object_begin(json);
    sluice_json_put_uint(json, "messages", report->messages);
    sluice_json_put_uint(json, "bytes", report->bytes);
    sluice_json_put_double(json, "seconds", report->seconds);
    sluice_json_put_double(json, "blocked_seconds", report->blocked_seconds);
    sluice_json_put_uint(json, "receivers", (uint64_t)report->peers_max);
    sluice_json_key(json, "stopped");
    sluice_json_bool(json, report->stopped);
    sluice_json_object_end(json);
}
