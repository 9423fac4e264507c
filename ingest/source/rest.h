/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages that were written from rest before libzmq gets their memory again.
 *
 * What the disk has read lies in the cache of the processor that read it: with a virtual disk one
 * of the host's. Receiving into it at once takes all these lines back from there, which costs half
 * as much again where that processor is far. A while later they have left its cache.
 *
 * The source's thread. Bounded in bytes; the oldest leaves first. */
#ifndef SLUICE_INGEST_SOURCE_REST_H
#define SLUICE_INGEST_SOURCE_REST_H

#include "ingest/source/message.h"

struct sluice_rest {
    struct sluice_message *messages; /* a ring of `room`; NULL: nothing rests */
    uint32_t room, first, count;
    uint64_t bytes, bytes_max;
};

/* 0 bytes: nothing rests. NO_MEMORY. */
enum sluice_status sluice_rest_init(struct sluice_rest *rest, uint64_t bytes_max);
/* Takes the message over; what there is no room for any more is released. */
void sluice_rest_put(struct sluice_rest *rest, struct sluice_message *message);
/* One that need not rest was released: then those that do may go soon, a few at a time. */
void sluice_rest_shrink(struct sluice_rest *rest);
void sluice_rest_close(struct sluice_rest *rest);

#endif
