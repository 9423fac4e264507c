/* SPDX-License-Identifier: Apache-2.0
 *
 * What libzmq may hold for us. Its high-water mark counts messages, and images differ a
 * thousandfold: the mark begins at source.receive_hwm, which small images want (with 64 messages
 * libzmq's thread stops and is started again all the time), and the first image that is too large
 * for that lowers it, so that the queue holds source.receive_bytes.
 *
 * It is never raised again: libzmq (4.3.4) does not wake a pipe that waits at the old mark, and the
 * reader, who now acknowledges less often, may never do so. Lowering is safe, since it acknowledges
 * more often. A later series of small images has the low mark then, until the next start; hence
 * HWM_LEAST. */
#include <zmq.h>

#include "core/log.h"
#include "ingest/source/internal.h"

#define HWM_LEAST 32

void sluice_source_bound_queue(struct sluice_source *source)
{
    const uint64_t budget = source->settings.receive_bytes, bytes = source->message.bytes;
    if (budget == 0 || source->hwm <= HWM_LEAST || bytes * source->hwm <= budget ||
        source->head.kind != SLUICE_MESSAGE_IMAGE || source->decode_status != SLUICE_OK)
        return;
    const uint64_t fit = budget / (bytes + bytes / 4); /* larger ones of the series will come */
    const int hwm = fit < HWM_LEAST ? HWM_LEAST : (int)fit;
    if (zmq_setsockopt(source->socket, ZMQ_RCVHWM, &hwm, sizeof(hwm)) != 0)
        return;
    sluice_log_info("source",
                    "libzmq holds %d messages at most from here on (source.receive_bytes; an image "
                    "has %zu bytes)",
                    hwm, source->message.bytes);
    source->hwm = (uint32_t)hwm;
}
