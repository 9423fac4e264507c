/* SPDX-License-Identifier: Apache-2.0
 *
 * The protocol is small enough to be spoken here: one datagram, to a path or (first character '@')
 * an abstract address. Whoever supervises must never hold up the data: sending waits a bounded time
 * and what could not be sent is only said.
 *
 * A cycle longer than the time between two looks is no hang yet: feeding goes on with the first
 * look after it. Only one that lasts for the whole of WatchdogSec lets the watchdog bite. */
#include "ingest/service/supervisor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "core/log.h"

#define SEND_WAIT_US     100000
#define LOOKS_A_WATCHDOG 4
#define LOOK_MAX_NS      SLUICE_NS_PER_S
#define MESSAGE_BYTES    (SLUICE_SUPERVISOR_STATUS_BYTES + 128)

static void send_text(struct sluice_supervisor *supervisor, const char *text)
{
    if (supervisor->fd < 0)
        return;
    const struct sockaddr *address = (const struct sockaddr *)&supervisor->address;
    if (sendto(supervisor->fd, text, strlen(text), MSG_NOSIGNAL, address,
               supervisor->address_bytes) < 0)
        sluice_log_warning("service", "the service manager was not told \"%.*s\": %s",
                           (int)strcspn(text, "\n"), text, strerror(errno));
}

/* WATCHDOG_USEC, where it is meant for this process. */
static int64_t watchdog_ns(void)
{
    const char *text = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    char *end = NULL;
    if (text == NULL || (pid != NULL && strtol(pid, NULL, 10) != (long)getpid()))
        return 0;
    errno = 0;
    const long long usec = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || usec <= 0 || usec > INT64_MAX / 1000) {
        sluice_log_warning("service",
                           "WATCHDOG_USEC=%s is no number of microseconds: the watchdog "
                           "is not fed",
                           text);
        return 0;
    }
    return usec * SLUICE_NS_PER_US;
}

static bool take_address(struct sluice_supervisor *supervisor, const char *text)
{
    const size_t length = strlen(text);
    if ((text[0] != '/' && text[0] != '@') || length < 2 ||
        length >= sizeof(supervisor->address.sun_path)) {
        sluice_log_warning(
            "service",
            "NOTIFY_SOCKET=%s is neither a path nor an abstract address: the service "
            "manager is told nothing",
            text);
        return false;
    }
    supervisor->address.sun_family = AF_UNIX;
    memcpy(supervisor->address.sun_path, text, length + 1);
    if (text[0] == '@')
        supervisor->address.sun_path[0] = '\0';
    /* An abstract name has no end of its own: its length is the address's. */
    supervisor->address_bytes =
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (text[0] == '/'));
    return true;
}

void sluice_supervisor_open(struct sluice_supervisor *supervisor)
{
    const struct timeval wait = {.tv_usec = SEND_WAIT_US};
    const char *text = getenv("NOTIFY_SOCKET");
    memset(supervisor, 0, sizeof(*supervisor));
    supervisor->fd = -1;
    if (text == NULL || text[0] == '\0' || !take_address(supervisor, text))
        return;
    supervisor->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (supervisor->fd < 0 ||
        setsockopt(supervisor->fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) != 0) {
        sluice_log_warning("service", "no socket to the service manager: %s", strerror(errno));
        sluice_supervisor_close(supervisor);
        return;
    }
    supervisor->watchdog_ns = watchdog_ns();
}

void sluice_supervisor_close(struct sluice_supervisor *supervisor)
{
    if (supervisor->fd >= 0)
        close(supervisor->fd);
    supervisor->fd = -1;
}

void sluice_supervisor_watch(struct sluice_supervisor *supervisor, const struct sluice_agent *agent)
{
    if (supervisor->watched_count < SLUICE_SUPERVISOR_AGENTS_MAX)
        supervisor->watched[supervisor->watched_count++].agent = agent;
}

