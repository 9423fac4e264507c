/* SPDX-License-Identifier: Apache-2.0
 *
 * Hears what libzmq does with the source's connections, which it otherwise keeps to itself: a
 * detector that came or went, and a message whose header claims more than the ring may hold. Such a
 * message costs the connection, and libzmq (4.3.4) does not connect again after it: the caller has
 * to. A peer whose socket does not fit ours (PUB to our PULL) shows as a connection that ends
 * before its handshake. The source thread's; zeroed memory is acceptable. */
#ifndef SLUICE_INGEST_SOURCE_MONITOR_H
#define SLUICE_INGEST_SOURCE_MONITOR_H

#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"

struct sluice_monitor {
    void *socket; /* PAIR; NULL: nothing is heard */
    int fd;       /* the socket's own: readable when something changed since the look */
    bool spoke;   /* it was readable; cleared by the next look. So it is at the opening */
    int64_t looked_ns;
    int64_t left_alone_ns; /* when a connection was lost that libzmq has not taken up again; 0 */
    uint64_t disconnects;  /* since the opening */
    uint64_t accepted;     /* likewise: connections to a socket that is bound */
    bool shaking_hands;    /* connected, and no handshake since */
};

/* Before the watched socket connects or binds. SYSTEM. */
enum sluice_status sluice_monitor_open(struct sluice_monitor *monitor, void *context, void *watched,
                                       struct sluice_error *error);
/* Logs what happened since the last look. True when a connection was lost a while ago and libzmq
 * does not try to get it back: connect anew. Never blocks. */
bool sluice_monitor_look(struct sluice_monitor *monitor, int64_t now_ns,
                         uint64_t message_bytes_max);
/* Before the context is terminated. */
void sluice_monitor_close(struct sluice_monitor *monitor);

#endif
