/* SPDX-License-Identifier: Apache-2.0
 *
 * The JSON bodies of requests. Everything that is not exactly as wanted is refused with a word on
 * what and why; nothing is guessed. Bodies are bounded by whoever reads them. Any thread. */
#ifndef SLUICE_INGEST_SERVICE_HTTP_BODY_H
#define SLUICE_INGEST_SERVICE_HTTP_BODY_H

#include <stddef.h>

#include "core/arm.h"
#include "core/error.h"

/* {"name" or "file_prefix", "directory" or "file_path", "images", "acquisition_id", "shape": [y,
 * x], "dtype", "accept_drops"}, all of them optional. An empty body is {}. MALFORMED, LIMIT. */
enum sluice_status sluice_http_parse_arm(const char *body, size_t bytes, struct sluice_arm *arm,
                                         struct sluice_error *error);

#define SLUICE_STOP_TIMEOUT_DEFAULT_S 30.0
#define SLUICE_STOP_TIMEOUT_MAX_S     300.0
/* {"timeout_s": 0 to 300}, optional. */
enum sluice_status sluice_http_parse_stop(const char *body, size_t bytes, double *timeout_s,
                                          struct sluice_error *error);

#endif