/* A line break would begin another variable. */
static void keep_status(struct sluice_supervisor *supervisor, const char *status)
{
    snprintf(supervisor->status, sizeof(supervisor->status), "%s", status);
    for (char *c = supervisor->status; *c != '\0'; c++)
        if (*c == '\n')
            *c = ' ';
}

static void send_state(struct sluice_supervisor *supervisor, const char *state, const char *status)
{
    char message[MESSAGE_BYTES];
    keep_status(supervisor, status);
    snprintf(message, sizeof(message), "%sSTATUS=%s\n", state, supervisor->status);
    send_text(supervisor, message);
}

void sluice_supervisor_ready(struct sluice_supervisor *supervisor, const char *status)
{
    send_state(supervisor, "READY=1\n", status);
}

void sluice_supervisor_stopping(struct sluice_supervisor *supervisor, const char *status,
                                int64_t limit_ns)
{
    char state[64];
    snprintf(state, sizeof(state), "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRId64 "\n",
             limit_ns / SLUICE_NS_PER_US);
    send_state(supervisor, state, status);
}

void sluice_supervisor_status(struct sluice_supervisor *supervisor, const char *format, ...)
{
    char status[SLUICE_SUPERVISOR_STATUS_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(status, sizeof(status), format, arguments);
    va_end(arguments);
    if (strcmp(status, supervisor->status) != 0)
        send_state(supervisor, "", status);
}

int64_t sluice_supervisor_interval_ns(const struct sluice_supervisor *supervisor)
{
    const int64_t part_ns = supervisor->watchdog_ns / LOOKS_A_WATCHDOG;
    return part_ns > 0 && part_ns < LOOK_MAX_NS ? part_ns : LOOK_MAX_NS;
}

/* True when every agent is alive. One that is not is named, once. */
static bool all_advance(struct sluice_supervisor *supervisor)
{
    bool all = true;
    for (size_t i = 0; i < supervisor->watched_count; i++) {
        const struct sluice_agent *agent = supervisor->watched[i].agent;
        const bool advances = sluice_agent_advances(agent, &supervisor->watched[i].cycles_seen);
        if (!advances && !supervisor->watched[i].hangs)
            sluice_supervisor_status(
                supervisor, "agent %s is in one cycle for more than %" PRId64 " ms",
                agent->ops.name, sluice_supervisor_interval_ns(supervisor) / SLUICE_NS_PER_MS);
        supervisor->watched[i].hangs = !advances;
        all = all && advances;
    }
    return all;
}

void sluice_supervisor_look(struct sluice_supervisor *supervisor,
                            const struct sluice_counters *counters,
                            const struct sluice_clock *clock)
{
    const int64_t now_ns = sluice_now_ns(clock);
    if (supervisor->fd < 0 || now_ns < supervisor->next_look_ns)
        return;
    supervisor->next_look_ns = now_ns + sluice_supervisor_interval_ns(supervisor);
    if (!all_advance(supervisor))
        return;
    if (supervisor->watchdog_ns > 0)
        send_text(supervisor, "WATCHDOG=1\n");
    const uint64_t opened = sluice_counter_get(counters, SLUICE_COUNTER_WRITER_SERIES_OPENED);
    const uint64_t closed = sluice_counter_get(counters, SLUICE_COUNTER_WRITER_SERIES_CLOSED);
    sluice_supervisor_status(supervisor,
                             "%s; series closed %" PRIu64 " (failed %" PRIu64
                             "), images visible %" PRIu64 ", lost %" PRIu64,
                             opened > closed ? "writing" : "waiting for a series", closed,
                             sluice_counter_get(counters, SLUICE_COUNTER_WRITER_SERIES_FAILED),
                             sluice_counter_get(counters, SLUICE_COUNTER_WRITER_IMAGES_VISIBLE),
                             sluice_counter_get(counters, SLUICE_COUNTER_WRITER_LOST));
}
