/* SPDX-License-Identifier: Apache-2.0
 *
 * The service agent: everything that people and programs beside the path of a frame want to hear.
 * It takes the writer's events, publishes them as notices (ZeroMQ PUB: topic frame `sluice`, then
 * one JSON frame), hands the summaries of closed series on, and tells the HTTP agent. However slow
 * it or its listeners are, the writer does not wait for it.
 *
 * Notice: {"event":"start|file|visible|end","series_id","file","first","last","images_visible",
 * "images_lost"}, image ids 0-based; "end" is sent when every file is closed.
 *
 * Threads: create and destroy from the composing thread; do_work and wait from the agent's; finish
 * from any thread, once the writer has ended. */
#ifndef SLUICE_INGEST_SERVICE_SERVICE_H
#define SLUICE_INGEST_SERVICE_SERVICE_H

#include "core/agent.h"
#include "core/counters.h"
#include "core/keyfile.h"
#include "ingest/ring/events.h"
#include "ingest/service/http.h"

struct sluice_service_settings {
    const char *notify_endpoint;          /* bound; NULL or "": no notices */
    const char *notify_curve_secret_file; /* NULL or "": not encrypted */
};

struct sluice_service_ports {
    struct sluice_events *events; /* borrowed */
    struct sluice_counters *counters;
    /* Called on the service thread for each closed series; the summary is borrowed. */
    void (*on_summary)(void *context, const struct sluice_summary *summary);
    void *on_summary_context;
    struct sluice_http *http; /* borrowed: is told every event; NULL: none */
};

struct sluice_service;

/* CONFIG when the notice endpoint cannot be bound. */
enum sluice_status sluice_service_create(const struct sluice_service_settings *settings,
                                         const struct sluice_service_ports *ports,
                                         struct sluice_service **service,
                                         struct sluice_error *error);
/* What create would say about notify.curve_secret_file; CONFIG. */
enum sluice_status sluice_service_check_keys(const char *path, struct sluice_error *error);
/* A new CURVE key pair. UNSUPPORTED when libzmq was built without. */
enum sluice_status sluice_service_make_keys(struct sluice_key_pair *pair,
                                            struct sluice_error *error);
/* Waits up to a second for notices on their way. NULL is accepted. */
void sluice_service_destroy(struct sluice_service *service);

extern const struct sluice_agent_ops sluice_service_agent_ops;

/* Nothing more will be posted: what is there is dealt with, then the agent is done. */
void sluice_service_finish(struct sluice_service *service);

#endif
