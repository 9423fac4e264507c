/* SPDX-License-Identifier: Apache-2.0
 *
 * What is common to all rounds: room for the files, processes started and waited for, everything
 * removed and synced. What is started is in round_commands.c, what came out in round_results.c. A
 * peer that fails spoils its own round only. */
#include "bench/pipeline/round.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "bench/pipeline/folder.h"
#include "bench/pipeline/probe.h"
#include "bench/pipeline/round_run.h"
#include "bench/pipeline/watch.h"
#include "core/clock.h"

#define SETTLE_NS          (200 * SLUICE_NS_PER_MS)
#define TIMEOUT_NS         (120 * SLUICE_NS_PER_S)
#define SLOWEST_BYTES_S    UINT64_C(20000000) /* below, a round is given up */
#define SPACE_MARGIN_BYTES (UINT64_C(256) << 20)
#define SENDER_BOUND       0.05 /* of the time in which it was sending */
#define MOVED              2.0  /* times as far from one processor to another */
#define AT_ONCE            1.1  /* receiver and sender end together */

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

/* The next round finds neither our dirty pages nor a disk that still works for this one. */
static void settle(const struct sluice_round_run *run)
{
    const char *directory = run->settings->directory;
    const struct timespec pause = {.tv_nsec = SETTLE_NS};
    if (run->stamps[0] != '\0')
        unlink(run->stamps);
    if (run->passages[0] != '\0')
        unlink(run->passages);
    sluice_bench_empty(directory, false);
    const int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        syncfs(fd);
        close(fd);
    }
    if (!run->settings->quick)
        nanosleep(&pause, NULL);
}

/* The last line that each of them wrote. */
static void last_words(struct sluice_round_run *run, char *text, size_t bytes)
{
    const struct {
        const char *name;
        struct sluice_process *process;
    } all[] = {{"sender", &run->sender}, {"receiver", &run->receiver}, {"reader", &run->reader}};
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]) && used < bytes; i++) {
        char log[200];
        if (all[i].process->pid <= 0)
            continue;
        sluice_process_log(all[i].process, log, sizeof(log));
        for (size_t end = strlen(log); end > 0 && log[end - 1] == '\n'; end--)
            log[end - 1] = '\0';
        const char *line = strrchr(log, '\n');
        if (log[0] != '\0')
            used +=
                (size_t)snprintf(text + used, bytes - used, "%sthe %s said: %s",
                                 used > 0 ? "; " : "", all[i].name, line != NULL ? line + 1 : log);
    }
}

static enum sluice_status fail(struct sluice_round_run *run, enum sluice_status status,
                               struct sluice_error *error)
{
    char words[640];
    if (status == SLUICE_AGAIN)
        return status;
    last_words(run, words, sizeof(words));
    const char *what = status == SLUICE_TIMEOUT ? "did not end" : "failed";
    if (run->round->receiver == SLUICE_RECEIVER_PYTHON) { /* its own affair */
        sluice_round_invalid(run->round, "the peer %s; %.200s", what, words);
        run->round->images = run->settings->images;
        return SLUICE_OK;
    }
    return sluice_error_set(error, status, "a round %s; %s", what, words);
}

static int64_t timeout_of(const struct sluice_round_settings *settings)
{
    const uint64_t bytes = settings->images * settings->set->bytes_about;
    int64_t timeout_ns = TIMEOUT_NS + (int64_t)(bytes / SLOWEST_BYTES_S) * SLUICE_NS_PER_S;
    if (settings->rate_hz > 0)
        timeout_ns += (int64_t)((double)settings->images / settings->rate_hz * SLUICE_NS_PER_S);
    return timeout_ns;
}

/* Until all have ended that were started. */
static enum sluice_status wait_all(struct sluice_round_run *run)
{
    struct sluice_process *processes[3];
    uint32_t count = 0;
    const int64_t timeout_ns = timeout_of(run->settings);
    if (run->sender.pid > 0)
        processes[count++] = &run->sender;
    processes[count++] = &run->receiver;
    if (run->reader.pid > 0)
        processes[count++] = &run->reader;
    enum sluice_status status =
        sluice_process_wait(processes, count, timeout_ns, run->settings->stop);
    if (status != SLUICE_IO || !run->receiver.done)
        return status;
    const int code = sluice_process_code(&run->receiver);
    if (!sluice_round_has_sender(run))
        return code == SLUICE_DISK_UNSUPPORTED ? SLUICE_OK : status;
    /* An ingest that lost images ends with 3, which may be before the others have ended. */
    return code == 3 ? sluice_process_wait(processes, count, timeout_ns, run->settings->stop)
                     : status;
}

enum sluice_status sluice_round_run(const struct sluice_round_settings *settings,
                                    enum sluice_receiver receiver, struct sluice_round *round,
                                    struct sluice_error *error)
{
    struct sluice_round_run run = {.settings = settings, .round = round};
    struct sluice_watch watch = {0};
    *round = (struct sluice_round){.receiver = receiver, .way_ns_before = sluice_probe_way_ns()};
    const struct sluice_probe_steal steal = sluice_probe_steal_begin();
    enum sluice_status status = check_space(settings, error);
    if (status == SLUICE_OK)
        status = sluice_round_start(&run, error);
    if (status == SLUICE_OK && sluice_round_has_sender(&run))
        status = sluice_watch_start(&watch, run.stamps, run.receiver.pid, settings->watch, error);
    if (status == SLUICE_OK) {
        status = wait_all(&run);
        sluice_watch_stop(&watch);
        round->watched = watch.result;
        round->start_cpu_seconds = watch.start_cpu_seconds;
        if (status == SLUICE_OK)
            sluice_round_take(&run);
        else
            status = fail(&run, status, error);
    }
    round->steal_percent = sluice_probe_steal_percent(&steal);
    round->way_ns_after = sluice_probe_way_ns();
    sluice_process_close(&run.sender);
    sluice_process_close(&run.receiver);
    sluice_process_close(&run.reader);
    settle(&run);
    return status;
}

/* It may have had room for everything in buffers: then the receiver is still at work when it ends.
 */
bool sluice_round_sender_bound(const struct sluice_round *round)
{
    return round->sender_blocked_seconds < SENDER_BOUND * round->sender_seconds &&
           round->seconds < AT_ONCE * round->sender_seconds;
}

/* What is not known hinders nothing. */
bool sluice_round_comparable(const struct sluice_round *a, const struct sluice_round *b)
{
    const double least =
        fmin(fmin(a->way_ns_before, a->way_ns_after), fmin(b->way_ns_before, b->way_ns_after));
    const double most =
        fmax(fmax(a->way_ns_before, a->way_ns_after), fmax(b->way_ns_before, b->way_ns_after));
    return !(most > MOVED * least);
}
