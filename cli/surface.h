/* SPDX-License-Identifier: Apache-2.0
 *
 * The HTTP surface of `sluice ingest`, put together: where it listens, what arm and stop reach, and
 * the file STATE_DIRECTORY/INSTANCE.http that tells `sluice status` and its like the address.
 * Composing thread only. */
#ifndef SLUICE_CLI_SURFACE_H
#define SLUICE_CLI_SURFACE_H

#include "config/config.h"
#include "core/agent.h"
#include "core/counters.h"
#include "ingest/service/http.h"
#include "ingest/source/source.h"

struct sluice_surface {
    struct sluice_http *http; /* NULL: http.listen is off */
    struct sluice_agent agent;
    struct sluice_source *source;
    const struct sluice_agent *watched[2]; /* healthy while these run */
    char *config_json;
    char address_path[1200]; /* "": nothing to remove */
};

/* Everything is borrowed and outlives it. Zeroed memory is one that is off. */
enum sluice_status sluice_surface_open(struct sluice_surface *surface,
                                       const struct sluice_config *config, const char *instance,
                                       const struct sluice_counters *counters,
                                       struct sluice_source *source, struct sluice_error *error);
/* Starts the agent, and then tells its address. `a` and `b` are what /healthz is about. */
enum sluice_status sluice_surface_start(struct sluice_surface *surface,
                                        const struct sluice_agent *a, const struct sluice_agent *b,
                                        struct sluice_error *error);
/* Lets the last answers out (a second at most) and joins the agent. */
void sluice_surface_finish(struct sluice_surface *surface);
void sluice_surface_close(struct sluice_surface *surface);

#endif
