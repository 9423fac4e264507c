/* SPDX-License-Identifier: Apache-2.0
 *
 * The main thread of `sluice ingest`: it waits for signals and feeds the watchdog. The first
 * SIGINT, SIGTERM or SIGHUP drains: the source takes what is there already and closes the series,
 * the writer writes what is in the ring, all within writer.drain_timeout_ms. The second one gives
 * up what is not written yet and says what that was. Should even the closing of files hang, or
 * nobody read our stdout, the process leaves after GIVE_UP_NS. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/ingest.h"
#include "cli/verbs.h"
#include "core/clock.h"
#include "core/log.h"

#define DRAIN_LOOK_NS (10 * SLUICE_NS_PER_MS)
#define GIVE_UP_NS    (10 * SLUICE_NS_PER_S)

/* SIGUSR1 says that nothing more is to come, and only this process may: that of others is
 * no signal. */
static int wait_signal(const sigset_t *signals, int64_t timeout_ns)
{
    siginfo_t from = {0};
    const struct timespec timeout = {
        .tv_sec = timeout_ns / SLUICE_NS_PER_S,
        .tv_nsec = timeout_ns % SLUICE_NS_PER_S,
    };
    for (;;) {
        const int number = sigtimedwait(signals, &from, &timeout);
        if (number == SIGUSR1 && from.si_pid != getpid())
            return -1;
        if (number >= 0 || errno != EINTR)
            return number;
    }
}

static void leave_hung(const struct ingest *ingest)
{
    sluice_log_error("ingest",
                     "closing hangs, leaving: %" PRIu64 " images visible, %" PRIu64
                     " written but perhaps not readable, %" PRIu64 " received",
                     sluice_counter_get(ingest->counters, SLUICE_COUNTER_WRITER_IMAGES_VISIBLE),
                     sluice_counter_get(ingest->counters, SLUICE_COUNTER_WRITER_IMAGES_WRITTEN),
                     sluice_counter_get(ingest->counters, SLUICE_COUNTER_SOURCE_IMAGES));
    _exit(SLUICE_EXIT_FAILED);
}

/* From the first signal until the writer has closed everything. */
static void drain(struct ingest *ingest, const sigset_t *signals)
{
    const struct sluice_clock *clock = sluice_clock_system();
    int64_t deadline_ns = sluice_now_ns(clock) + ingest->config.writer.drain_timeout_ns;
    bool given_up = false;
    while (!sluice_load_acquire(&ingest->writer_agent.done)) {
        const int number = wait_signal(signals, DRAIN_LOOK_NS);
        sluice_supervisor_look(&ingest->supervisor, ingest->counters, clock);
        const bool again = number > 0 && number != SIGUSR1;
        const bool late = sluice_now_ns(clock) >= deadline_ns;
        if (!again && !late)
            continue;
        if (given_up && late)
            leave_hung(ingest);
        if (!given_up) {
            sluice_log_warning("ingest", "%s: giving up what is not written yet",
                               again ? "second signal" : "writer.drain_timeout_ms is over");
            sluice_writer_give_up(ingest->writer);
            if (ingest->encode != NULL)
                sluice_encode_give_up(ingest->encode);
            given_up = true;
            deadline_ns = sluice_now_ns(clock) + GIVE_UP_NS;
        }
    }
}

/* All files are closed; what is left are lines, which may find nobody who reads them. */
static void end_service(struct ingest *ingest, const sigset_t *signals)
{
    const struct sluice_clock *clock = sluice_clock_system();
    const int64_t deadline_ns = sluice_now_ns(clock) + GIVE_UP_NS;
    sluice_service_finish(ingest->service);
    while (!sluice_load_acquire(&ingest->service_agent.done)) { /* [edge AGENT_DONE] */
        if (sluice_now_ns(clock) >= deadline_ns) {
            sluice_log_error("ingest", "stdout is not read, leaving: summaries are missing there, "
                                       "all files are closed");
            _exit(SLUICE_EXIT_FAILED);
        }
        (void)wait_signal(signals, DRAIN_LOOK_NS); /* a sleep: there is nothing more to stop */
    }
    sluice_agent_join(&ingest->service_agent);
    sluice_surface_finish(&ingest->surface); /* it has heard the end of everything now */
}

void sluice_ingest_run(struct ingest *ingest, const sigset_t *signals)
{
    if (ingest->encode != NULL) {
        sluice_log_info("ingest", "images are stored as %s by %" PRIu32 " codec workers",
                        sluice_encoding_name(sluice_encode_encoding(&ingest->config.codec)),
                        sluice_encode_worker_count(&ingest->config.codec));
    }
    sluice_log_info("ingest", "%s %s, writing to %s, ready",
                    ingest->config.source.bind ? "bound to" : "connected to",
                    sluice_source_endpoint(ingest->source), ingest->config.writer.directories[0]);
    sluice_supervisor_watch(&ingest->supervisor, &ingest->source_agent);
    sluice_supervisor_watch(&ingest->supervisor, &ingest->writer_agent);
    sluice_supervisor_ready(&ingest->supervisor, "waiting for a series");
    int number = -1;
    while (number < 0 && !sluice_load_acquire(&ingest->writer_agent.done)) { /* [edge AGENT_DONE] */
        number = wait_signal(signals, sluice_supervisor_interval_ns(&ingest->supervisor));
        sluice_supervisor_look(&ingest->supervisor, ingest->counters, sluice_clock_system());
    }
    /* draining, giving up, and a stdout that nobody reads: then it has left */
    sluice_supervisor_stopping(&ingest->supervisor, "closing files",
                               ingest->config.writer.drain_timeout_ns + 3 * GIVE_UP_NS);
    if (number > 0 && number != SIGUSR1) {
        sluice_log_info("ingest", "%s: draining; a second one gives up what is not written yet",
                        strsignal(number));
        sluice_source_request_stop(ingest->source);
        drain(ingest, signals);
    }
    sluice_agent_join(&ingest->source_agent);
    sluice_agent_join(&ingest->writer_agent);
    if (ingest->encode != NULL)
        sluice_encode_finish(ingest->encode);
    end_service(ingest, signals);
}
