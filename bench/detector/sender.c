/* SPDX-License-Identifier: Apache-2.0
 *
 * A PUSH socket cannot be written to as long as nobody is connected (with ZMQ_IMMEDIATE also when
 * it is the one that connects), so "can it be written to" answers "is there a receiver" before the
 * first message. Later it can also mean that the receivers are slow; a monitor of the socket tells
 * how many there are. The monitor is read in cold moments only.
 *
 * A publisher is an XPUB, which on the wire is a PUB and hears of subscriptions: the first message
 * waits until there is one. It can always be written to, so waiting for room is by looking again.
 *
 * Sending tries once without blocking; what follows when that fails is cold, and is the time that
 * counts as blocked. libzmq reports room only when half of its queue is free, so a fast receiver
 * costs a wake-up for every half queue, not for every message. */
#include "bench/detector/sender.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <zmq.h>

#include "core/clock.h"
#include "core/log.h"

#define MONITOR_ENDPOINT "inproc://sluice-detector-monitor"
#define POLL_MS          50
#define LOOK_AGAIN_NS    (200 * SLUICE_NS_PER_US)
#define NOBODY_AFTER_NS  (2 * SLUICE_NS_PER_S)
#define SLOW_AFTER_NS    (10 * SLUICE_NS_PER_S)

static int64_t now(void)
{
    return sluice_now_ns(sluice_clock_system());
}

static enum sluice_status fail(struct sluice_sender *sender, struct sluice_error *error,
                               const char *what)
{
    int code = zmq_errno();
    sluice_error_set(error, SLUICE_IO, "%s %s: %s", what, sender->settings.endpoint,
                     zmq_strerror(code));
    if (error && error->origin == SLUICE_ORIGIN_SELF) {
        error->origin = SLUICE_ORIGIN_ZMQ;
        error->code = code;
    }
    return SLUICE_IO;
}

static bool set(void *socket, int option, int value)
{
    return zmq_setsockopt(socket, option, &value, sizeof value) == 0;
}

static bool open_sockets(struct sluice_sender *sender)
{
    const struct sluice_sender_settings *settings = &sender->settings;
    int high_water = settings->high_water > 1 ? (int)settings->high_water : 1;
    sender->context = zmq_ctx_new();
    if (!sender->context)
        return false;
    sender->socket = zmq_socket(sender->context, settings->publish ? ZMQ_XPUB : ZMQ_PUSH);
    sender->monitor = zmq_socket(sender->context, ZMQ_PAIR);
    return sender->socket && sender->monitor && set(sender->socket, ZMQ_SNDHWM, high_water) &&
           set(sender->socket, ZMQ_IMMEDIATE, 1) && set(sender->socket, ZMQ_LINGER, 0) &&
           (!settings->publish || set(sender->socket, ZMQ_XPUB_NODROP, 1)) &&
           set(sender->monitor, ZMQ_LINGER, 0) &&
           zmq_socket_monitor(sender->socket, MONITOR_ENDPOINT,
                              ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_CONNECTED | ZMQ_EVENT_DISCONNECTED) ==
               0 &&
           zmq_connect(sender->monitor, MONITOR_ENDPOINT) == 0;
}

enum sluice_status sluice_sender_open(struct sluice_sender *sender,
                                      const struct sluice_sender_settings *settings,
                                      struct sluice_error *error)
{
    *sender = (struct sluice_sender){.settings = *settings};
    enum sluice_status status = SLUICE_OK;
    if (!open_sockets(sender))
        status = fail(sender, error, "cannot make a socket for");
    else if (settings->connect && zmq_connect(sender->socket, settings->endpoint) != 0)
        status = fail(sender, error, "cannot connect to");
    else if (!settings->connect && zmq_bind(sender->socket, settings->endpoint) != 0)
        status = fail(sender, error, "cannot bind to");
    if (status != SLUICE_OK) {
        sluice_sender_close(sender, 0);
        return status;
    }
    char endpoint[256];
    size_t bytes = sizeof endpoint;
    if (zmq_getsockopt(sender->socket, ZMQ_LAST_ENDPOINT, endpoint, &bytes) != 0)
        strcpy(endpoint, "?");
    sluice_log_info("simulate", "%s %s", settings->connect ? "connecting to" : "listening on",
                    endpoint);
    return SLUICE_OK;
}

