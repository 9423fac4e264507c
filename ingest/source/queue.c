/* SPDX-License-Identifier: Apache-2.0
 *
 * What libzmq may hold for us. Its high-water mark counts messages, and images differ a
 * thousandfold: the mark begins at source.receive_hwm, which small images want (with 64 messages
 * libzmq's thread stops and is started again all the time), and the first image that is too large
 * for that lowers it, so that the queue holds source.receive_bytes. Little of large ones: what is
 * received into memory that was in use a moment ago is received into the processor's cache, and
 * there are fewer pages to touch for the first time.
 *
 * Images behind a large start are received while that is decoded. So the start lowers the mark
 * too, by what its masks and flatfields say about the size of images: with them it is 3 times as
 * large as one of a 16M (compressed masks) to 16 times (plain ones). START_IMAGES lies between, so
 * that the first images of one are few and those of the other not too few for good.
 *
 * When that is safe. Each connection has a pipe: its writer (libzmq's thread) stops when mark
 * messages are not acknowledged, and its reader (we) acknowledges whenever the number that it has
 * read is a multiple of the step, half the mark (4.3.4). A writer that finds the mark lowered
 * below what is unacknowledged stops, perhaps behind a message that we have read already; were none
 * of the new step's multiples left to be reached by what it has written, it would stop for good.
 * So nothing is lowered where such a multiple was passed without an acknowledgement: at most a few
 * messages after the last one, or before the first. That can be told of a single pipe, whose
 * messages we count. Where there are several the mark is lowered among the first messages or stays.
 *
 * What cannot be lowered at once is lowered in two steps: first to the mark whose step is the next
 * message (its first multiple lies before us, in each pipe), and behind that one as far as wanted.
 *
 * It is never raised again: the reader, who now acknowledges less often, may never do so, and
 * nothing else wakes a pipe that waits at the old mark. A later series of small images has the low
 * mark then, until the program is started again. */
#include <zmq.h>

#include "core/log.h"
#include "ingest/source/internal.h"

#define HWM_LEAST    2
#define HWM_BESIDE   2 /* messages: one is being received, one is in our hands */
#define START_IMAGES 8 /* that a start counts as */

static uint64_t step(uint32_t hwm)
{
    return ((uint64_t)hwm + 1) / 2;
}

/* As far as it is known: libzmq throws messages of other topics away without our counting them. */
static bool has_one_pipe(struct sluice_source *source)
{
    const struct sluice_source_settings *settings = &source->settings;
    const char *topic = settings->topic != NULL ? settings->topic : "";
    if (settings->socket == SLUICE_SOCKET_SUB && topic[0] != '\0')
        return false;
    if (!settings->bind)
        return !source->connected_anew;
    source->monitor.spoke = true;
    sluice_source_look_at_connections(source);
    return source->monitor.accepted == 1;
}

static bool is_safe(struct sluice_source *source, uint32_t hwm)
{
    const uint64_t read = source->queue.messages, new_step = step(hwm);
    const uint64_t passed = read / new_step * new_step; /* should have been acknowledged */
    if (passed == 0)
        return true;
    return passed <= read / step(source->queue.hwm) * step(source->queue.hwm) &&
           has_one_pipe(source);
}

/* As far as the mark may be lowered now; what it is: not at all. */
static uint32_t lowest(struct sluice_source *source)
{
    const struct sluice_source_queue *queue = &source->queue;
    const uint64_t next = queue->messages * 2 + 1; /* its step is the next message */
    if (queue->wanted == queue->hwm || is_safe(source, queue->wanted))
        return queue->wanted;
    return next < queue->hwm ? (uint32_t)next : queue->hwm;
}

/* So large may images be that come now, by the message in hand; 0: it does not say. */
static uint64_t image_bytes(const struct sluice_source *source)
{
    const uint64_t bytes = source->message.bytes;
    if (source->decode_status != SLUICE_OK || source->head.kind == SLUICE_MESSAGE_END)
        return 0;
    return source->head.kind == SLUICE_MESSAGE_START ? bytes / START_IMAGES : bytes;
}

void sluice_source_bound_queue(struct sluice_source *source)
{
    struct sluice_source_queue *queue = &source->queue;
    const uint64_t budget = source->settings.receive_bytes, bytes = image_bytes(source);
    queue->messages++;
    if (budget > 0 && bytes * queue->wanted > budget) {
        const uint64_t fit = budget / (bytes + bytes / 4); /* larger ones of the series will come */
        const uint32_t hwm =
            fit < HWM_LEAST + HWM_BESIDE ? HWM_LEAST : (uint32_t)(fit - HWM_BESIDE);
        queue->wanted = hwm < queue->wanted ? hwm : queue->wanted;
    }
    const int hwm = (int)lowest(source);
    if ((uint32_t)hwm == queue->hwm ||
        zmq_setsockopt(source->socket, ZMQ_RCVHWM, &hwm, sizeof(hwm)) != 0)
        return;
    sluice_log_info("source",
                    "libzmq holds %d messages at most from here on (source.receive_bytes; %s of "
                    "%zu bytes)",
                    hwm, source->head.kind == SLUICE_MESSAGE_START ? "a start" : "an image",
                    source->message.bytes);
    queue->held_until = queue->messages + queue->hwm;
    queue->hwm = (uint32_t)hwm;
}

uint64_t sluice_source_queued_max(const struct sluice_source *source)
{
    const struct sluice_source_queue *queue = &source->queue;
    return queue->hwm +
           (queue->held_until > queue->messages ? queue->held_until - queue->messages : 0);
}
