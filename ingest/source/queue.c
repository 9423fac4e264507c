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
 * read is a multiple of the step, half the mark (4.3.4; a message of several parts counts once).
 * Only an acknowledgement wakes a writer that has stopped: a mark that is raised does not, and one
 * that is lowered may stop it behind a message that we have read already. So it has to be able to
 * write as far as the new step's next multiple, or it stops for good: as far as the last
 * acknowledgement and the least of the marks since then. That can be told of a single pipe, whose
 * messages we count. A mark that cannot be as low as is wanted becomes as low as it can: twice
 * what is unacknowledged always goes, and the next acknowledgement lets it go all the way.
 *
 * Where there are several pipes the mark is lowered among the first messages (a step that none has
 * reached lies before us in each) or stays, and it is not raised.
 *
 * It is raised again in a later series, whose start says nothing of large images, behind its first
 * ones, where the next multiple is near: at the latest half a mark of messages later.
 * A protocol without starts never does so. */
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

/* Whether the writer of the single pipe comes to the new step's next multiple. */
static bool is_safe(const struct sluice_source_queue *queue, uint32_t hwm)
{
    const uint64_t next = (queue->messages / step(hwm) + 1) * step(hwm);
    return next <= queue->told + (hwm < queue->least ? hwm : queue->least);
}

/* What the mark may be now that is nearest to what is wanted. */
static uint32_t nearest(struct sluice_source *source)
{
    const struct sluice_source_queue *queue = &source->queue;
    uint32_t hwm = queue->wanted;
    if (hwm == queue->hwm)
        return hwm;
    if (hwm > queue->hwm)
        return source->head.kind == SLUICE_MESSAGE_IMAGE && is_safe(queue, hwm) &&
                       has_one_pipe(source)
                   ? hwm
                   : queue->hwm;
    if (!has_one_pipe(source)) {
        const uint64_t first = queue->messages * 2 + 1; /* its step is the next message */
        return first <= hwm ? hwm : first < queue->hwm ? (uint32_t)first : queue->hwm;
    }
    while (hwm < queue->hwm && !is_safe(queue, hwm))
        hwm++;
    return hwm;
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
    if (queue->messages % step(queue->hwm) == 0) {
        queue->told = queue->messages;
        queue->least = queue->hwm;
    }
    if (source->decode_status == SLUICE_OK && source->head.kind == SLUICE_MESSAGE_START)
        queue->wanted = source->settings.receive_hwm;
    if (budget > 0 && bytes * queue->wanted > budget) {
        const uint64_t fit = budget / (bytes + bytes / 4); /* larger ones of the series will come */
        const uint32_t hwm =
            fit < HWM_LEAST + HWM_BESIDE ? HWM_LEAST : (uint32_t)(fit - HWM_BESIDE);
        queue->wanted = hwm < queue->wanted ? hwm : queue->wanted;
    }
    const int hwm = (int)nearest(source);
    if ((uint32_t)hwm == queue->hwm ||
        zmq_setsockopt(source->socket, ZMQ_RCVHWM, &hwm, sizeof(hwm)) != 0)
        return;
    sluice_log_info("source",
                    "libzmq holds %d messages at most from here on (source.receive_bytes; %s of "
                    "%zu bytes)",
                    hwm, source->head.kind == SLUICE_MESSAGE_START ? "a start" : "an image",
                    source->message.bytes);
    if (queue->held_until < queue->messages + queue->hwm)
        queue->held_until = queue->messages + queue->hwm;
    queue->hwm = (uint32_t)hwm;
    queue->least = queue->hwm < queue->least ? queue->hwm : queue->least;
}

uint64_t sluice_source_queued_max(const struct sluice_source *source)
{
    const struct sluice_source_queue *queue = &source->queue;
    return queue->hwm +
           (queue->held_until > queue->messages ? queue->held_until - queue->messages : 0);
}
