/* SPDX-License-Identifier: Apache-2.0
 *
 * Who may ask: pure checks of what a request's headers say. A web page in somebody's browser must
 * not reach the surface through a name that it controls (DNS rebinding: Host) or by having the
 * browser send a request (CSRF: Origin, Sec-Fetch-Site). */
#ifndef SLUICE_INGEST_SERVICE_HTTP_GUARD_H
#define SLUICE_INGEST_SERVICE_HTTP_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

/* A numeric address, localhost, this host's own name, or one of `names` (comma-separated); with or
 * without a port. NULL is refused. */
bool sluice_http_host_allowed(const char *host, const char *own_name, const char *names);
/* NULL (no browser sends it along): allowed. Else it must be http(s)://HOST. */
bool sluice_http_origin_allowed(const char *origin, const char *host);
/* "Bearer TOKEN", compared in a time that depends on the token's length alone. */
bool sluice_http_token_matches(const char *authorization, const char *token);

bool sluice_http_is_loopback(const struct sockaddr *address);

#endif
