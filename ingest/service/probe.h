/* SPDX-License-Identifier: Apache-2.0
 *
 * Asks about endpoints without using them. Both block, reach for up to its time for each address
 * that a name has; any thread. */
#ifndef SLUICE_INGEST_SERVICE_PROBE_H
#define SLUICE_INGEST_SERVICE_PROBE_H

#include "core/error.h"

/* OK: it could be bound now, and is free again. CONFIG: why not. */
enum sluice_status sluice_probe_bind(const char *endpoint, struct sluice_error *error);

/* OK: somebody listens there, or it is a transport of which that cannot be asked. TIMEOUT: nobody
 * answers (now). CONFIG: it is no endpoint, or its name cannot be resolved. */
enum sluice_status sluice_probe_reach(const char *endpoint, int timeout_ms,
                                      struct sluice_error *error);

#endif
