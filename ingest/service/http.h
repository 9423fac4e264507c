/* SPDX-License-Identifier: Apache-2.0
 *
 * The HTTP surface: what people, beamline programs and Prometheus see of a running ingest, and how
 * they arm and stop it. An agent of its own; libmicrohttpd is polled from its cycle, so everything
 * about connections happens on one thread.
 *
 *   GET  /api/v1/status   GET /api/v1/config   GET /metrics   GET /healthz   GET /events (SSE)
 *   POST /api/v1/arm      POST /api/v1/stop
 *
 * It never touches the path of a frame: it reads counters, is told events by the service agent, and
 * leaves requests with the source; the answers come back as events. Clients are bounded in number,
 * size and time, and those that do nothing make room for new ones.
 *
 * Threads: create and destroy from the composing thread, before the start and after the join of the
 * agent; do_work and wait from the agent's; event from the service agent's; finish from any. */
#ifndef SLUICE_INGEST_SERVICE_HTTP_H
#define SLUICE_INGEST_SERVICE_HTTP_H

#include "core/agent.h"
#include "core/arm.h"
#include "core/clock.h"
#include "core/counters.h"
#include "ingest/ring/events.h"

struct sluice_http_settings {
    const char *listen;     /* PORT, HOST:PORT, [ADDRESS]:PORT; port 0: the system chooses */
    const char *token_file; /* "": none; then only loopback addresses are accepted */
    const char *host_names; /* more names that clients may call this host, separated by commas */
    uint32_t connections_max;
    const char *instance, *version; /* said in the status */
    const char *config_json;        /* the answer to /api/v1/config */
};

/* All borrowed, all outlive it. */
struct sluice_http_ports {
    const struct sluice_counters *counters;
    const struct sluice_clock *clock;
    /* Takes `arm` (from malloc) when it returns OK. */
    enum sluice_status (*arm)(void *context, struct sluice_arm *arm);
    void (*stop)(void *context, uint64_t number);
    bool (*is_healthy)(void *context);
    void *context;
};

struct sluice_http;

/* Binds. CONFIG when the address cannot be used, or is not loopback and there is no token. */
enum sluice_status sluice_http_create(const struct sluice_http_settings *settings,
                                      const struct sluice_http_ports *ports,
                                      struct sluice_http **http, struct sluice_error *error);
void sluice_http_destroy(struct sluice_http *http); /* NULL is accepted */

extern const struct sluice_agent_ops sluice_http_agent_ops;

/* "http://127.0.0.1:8090", with the port that is in use. */
const char *sluice_http_url(const struct sluice_http *http);

/* One event of the writer, and its notice ("": it has none). Service agent only. */
void sluice_http_event(struct sluice_http *http, const struct sluice_event *event,
                       const char *notice);

/* Answers what is waiting, ends the streams, then the agent is done (within a second). */
void sluice_http_finish(struct sluice_http *http);

#endif
