/* SPDX-License-Identifier: Apache-2.0
 *
 * Receiving is all or nothing: ZeroMQ hands over multi-part messages whole, so once the first part
 * is there the others are too. Parts past the limit are read and thrown away, and the message is
 * marked, so that the next one starts at its own first part. */
#include "ingest/source/message.h"

#include <errno.h>

static enum sluice_status receive_part(void *socket, zmq_msg_t *part)
{
    for (;;) {
        if (zmq_msg_recv(part, socket, ZMQ_DONTWAIT) >= 0)
            return SLUICE_OK;
        if (errno != EINTR)
            return errno == EAGAIN ? SLUICE_AGAIN : SLUICE_IO;
    }
}

enum sluice_status sluice_message_receive(void *socket, struct sluice_message *message,
                                          struct sluice_error *error)
{
    message->part_count = 0;
    message->too_many_parts = false;
    message->bytes = 0;
    for (bool more = true; more;) {
        zmq_msg_t part;
        zmq_msg_init(&part);
        const enum sluice_status status = receive_part(socket, &part);
        if (status != SLUICE_OK) {
            zmq_msg_close(&part);
            sluice_message_release(message);
            return status == SLUICE_AGAIN
                       ? status
                       : sluice_error_set(error, status, "receiving: %s", zmq_strerror(errno));
        }
        more = zmq_msg_more(&part) != 0;
        message->bytes += zmq_msg_size(&part);
        if (message->part_count == SLUICE_MESSAGE_PARTS_MAX) {
            message->too_many_parts = true;
            zmq_msg_close(&part);
            continue;
        }
        zmq_msg_t *kept = &message->parts[message->part_count++];
        zmq_msg_init(kept);
        zmq_msg_move(kept, &part);
    }
    return SLUICE_OK;
}

void sluice_message_move(struct sluice_message *to, struct sluice_message *from)
{
    for (uint32_t i = 0; i < from->part_count; i++) {
        zmq_msg_init(&to->parts[i]);
        zmq_msg_move(&to->parts[i], &from->parts[i]);
        zmq_msg_close(&from->parts[i]);
    }
    to->part_count = from->part_count;
    to->too_many_parts = from->too_many_parts;
    to->bytes = from->bytes;
    from->part_count = 0;
    from->bytes = 0;
}

void sluice_message_follow(const struct sluice_message *from, const struct sluice_message *to,
                           struct sluice_span *span)
{
    /* libzmq moves a zmq_msg_t as bytes, so its place within is the same. */
    const uintptr_t begin = (uintptr_t)from, at = (uintptr_t)span->data;
    if (at >= begin && at < begin + sizeof(*from))
        span->data = (const uint8_t *)to + (at - begin);
}

void sluice_message_release(struct sluice_message *message)
{
    for (uint32_t i = 0; i < message->part_count; i++)
        zmq_msg_close(&message->parts[i]);
    message->part_count = 0;
    message->bytes = 0;
}

void sluice_message_parts(struct sluice_message *message, struct sluice_parts *parts)
{
    parts->part[0] = (struct sluice_span){0};
    parts->count = message->part_count;
    parts->cut = message->too_many_parts;
    for (uint32_t i = 0; i < message->part_count; i++) {
        zmq_msg_t *part = &message->parts[i];
        parts->part[i] =
            (struct sluice_span){.data = zmq_msg_data(part), .bytes = zmq_msg_size(part)};
    }
}
