/* SPDX-License-Identifier: Apache-2.0
 *
 * libzmq tells a PAIR socket: one frame with event number and value, one with the address. After an
 * ordinary loss it says at once that it will try again (RETRIED); after a protocol error, which a
 * message above ZMQ_MAXMSGSIZE is, it says nothing more. */
#include "ingest/source/monitor.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <zmq.h>

#include "core/clock.h"
#include "core/log.h"

#define PATIENCE_NS (300 * SLUICE_NS_PER_MS)

static const char address[] = "inproc://sluice-source-monitor";

enum sluice_status sluice_monitor_open(struct sluice_monitor *monitor, void *context, void *watched,
                                       struct sluice_error *error)
{
    const int events = ZMQ_EVENT_CONNECTED | ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED |
                       ZMQ_EVENT_CONNECT_RETRIED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED;
    const int linger = 0;
    size_t fd_bytes = sizeof(monitor->fd);
    monitor->spoke = true;
    monitor->socket = zmq_socket(context, ZMQ_PAIR);
    if (monitor->socket == NULL || zmq_socket_monitor(watched, address, events) != 0 ||
        zmq_setsockopt(monitor->socket, ZMQ_LINGER, &linger, sizeof(linger)) != 0 ||
        zmq_connect(monitor->socket, address) != 0 ||
        zmq_getsockopt(monitor->socket, ZMQ_FD, &monitor->fd, &fd_bytes) != 0)
        return sluice_error_set(error, SLUICE_SYSTEM, "cannot watch the socket: %s",
                                zmq_strerror(errno));
    return SLUICE_OK;
}

static void lost(struct sluice_monitor *monitor, int64_t now_ns, uint64_t message_bytes_max,
                 const char *peer)
{
    monitor->disconnects++;
    monitor->left_alone_ns = now_ns;
    if (monitor->shaking_hands) {
        sluice_log_error(
            "source",
            "connected, but not for long: the peer does not speak ZeroMQ, or its socket "
            "does not fit source.socket (pull wants a PUSH, sub a PUB), or the keys do not "
            "(source.curve_*) endpoint=%s",
            peer);
        return;
    }
    sluice_log_warning("source",
                       "connection lost: the detector went away, or it sent a message larger than "
                       "ring.memory_bytes_max and 1 GiB allow (%" PRIu64 " bytes) endpoint=%s",
                       message_bytes_max, peer);
}

bool sluice_monitor_look(struct sluice_monitor *monitor, int64_t now_ns, uint64_t message_bytes_max)
{
    unsigned char event[6]; /* u16 number, u32 value */
    char peer[256];
    monitor->spoke = false;
    monitor->looked_ns = now_ns;
    while (monitor->socket != NULL &&
           zmq_recv(monitor->socket, event, sizeof(event), ZMQ_DONTWAIT) == (int)sizeof(event)) {
        const int room = (int)sizeof(peer) - 1;
        const int bytes = zmq_recv(monitor->socket, peer, (size_t)room, ZMQ_DONTWAIT);
        uint16_t number;
        memcpy(&number, event, sizeof(number));
        peer[bytes < 0 ? 0 : bytes < room ? bytes : room] = '\0';
        if (number == ZMQ_EVENT_DISCONNECTED) {
            lost(monitor, now_ns, message_bytes_max, peer);
            continue;
        }
        monitor->left_alone_ns = 0;
        monitor->accepted += number == ZMQ_EVENT_ACCEPTED;
        monitor->shaking_hands = number == ZMQ_EVENT_CONNECTED || number == ZMQ_EVENT_ACCEPTED;
        if (number == ZMQ_EVENT_HANDSHAKE_SUCCEEDED)
            sluice_log_info("source", "connected endpoint=%s", peer);
    }
    if (monitor->left_alone_ns == 0 || now_ns - monitor->left_alone_ns < PATIENCE_NS)
        return false;
    monitor->left_alone_ns = 0;
    return true;
}

void sluice_monitor_close(struct sluice_monitor *monitor)
{
    if (monitor->socket != NULL)
        zmq_close(monitor->socket);
    monitor->socket = NULL;
}
