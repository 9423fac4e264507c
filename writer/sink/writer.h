/* SPDX-License-Identifier: Apache-2.0
 *
 * The writer agent: takes frames from the ring, appends images to SWMR files, flushes them in two
 * steps and says what is visible. It is the one thread that calls HDF5.
 *
 * Threads: create and destroy from the composing thread, before the start and after the join of the
 * agent; do_work and wait from the agent's thread only; give_up and drain from any thread. Slots go
 * back through `free` when their payload is no longer needed. */
#ifndef SLUICE_WRITER_WRITER_H
#define SLUICE_WRITER_WRITER_H

#include "core/agent.h"
#include "core/clock.h"
#include "core/counters.h"
#include "core/frame.h"
#include "ingest/ring/arena.h"
#include "ingest/ring/events.h"
#include "ingest/ring/handover.h"
#include "writer/settings.h"

/* Everything it is connected to; all borrowed, all outlive it. */
struct sluice_writer_ports {
    struct sluice_frame *frames;   /* the slots' descriptors, by slot number */
    struct sluice_handover *in;    /* source -> writer; it sleeps on its wake */
    struct sluice_spsc *free;      /* writer -> source */
    struct sluice_wake *free_wake; /* signalled after slots went back */
    struct sluice_events *events;  /* NULL: summaries are only counted */
    struct sluice_progress *progress;
    struct sluice_counters *counters;
    const struct sluice_clock *clock;
};

struct sluice_writer;

/* Checks the directories (made when they are missing) and the name pattern. CONFIG, IO, NO_MEMORY.
 */
enum sluice_status sluice_writer_create(const struct sluice_writer_settings *settings,
                                        const struct sluice_writer_ports *ports,
                                        struct sluice_writer **writer, struct sluice_error *error);
/* Memory for payloads that the writer then need not copy (writer.io direct, ring.arena_bytes): data
 * is NULL when there is none. As long-lived as the writer. */
struct sluice_arena_memory sluice_writer_arena(struct sluice_writer *writer);
/* Closes what is open, in order. NULL is accepted. */
void sluice_writer_destroy(struct sluice_writer *writer);

/* do_work, wait; SLUICE_AGENT_DONE after a frame of kind FINISH. */
extern const struct sluice_agent_ops sluice_writer_agent_ops;

/* From now on images that wait in the ring are not written but counted as dropped; files are
 * closed in order. Any thread. */
void sluice_writer_give_up(struct sluice_writer *writer);

#endif
