/* SPDX-License-Identifier: Apache-2.0
 *
 * What the service manager is told (systemd's notify protocol: a datagram of NAME=VALUE lines to
 * $NOTIFY_SOCKET): READY, STATUS, STOPPING, and WATCHDOG while the watched agents advance or are
 * idle. An agent whose cycle hangs, for example in a write to a dead disk, ends the feeding, and
 * the manager restarts the process after WatchdogSec.
 *
 * Without NOTIFY_SOCKET in the environment everything here does nothing. One thread, the composing
 * one. Each message waits at most 100 ms for the manager. */
#ifndef SLUICE_INGEST_SERVICE_SUPERVISOR_H
#define SLUICE_INGEST_SERVICE_SUPERVISOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "core/agent.h"
#include "core/clock.h"
#include "core/counters.h"

#define SLUICE_SUPERVISOR_AGENTS_MAX   8
#define SLUICE_SUPERVISOR_STATUS_BYTES 256

struct sluice_supervisor {
    int fd; /* -1: nobody listens */
    struct sockaddr_un address;
    socklen_t address_bytes;
    int64_t watchdog_ns; /* WATCHDOG_USEC; 0: not wanted */
    int64_t next_look_ns;
    struct {
        const struct sluice_agent *agent; /* borrowed */
        uint64_t cycles_seen;
        bool hangs; /* at the last look */
    } watched[SLUICE_SUPERVISOR_AGENTS_MAX];
    size_t watched_count;
    char status[SLUICE_SUPERVISOR_STATUS_BYTES]; /* the last one sent */
};

/* Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID. What cannot be used is said in the log. */
void sluice_supervisor_open(struct sluice_supervisor *supervisor);
void sluice_supervisor_close(struct sluice_supervisor *supervisor);

/* An agent that must advance; it outlives the supervisor. */
void sluice_supervisor_watch(struct sluice_supervisor *supervisor,
                             const struct sluice_agent *agent);

void sluice_supervisor_ready(struct sluice_supervisor *supervisor, const char *status);
/* Also that it may take `limit_ns`, whatever the unit's TimeoutStopSec. */
void sluice_supervisor_stopping(struct sluice_supervisor *supervisor, const char *status,
                                int64_t limit_ns);
/* One line for people (systemctl status); sent when it differs from the last one. */
void sluice_supervisor_status(struct sluice_supervisor *supervisor, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* How often look wants to be called: a quarter of the watchdog's time, at most 1 s. */
int64_t sluice_supervisor_interval_ns(const struct sluice_supervisor *supervisor);
/* When it is time: feeds the watchdog if every agent has finished a cycle since the last look, is
 * waiting for work, or is done; and sends what the counters say as status. */
void sluice_supervisor_look(struct sluice_supervisor *supervisor,
                            const struct sluice_counters *counters,
                            const struct sluice_clock *clock);

#endif
