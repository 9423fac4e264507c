/* SPDX-License-Identifier: Apache-2.0
 *
 * How the source sleeps: until a message, a request or an event of the connection, in one poll on
 * the sockets' own descriptors; or until the writer gives slots back.
 *
 * A ZeroMQ socket's descriptor says only that something changed since the socket was last asked, so
 * it may be slept on only after a receive that found nothing. Invariant: `socket_empty` says that
 * this was the last thing done with the socket; whatever else touches it (a new connection) must
 * clear it, and then there is no sleep before the next receive. The same holds for the monitor,
 * which is asked until it has nothing more.
 *
 * zmq_poll would do all this by itself, at 8 system calls and 8 getpid a message; so it is 4. */
#include <errno.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#include "core/log.h"
#include "ingest/source/internal.h"

#define MESSAGE_BYTES_LEAST (UINT64_C(1) << 30)     /* the bound on a message is never lower */
#define DENSE_NS            (60 * SLUICE_NS_PER_US) /* from message to message, in the mean */
#define DENSEST_NS          (8 * SLUICE_NS_PER_US)  /* below it asking seldom finds nothing */
#define DENSE_LEAST         4                       /* messages */
#define NAP_LEAST_NS        (20 * SLUICE_NS_PER_US) /* shorter ones cost more than they save */
#define ROOM_SHARE          4 /* of what libzmq may hold, or the slots, comes in a nap, at most */
#define WAIT_NS             (100 * SLUICE_NS_PER_MS) /* a sleep never lasts longer */

int64_t sluice_source_message_bytes_max(const struct sluice_source_settings *settings)
{
    return settings->memory_bytes_max > MESSAGE_BYTES_LEAST ? (int64_t)settings->memory_bytes_max
                                                            : (int64_t)MESSAGE_BYTES_LEAST;
}

static int wait_limit_ms(const struct sluice_source *source)
{
    int64_t limit_ns = WAIT_NS;
    const int64_t idle_ns = sluice_source_idle_limit_ns(source);
    if (source->tracker.open && idle_ns > 0) {
        const int64_t left_ns =
            source->tracker.last_message_ns + idle_ns - sluice_now_ns(source->ports.clock);
        limit_ns = left_ns < 0 ? 0 : left_ns < limit_ns ? left_ns : limit_ns;
    }
    return (int)((limit_ns + SLUICE_NS_PER_MS - 1) / SLUICE_NS_PER_MS);
}

static void wait_for_slots(struct sluice_source *source)
{
    const uint32_t prepared = sluice_wake_prepare(source->ports.free_wake);
    if (sluice_spsc_count(source->ports.free) > 0) {
        sluice_wake_cancel(source->ports.free_wake);
        return;
    }
    sluice_wake_wait(source->ports.free_wake, prepared, WAIT_NS / 10);
}

/* When the monitor has something to say, and now and then: a connection that nobody takes up again
 * shows by the time that goes by. */
void sluice_source_look_at_connections(struct sluice_source *source)
{
    const struct sluice_source_settings *settings = &source->settings;
    const int64_t now_ns = sluice_now_ns(source->ports.clock);
    if (!source->monitor.spoke && now_ns - source->monitor.looked_ns < WAIT_NS)
        return;
    const bool left_alone =
        sluice_monitor_look(&source->monitor, now_ns, sluice_source_message_bytes_max(settings));
    sluice_counter_set(source->ports.counters, SLUICE_COUNTER_SOURCE_DISCONNECTS,
                       source->monitor.disconnects);
    if (!left_alone || settings->bind)
        return;
    sluice_counter_add(source->ports.counters, SLUICE_COUNTER_SOURCE_STRAY, 1);
    source->socket_empty = false;
    source->connected_anew = true;
    zmq_disconnect(source->socket, source->endpoint); /* what is left of the old connection */
    if (zmq_connect(source->socket, settings->endpoint) != 0)
        sluice_log_error("source", "cannot connect again to %s: %s", settings->endpoint,
                         zmq_strerror(errno));
}

/* Whether messages came densely since they were counted last, and then how long to nap. In that
 * time libzmq's thread, which need not wake us, gets ahead of us, and both then work in lumps. */
bool sluice_source_rests(void *context)
{
    struct sluice_source *source = context;
    struct sluice_source_pace *pace = &source->pace;
    pace->nap_ns = 0;
    if (source->settings.nap_ns == 0 || !source->socket_empty || source->holding ||
        source->finished || source->stopping)
        return false;
    const int64_t now_ns = sluice_now_ns(source->ports.clock), took_ns = now_ns - pace->ns;
    const uint64_t count = source->queue.messages - pace->messages;
    if (count < DENSE_LEAST && took_ns < DENSE_LEAST * DENSE_NS)
        return false; /* too few to tell */
    pace->ns = now_ns;
    pace->messages = source->queue.messages;
    if (count < DENSE_LEAST || took_ns >= (int64_t)count * DENSE_NS ||
        took_ns < (int64_t)count * DENSEST_NS)
        return false;
    const uint32_t hwm = source->queue.hwm, slots = source->slots.large_count;
    const int64_t fill_ns = took_ns / (int64_t)count * (hwm < slots ? hwm : slots) / ROOM_SHARE;
    pace->nap_ns = fill_ns < source->settings.nap_ns ? fill_ns : source->settings.nap_ns;
    return pace->nap_ns >= NAP_LEAST_NS;
}

static void nap(struct sluice_source *source)
{
    const struct timespec time = {.tv_nsec = source->pace.nap_ns};
    source->pace.nap_ns = 0;
    clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
}

void sluice_source_wait(void *context)
{
    struct sluice_source *source = context;
    sluice_source_look_at_connections(source);
    if (source->pace.nap_ns >= NAP_LEAST_NS) {
        nap(source);
        return;
    }
    if (source->holding || source->finished || source->stopping) {
        wait_for_slots(source);
        return;
    }
    if (!source->socket_empty)
        return;
    struct pollfd items[] = {
        {.fd = source->socket_fd, .events = POLLIN},
        {.fd = source->stop_fd, .events = POLLIN},
        {.fd = source->monitor.fd, .events = POLLIN},
    };
    if (poll(items, sizeof(items) / sizeof(items[0]), wait_limit_ms(source)) <= 0)
        return;
    source->monitor.spoke = items[2].revents != 0;
    uint64_t wakes;
    if ((items[1].revents & POLLIN) != 0 &&
        sluice_load_acquire(&source->stop_wanted) == 0) /* [edge STOP] a stop goes on waking */
        (void)!read(source->stop_fd, &wakes, sizeof(wakes));
}
