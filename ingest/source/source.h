/* SPDX-License-Identifier: Apache-2.0
 *
 * The source agent: takes messages from a ZeroMQ PULL socket, decodes them where they lie, holds
 * them against the open series, and hands slot numbers to the writer. What is lost before the ring
 * is lost here, and counted here.
 *
 * Threads: create and destroy from the composing thread, before the start and after the join of
 * both agents; do_work and wait from the agent's thread only; request_stop from any thread, also
 * from a signal handler. The socket is used by the agent's thread only, once it runs. */
#ifndef SLUICE_INGEST_SOURCE_SOURCE_H
#define SLUICE_INGEST_SOURCE_SOURCE_H

#include "core/agent.h"
#include "core/arm.h"
#include "core/clock.h"
#include "core/counters.h"
#include "core/frame.h"
#include "ingest/ring/arena.h"
#include "ingest/ring/handover.h"
#include "ingest/source/settings.h"

/* What the source is connected to: borrowed, outlives it. The rings must hold every slot
 * (sluice_source_slot_count). */
struct sluice_source_ports {
    struct sluice_handover *out; /* source -> writer, perhaps through workers */
    struct sluice_spsc *free;    /* writer -> source */
    struct sluice_wake *free_wake;
    struct sluice_progress *progress;
    struct sluice_counters *counters;
    const struct sluice_clock *clock;
    /* Hears of every series before its first image; NULL: nobody does. Source thread; `series` is
     * borrowed for the call. */
    void (*announce)(void *context, const struct sluice_series *series);
    void *announce_context;
};

struct sluice_source;

/* Slots that a source with these settings has, control slots included. */
uint32_t sluice_source_slot_count(const struct sluice_source_settings *settings);

/* Opens the socket, connects or binds it. CONFIG for an endpoint that cannot be used (with what to
 * do), NO_MEMORY, SYSTEM. */
enum sluice_status sluice_source_create(const struct sluice_source_settings *settings,
                                        const struct sluice_source_ports *ports,
                                        struct sluice_source **source, struct sluice_error *error);
/* Large images are copied into the arena's memory, while the processor has them in its cache, and
 * waited for there is room. Before the agent starts; the memory is borrowed. NO_MEMORY. */
enum sluice_status sluice_source_use_arena(struct sluice_source *source,
                                           const struct sluice_arena_memory *memory,
                                           struct sluice_error *error);
/* NULL is accepted. */
void sluice_source_destroy(struct sluice_source *source);

/* The slots' descriptors, for the writer's ports; as long-lived as the source. */
struct sluice_frame *sluice_source_frames(struct sluice_source *source);
/* The endpoint in use: with the port that the system chose where the settings say "*" or 0. */
const char *sluice_source_endpoint(const struct sluice_source *source);

/* What create would say about source.curve_*, without anything else; CONFIG. */
enum sluice_status sluice_source_check_keys(const struct sluice_source_settings *settings,
                                            struct sluice_error *error);

/* do_work, wait. SLUICE_AGENT_DONE after the frame of kind FINISH, which follows a stop or the
 * close of the last series wanted. */
extern const struct sluice_agent_ops sluice_source_agent_ops;

/* Takes what libzmq holds already (bounded), closes the open series, finishes. */
void sluice_source_request_stop(struct sluice_source *source);

/* Passes an arm on to the writer, in the order of the stream; the writer's event ARM answers. Takes
 * `arm` (from malloc) when it returns OK; FULL: the one before is not passed on yet. Any thread. */
enum sluice_status sluice_source_arm(struct sluice_source *source, struct sluice_arm *arm);
/* Takes what libzmq holds already, closes the open series (ended_by stop) and disarms; then goes on
 * with whatever comes next. Numbers grow; the writer's event STOPPED says that all up to its own
 * are done. Does nothing to the series when none is open. Any thread. */
void sluice_source_stop_series(struct sluice_source *source, uint64_t number);

#endif
