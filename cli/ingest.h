/* SPDX-License-Identifier: Apache-2.0
 *
 * What `sluice ingest` is made of, for the two files that put it together (ingest.c) and keep it
 * running (ingest_run.c). The main thread's, where nothing else is said. */
#ifndef SLUICE_CLI_INGEST_H
#define SLUICE_CLI_INGEST_H

#include <pthread.h>
#include <signal.h>

#include "cli/surface.h"
#include "config/config.h"
#include "core/counters.h"
#include "ingest/encode/encode.h"
#include "ingest/service/service.h"
#include "ingest/service/supervisor.h"
#include "ingest/source/source.h"
#include "writer/sink/writer.h"

struct ingest {
    struct sluice_config config;
    struct sluice_counters *counters;
    struct sluice_handover to_writer;
    struct sluice_spsc to_source;
    struct sluice_wake source_wake;
    struct sluice_progress progress;
    struct sluice_events events;
    struct sluice_source *source;
    struct sluice_encode *encode; /* NULL: codec.filter is keep */
    struct sluice_writer *writer;
    struct sluice_service *service;
    struct sluice_agent source_agent, writer_agent, service_agent;
    struct sluice_supervisor supervisor; /* main thread */
    struct sluice_surface surface;
    char instance[160]; /* its name: that of the counters file */
    pthread_t main_thread;
    uint64_t series_max;
    uint64_t series_closed; /* service thread */
    uint64_t need_bytes;    /* --need, with --check */
    bool check, json;
    int worst; /* service thread, read after its join */
    bool events_made;
};

/* From the start of the agents until all of them are joined. `signals` are blocked in every thread
 * and waited for here. */
void sluice_ingest_run(struct ingest *ingest, const sigset_t *signals);

#endif
