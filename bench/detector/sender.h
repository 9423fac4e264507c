/* SPDX-License-Identifier: Apache-2.0
 *
 * The detector's socket: a PUSH, or a PUB, that binds (or connects), waits for a receiver, never
 * blocks without looking at the stop flag, and counts how long it was held up. A PUB here waits for
 * its slowest subscriber instead of dropping, so that what was sent is what arrives. One thread. */
#ifndef SLUICE_BENCH_DETECTOR_SENDER_H
#define SLUICE_BENCH_DETECTOR_SENDER_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/detector/messages.h"
#include "core/error.h"

struct sluice_sender_settings {
    const char *endpoint;       /* borrowed until close */
    bool connect;               /* else bind, as a detector does */
    bool publish;               /* PUB; else PUSH */
    size_t high_water;          /* messages in libzmq's queue, for each receiver */
    int64_t connect_timeout_ns; /* without any receiver; 0: for ever */
    /* 0 go on; 1 end in order; 2 give up. Set by a signal handler; borrowed until close. */
    const volatile sig_atomic_t *stop;
};

struct sluice_sender {
    struct sluice_sender_settings settings;
    void *context, *socket, *monitor;
    int peers, peers_max, subscriptions;
    bool crowd_said;
    uint64_t messages, bytes;
    int64_t blocked_ns;
};

enum sluice_status sluice_sender_open(struct sluice_sender *sender,
                                      const struct sluice_sender_settings *settings,
                                      struct sluice_error *error);
/* Returns when a receiver is there: OK, AGAIN (stopped), TIMEOUT. */
enum sluice_status sluice_sender_wait(struct sluice_sender *sender, struct sluice_error *error);
/* Sends, or waits until it can. OK; AGAIN (stopped: the message was released unsent), TIMEOUT
 * (nobody is connected any more), or IO. With a deadline (CLOCK_MONOTONIC, 0: none) it goes on
 * until then although it was stopped once. The message is taken in every case. */
enum sluice_status sluice_sender_send(struct sluice_sender *sender,
                                      const struct sluice_message *message, int64_t deadline_ns,
                                      struct sluice_error *error);
/* The same of bytes that are copied, at most SLUICE_MULTIPART_MAX parts. */
enum sluice_status sluice_sender_send_copy(struct sluice_sender *sender,
                                           const struct sluice_multipart *message,
                                           struct sluice_error *error);
/* Waits until nothing is in flight any more, at most until the deadline, or a second stop. */
void sluice_sender_drain(struct sluice_sender *sender, const struct sluice_messages *messages,
                         int64_t deadline_ns);
/* Closes the socket at once, releasing what is still queued. Accepts one that was not opened. */
void sluice_sender_close(struct sluice_sender *sender, int64_t linger_ns);

#endif