/* Takes in what the monitor has to say. An event is two frames: number and value, endpoint. */
static void count_peers(struct sluice_sender *sender)
{
    uint8_t event[6];
    char endpoint[256];
    while (zmq_recv(sender->monitor, event, sizeof event, ZMQ_DONTWAIT) == sizeof event) {
        uint16_t number;
        memcpy(&number, event, sizeof number);
        int length = zmq_recv(sender->monitor, endpoint, sizeof endpoint, ZMQ_DONTWAIT);
        if (length < 0)
            break;
        if (number == ZMQ_EVENT_DISCONNECTED && sender->peers > 0)
            sender->peers--;
        else if (number != ZMQ_EVENT_DISCONNECTED)
            sender->peers++;
        if (sender->peers > sender->peers_max)
            sender->peers_max = sender->peers;
    }
    if (sender->peers > 1 && !sender->settings.publish && !sender->crowd_said) {
        sender->crowd_said = true;
        sluice_log_warning("simulate", "%d receivers are connected: each gets only a part",
                           sender->peers);
    }
}

/* A publisher's subscriptions: a message each, 1 or 0 and the topic; each topic comes once, and
 * goes with its last subscriber. */
static void count_subscriptions(struct sluice_sender *sender)
{
    uint8_t change[256];
    int bytes;
    while ((bytes = zmq_recv(sender->socket, change, sizeof change, ZMQ_DONTWAIT)) >= 0)
        if (bytes > 0)
            sender->subscriptions += change[0] ? 1 : sender->subscriptions > 0 ? -1 : 0;
}

/* Looks whether the socket can be written to, for POLL_MS at most; below 0: it failed. `full`: a
 * publisher's queue was full just now. */
static int poll_room(struct sluice_sender *sender, bool full)
{
    zmq_pollitem_t item = {.socket = sender->socket, .events = ZMQ_POLLOUT};
    if (!sender->settings.publish)
        return zmq_poll(&item, 1, POLL_MS);
    count_subscriptions(sender);
    if (sender->subscriptions && !full)
        return 1;
    const struct timespec pause = {.tv_nsec = LOOK_AGAIN_NS};
    nanosleep(&pause, NULL);
    return sender->subscriptions ? 1 : 0;
}

/* Waits until the socket can be written to, or is worth another try. */
static enum sluice_status wait_room(struct sluice_sender *sender, int64_t deadline_ns, bool full,
                                    struct sluice_error *error)
{
    int64_t since = now(), alone_since = since, said = since;
    bool nobody_said = false;
    for (;;) {
        int ready = poll_room(sender, full);
        if (ready > 0 && !full)
            return SLUICE_OK;
        if (ready < 0 && zmq_errno() != EINTR)
            return fail(sender, error, "cannot wait for");
        int64_t at = now();
        int stop = *sender->settings.stop;
        if (stop > 1 || (stop == 1 && !deadline_ns) || (deadline_ns && at >= deadline_ns))
            return SLUICE_AGAIN;
        if (ready > 0)
            return SLUICE_OK;
        count_peers(sender);
        if (sender->peers > 0) {
            alone_since = at;
            if (at - said > SLOW_AFTER_NS) {
                said = at;
                sluice_log_info("simulate", "the receiver has taken nothing for %lld s",
                                (long long)((at - since) / SLUICE_NS_PER_S));
            }
            continue;
        }
        if (!nobody_said && at - alone_since > NOBODY_AFTER_NS) {
            nobody_said = true;
            sluice_log_info("simulate", "nobody is connected to %s yet, waiting",
                            sender->settings.endpoint);
        }
        int64_t timeout = sender->settings.connect_timeout_ns;
        if (timeout && at - alone_since > timeout)
            return sluice_error_set(error, SLUICE_TIMEOUT,
                                    "no receiver was connected to %s for %lld s; start one, or "
                                    "give it longer with --connect-timeout",
                                    sender->settings.endpoint,
                                    (long long)(timeout / SLUICE_NS_PER_S));
    }
}

enum sluice_status sluice_sender_wait(struct sluice_sender *sender, struct sluice_error *error)
{
    enum sluice_status status = wait_room(sender, 0, false, error);
    count_peers(sender);
    return status;
}

/* Waits for room, and notes how long. */
static enum sluice_status wait_blocked(struct sluice_sender *sender, int64_t deadline_ns, bool full,
                                       struct sluice_error *error)
{
    int64_t since = now();
    enum sluice_status status = wait_room(sender, deadline_ns, full, error);
    sender->blocked_ns += now() - since;
    return status;
}

