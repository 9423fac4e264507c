/* SPDX-License-Identifier: Apache-2.0
 *
 * What the headers of a request alone show to be wrong: said before any of its body is taken. Who
 * asks comes first (host, origin, token), so that nobody else learns which routes there are. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ingest/service/http_guard.h"
#include "ingest/service/http_inside.h"

#define ONCE_COUNT 5

static const char *header(const struct sluice_http_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

static bool is_json(const char *type)
{
    static const char wanted[] = "application/json";
    return type != NULL && strncasecmp(type, wanted, sizeof(wanted) - 1) == 0 &&
           strchr("; \t", type[sizeof(wanted) - 1]) != NULL;
}

/* Counts the headers that a request may have only once. */
static enum MHD_Result count_once(void *context, enum MHD_ValueKind kind, const char *key,
                                  const char *value)
{
    static const char *const names[ONCE_COUNT] = {
        MHD_HTTP_HEADER_CONTENT_LENGTH, MHD_HTTP_HEADER_TRANSFER_ENCODING, MHD_HTTP_HEADER_HOST,
        MHD_HTTP_HEADER_ORIGIN, MHD_HTTP_HEADER_AUTHORIZATION};
    unsigned *counts = context;
    (void)kind, (void)value;
    for (size_t i = 0; i < ONCE_COUNT; i++)
        counts[i] += strcasecmp(key, names[i]) == 0;
    return MHD_YES;
}

/* A proxy before us could take the other one of two for the right one. */
static bool is_ambiguous(const struct sluice_http_request *request)
{
    unsigned counts[ONCE_COUNT] = {0};
    bool more = false;
    (void)MHD_get_connection_values(request->connection, MHD_HEADER_KIND, count_once, counts);
    for (size_t i = 0; i < ONCE_COUNT; i++)
        more = more || counts[i] > 1;
    return more || (counts[0] > 0 && counts[1] > 0); /* a length, and chunks as well */
}

static enum MHD_Result check_sender(struct sluice_http_request *request, bool *refused)
{
    const struct sluice_http *http = request->http;
    const char *host = header(request, MHD_HTTP_HEADER_HOST);
    const char *site = header(request, "Sec-Fetch-Site");
    *refused = true;
    if (is_ambiguous(request))
        return sluice_http_refuse(request, MHD_HTTP_BAD_REQUEST, "bad_request",
                                  "a header is there twice, or both a length and chunks");
    if (!sluice_http_host_allowed(host, http->own_name, http->settings.host_names))
        return sluice_http_refuse(request, MHD_HTTP_FORBIDDEN, "host",
                                  "this Host is not ours: use an address, or see http.host_names");
    if (!sluice_http_origin_allowed(header(request, MHD_HTTP_HEADER_ORIGIN), host) ||
        (site != NULL && strcasecmp(site, "cross-site") == 0))
        return sluice_http_refuse(request, MHD_HTTP_FORBIDDEN, "origin",
                                  "a page of another origin may not ask");
    if (http->token[0] != '\0' && !request->route->open &&
        !sluice_http_token_matches(header(request, MHD_HTTP_HEADER_AUTHORIZATION), http->token))
        return sluice_http_refuse(request, MHD_HTTP_UNAUTHORIZED, "token",
                                  "Authorization: Bearer TOKEN is needed (http.token_file)");
    *refused = false;
    return MHD_YES;
}

static enum MHD_Result check_shape(struct sluice_http_request *request, const char *method,
                                   bool *refused)
{
    const char *length = header(request, MHD_HTTP_HEADER_CONTENT_LENGTH);
    const bool has_body = (length != NULL && strtoull(length, NULL, 10) > 0) ||
                          header(request, MHD_HTTP_HEADER_TRANSFER_ENCODING) != NULL;
    *refused = true;
    if (request->route->answer == NULL)
        return sluice_http_refuse(request, MHD_HTTP_NOT_FOUND, "not_found",
                                  "there is nothing of that name");
    if (request->route->post ? strcmp(method, "POST") != 0
                             : strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return sluice_http_refuse(request, MHD_HTTP_METHOD_NOT_ALLOWED, "method",
                                  "that is not done with this method");
    if (has_body && (!request->route->post ||
                     (length != NULL && strtoull(length, NULL, 10) > SLUICE_HTTP_BODY_MAX)))
        return sluice_http_refuse(request, MHD_HTTP_CONTENT_TOO_LARGE, "limit",
                                  "the body is larger than it may be");
    if (has_body && !is_json(header(request, MHD_HTTP_HEADER_CONTENT_TYPE)))
        return sluice_http_refuse(request, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "media_type",
                                  "Content-Type: application/json is wanted");
    if (request->route->post && request->http->waiting_count >= SLUICE_HTTP_WAITING_MAX)
        return sluice_http_refuse(request, MHD_HTTP_SERVICE_UNAVAILABLE, "limit",
                                  "too many requests wait for an answer");
    *refused = false;
    return MHD_YES;
}

enum MHD_Result sluice_http_check(struct sluice_http_request *request, const char *method,
                                  bool *refused)
{
    const enum MHD_Result result = check_sender(request, refused);
    return *refused ? result : check_shape(request, method, refused);
}
