/* SPDX-License-Identifier: Apache-2.0
 *
 * One received ZeroMQ message: its parts, kept where libzmq put them. Zeroed memory is an empty
 * one. Moving hands over the contents without copying a payload, but for parts of up to 33 bytes,
 * which libzmq keeps inside zmq_msg_t itself: spans into these move too. One thread at a time. */
#ifndef SLUICE_INGEST_SOURCE_MESSAGE_H
#define SLUICE_INGEST_SOURCE_MESSAGE_H

#include <zmq.h>

#include "core/error.h"
#include "ingest/protocol/protocol.h"

#define SLUICE_MESSAGE_PARTS_MAX SLUICE_PARTS_MAX

struct sluice_message {
    zmq_msg_t parts[SLUICE_MESSAGE_PARTS_MAX];
    uint32_t part_count; /* parts that are initialised */
    bool too_many_parts; /* more came than are kept; the rest was thrown away */
    size_t bytes;        /* of all parts */
};

/* Takes the next message that is there, whole. OK; AGAIN when there is none; IO. */
enum sluice_status sluice_message_receive(void *socket, struct sluice_message *message,
                                          struct sluice_error *error);
/* `to` must be empty; `from` is empty afterwards. */
void sluice_message_move(struct sluice_message *to, struct sluice_message *from);
/* Points a span that was in `from` before it was moved to where it is now. */
void sluice_message_follow(const struct sluice_message *from, const struct sluice_message *to,
                           struct sluice_span *span);
/* Gives the memory back to libzmq; does nothing to an empty one. */
void sluice_message_release(struct sluice_message *message);
/* The parts, borrowed until the message is moved or released. */
void sluice_message_parts(struct sluice_message *message, struct sluice_parts *parts);

#endif
