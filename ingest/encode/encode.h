/* SPDX-License-Identifier: Apache-2.0
 *
 * The codec workers: N agents between the source and the writer that bring every plane into the
 * encoding that codec.filter asks for, and note its checksum.
 *
 *   source --handover--> worker 0 … N-1 --handover--> writer
 *                          ^ buffers given back (ring/pool.h) |
 *                          +----------------------------------+
 *
 * A plane that comes in that encoding already is passed on as it is; raw pixels are encoded; a
 * bare LZ4 block gets the framing of the lz4 filter; another encoding is decoded first. The result
 * lies in a buffer of the worker's pool, each plane at a multiple of SLUICE_POOL_ALIGN and filled
 * up with zeros to the next one; the frame points to it until the writer has stored it. An image of
 * which one plane cannot be decoded is handed on with encode_status set, and the writer refuses it.
 *
 * Buffers are made when a series is announced, or at the first image that needs larger ones. While
 * images of one shape pass nothing is allocated.
 *
 * Threads: create, start, finish and destroy from the composing thread; announce from the source's;
 * give_up from any. Progress: a worker waits only for images and for buffers of its own. */
#ifndef SLUICE_INGEST_ENCODE_ENCODE_H
#define SLUICE_INGEST_ENCODE_ENCODE_H

#include "core/agent.h"
#include "core/clock.h"
#include "core/counters.h"
#include "core/series.h"
#include "ingest/encode/settings.h"
#include "ingest/ring/handover.h"

/* Borrowed; all outlive it, and the writer is destroyed before it. */
struct sluice_encode_ports {
    struct sluice_handover *handover; /* made for sluice_encode_worker_count workers */
    struct sluice_frame *frames;      /* by slot number */
    uint32_t slot_count;
    struct sluice_counters *counters;
    const struct sluice_clock *clock;
};

struct sluice_encode;

/* 0 with SLUICE_CODEC_KEEP: then there is nothing to create. */
uint32_t sluice_encode_worker_count(const struct sluice_encode_settings *settings);

/* What every stored plane will be in. Not with SLUICE_CODEC_KEEP. */
enum sluice_encoding sluice_encode_encoding(const struct sluice_encode_settings *settings);

/* NO_MEMORY. */
enum sluice_status sluice_encode_create(const struct sluice_encode_settings *settings,
                                        const struct sluice_encode_ports *ports,
                                        struct sluice_encode **encode, struct sluice_error *error);
/* NULL is accepted. */
void sluice_encode_destroy(struct sluice_encode *encode);

/* Starts every worker. SYSTEM: some may run; finish ends them. */
enum sluice_status sluice_encode_start(struct sluice_encode *encode, struct sluice_error *error);
/* After the writer is done, when nothing is left for them: joins the workers. */
void sluice_encode_finish(struct sluice_encode *encode);

/* Images of this shape will come: idle workers make buffers for them. `context` is the encode. */
void sluice_encode_announce(void *context, const struct sluice_series *series);

/* From now on images are handed on as they are. The writer must have been told before to give them
 * up (sluice_writer_give_up), so that it stores none. */
void sluice_encode_give_up(struct sluice_encode *encode);

/* A worker as an agent, for those who drive it by hand. */
extern const struct sluice_agent_ops sluice_encode_agent_ops;
void *sluice_encode_worker(struct sluice_encode *encode, uint32_t number);

#endif