/* Hands one part over; it is released in every case. libzmq takes all parts of a message or none;
 * only when the receiver goes away between two of them does a later one fail: what is left of the
 * message is lost with the connection, and has to be given to libzmq up to its last part all the
 * same, or it would take the rest for the beginning of the next message. */
static enum sluice_status send_part(struct sluice_sender *sender, zmq_msg_t *out, bool first,
                                    bool more, int64_t deadline_ns, struct sluice_error *error)
{
    while (zmq_msg_send(out, sender->socket, ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0)) < 0) {
        enum sluice_status status = SLUICE_OK;
        int code = zmq_errno();
        if (code == EINTR)
            continue;
        if (code != EAGAIN)
            status = fail(sender, error, "cannot send to");
        else if (first)
            status = wait_blocked(sender, deadline_ns, sender->settings.publish, error);
        else if (!more)
            break;
        if (status != SLUICE_OK) {
            zmq_msg_close(out);
            return status;
        }
    }
    zmq_msg_close(out);
    return SLUICE_OK;
}

/* A publisher without any subscriber would throw the message away. */
static enum sluice_status wait_subscriber(struct sluice_sender *sender, int64_t deadline_ns,
                                          struct sluice_error *error)
{
    if (!sender->settings.publish)
        return SLUICE_OK;
    count_subscriptions(sender);
    return sender->subscriptions ? SLUICE_OK : wait_blocked(sender, deadline_ns, false, error);
}

static void release_from(const struct sluice_message *message, uint32_t part)
{
    for (; part < message->part_count; part++)
        sluice_messages_release(message->parts[part].data, message->hint);
}

enum sluice_status sluice_sender_send(struct sluice_sender *sender,
                                      const struct sluice_message *message, int64_t deadline_ns,
                                      struct sluice_error *error)
{
    enum sluice_status status = wait_subscriber(sender, deadline_ns, error);
    for (uint32_t p = 0; p < message->part_count; p++) {
        const struct sluice_message_part *part = &message->parts[p];
        zmq_msg_t out;
        if (status == SLUICE_OK && zmq_msg_init_data(&out, part->data, part->bytes,
                                                     sluice_messages_release, message->hint) != 0)
            status = sluice_error_set(error, SLUICE_NO_MEMORY, "no memory to send a message");
        if (status != SLUICE_OK) {
            release_from(message, p);
            return status;
        }
        status = send_part(sender, &out, p == 0, p + 1 < message->part_count, deadline_ns, error);
        sender->bytes += status == SLUICE_OK ? part->bytes : 0;
    }
    sender->messages += status == SLUICE_OK;
    return status;
}

enum sluice_status sluice_sender_send_copy(struct sluice_sender *sender,
                                           const struct sluice_multipart *message,
                                           struct sluice_error *error)
{
    enum sluice_status status = wait_subscriber(sender, 0, error);
    for (uint32_t p = 0; status == SLUICE_OK && p < message->count; p++) {
        const struct sluice_span part = sluice_multipart_span(message, p);
        zmq_msg_t out;
        if (zmq_msg_init_size(&out, part.bytes) != 0)
            return sluice_error_set(error, SLUICE_NO_MEMORY, "no memory to send a message");
        if (part.bytes > 0)
            memcpy(zmq_msg_data(&out), part.data, part.bytes);
        status = send_part(sender, &out, p == 0, p + 1 < message->count, 0, error);
        sender->bytes += status == SLUICE_OK ? part.bytes : 0;
    }
    sender->messages += status == SLUICE_OK;
    return status;
}

void sluice_sender_drain(struct sluice_sender *sender, const struct sluice_messages *messages,
                         int64_t deadline_ns)
{
    const struct timespec pause = {.tv_nsec = 200 * SLUICE_NS_PER_US};
    while (sluice_messages_in_flight(messages) && now() < deadline_ns &&
           *sender->settings.stop < 2) {
        count_peers(sender);
        nanosleep(&pause, NULL);
    }
    count_peers(sender);
}

void sluice_sender_close(struct sluice_sender *sender, int64_t linger_ns)
{
    if (sender->socket) {
        set(sender->socket, ZMQ_LINGER, (int)(linger_ns / SLUICE_NS_PER_MS));
        zmq_close(sender->socket);
    }
    if (sender->monitor)
        zmq_close(sender->monitor);
    if (sender->context)
        while (zmq_ctx_term(sender->context) != 0 && zmq_errno() == EINTR)
            ;
    sender->socket = sender->monitor = sender->context = NULL;
}
