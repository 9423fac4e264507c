/* SPDX-License-Identifier: Apache-2.0
 *
 * One request: checked as soon as its headers are there (host, origin, token, route, size), its
 * body collected up to a bound, then answered. Arm and stop are left with the source and the
 * connection sleeps (suspended) until the writer's answer comes back or its time is over.
 *
 *   headers -> refused | body -> answered | waiting -> answered -> completed */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "ingest/service/http_body.h"
#include "ingest/service/http_inside.h"
#include "ingest/service/metrics.h"

#define ARM_WAIT_NS (5 * SLUICE_NS_PER_S)

/* ---- replies ---- */

/* Takes `text` (from malloc; NULL: memory is out). */
static enum MHD_Result reply(struct sluice_http_request *request, unsigned code, const char *type,
                             char *text, size_t bytes)
{
    if (text == NULL)
        return MHD_NO;
    struct MHD_Response *response =
        MHD_create_response_from_buffer(bytes, text, MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        free(text);
        return MHD_NO;
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (code == MHD_HTTP_BAD_REQUEST) /* where the next request begins may be in doubt */
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    if (code == MHD_HTTP_UNAUTHORIZED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
    if (code == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW,
                                request->route->post ? "POST" : "GET, HEAD");
    sluice_http_allow(request->http, request->client, SLUICE_HTTP_REPLY_NS);
    const enum MHD_Result result = MHD_queue_response(request->connection, code, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result reply_json(struct sluice_http_request *request, unsigned code,
                                  struct sluice_json *json)
{
    char *text = json->failed ? NULL : json->text;
    const size_t bytes = json->bytes;
    if (json->failed)
        sluice_json_close(json);
    return reply(request, code, "application/json", text, bytes);
}

enum MHD_Result sluice_http_refuse(struct sluice_http_request *request, unsigned code,
                                   const char *reason, const char *text)
{
    struct sluice_json json = {0};
    sluice_json_object_begin(&json);
    sluice_json_put_text(&json, "error", text);
    sluice_json_put_text(&json, "reason", reason);
    sluice_json_object_end(&json);
    return reply_json(request, code, &json);
}

static struct sluice_board_more more_of(const struct sluice_http *http)
{
    return (struct sluice_board_more){
        .instance = http->settings.instance,
        .version = http->settings.version,
        .counters = http->ports.counters,
        .stopping = http->stop_number > http->board.stops_done,
        .now_real_ns = http->ports.clock->real_ns(http->ports.clock),
    };
}

static enum MHD_Result reply_status(struct sluice_http_request *request, unsigned code)
{
    struct sluice_http *http = request->http;
    struct sluice_json json = {0};
    pthread_mutex_lock(&http->lock);
    const struct sluice_board_more more = more_of(http);
    sluice_board_json(&http->board, &more, &json);
    pthread_mutex_unlock(&http->lock);
    return reply_json(request, code, &json);
}

/* ---- GET ---- */

static enum MHD_Result answer_status(struct sluice_http_request *request)
{
    return reply_status(request, MHD_HTTP_OK);
}

static enum MHD_Result answer_config(struct sluice_http_request *request)
{
    const char *text = request->http->settings.config_json;
    return reply(request, MHD_HTTP_OK, "application/json", strdup(text), strlen(text));
}

static enum MHD_Result answer_metrics(struct sluice_http_request *request)
{
    struct sluice_http *http = request->http;
    size_t bytes = 0;
    pthread_mutex_lock(&http->lock);
    const struct sluice_board_more more = more_of(http);
    char *text = sluice_metrics_text(&http->board, &more, &bytes);
    pthread_mutex_unlock(&http->lock);
    return reply(request, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", text, bytes);
}

static enum MHD_Result answer_health(struct sluice_http_request *request)
{
    const struct sluice_http *http = request->http;
    if (http->finishing || !http->ports.is_healthy(http->ports.context))
        return sluice_http_refuse(request, MHD_HTTP_SERVICE_UNAVAILABLE, "ending", "it ends");
    struct sluice_json json = {0};
    sluice_json_object_begin(&json);
    sluice_json_put_text(&json, "status", "ok");
    sluice_json_object_end(&json);
    return reply_json(request, MHD_HTTP_OK, &json);
}

static enum MHD_Result answer_events(struct sluice_http_request *request)
{
    if (request->http->stream_count >= SLUICE_HTTP_STREAMS_MAX)
        return sluice_http_refuse(request, MHD_HTTP_SERVICE_UNAVAILABLE, "limit",
                                  "as many streams of events are open as there may be");
    return sluice_http_open_stream(request);
}

/* ---- POST: asked for, waited for, answered ---- */

static enum MHD_Result wait_for(struct sluice_http_request *request, enum sluice_http_wait wait,
                                uint64_t number, int64_t ns)
{
    struct sluice_http *http = request->http;
    request->wait = wait;
    request->number = number;
    request->deadline_ns = sluice_http_now_ns(http) + ns;
    request->suspended = true;
    sluice_http_link_add(&http->waiting, &request->link);
    http->waiting_count++;
    sluice_http_allow(http, request->client, 0);
    MHD_suspend_connection(request->connection);
    return MHD_YES;
}

static bool is_answered(struct sluice_http *http, const struct sluice_http_request *request)
{
    pthread_mutex_lock(&http->lock);
    const bool answered = request->wait == SLUICE_HTTP_WAIT_ARM
                              ? http->board.answered >= request->number
                              : http->board.stops_done >= request->number;
    pthread_mutex_unlock(&http->lock);
    return answered;
}

static enum MHD_Result answer_arm(struct sluice_http_request *request)
{
    struct sluice_http *http = request->http;
    struct sluice_error error = {0};
    struct sluice_arm *arm = calloc(1, sizeof(*arm));
    if (arm == NULL)
        return MHD_NO;
    if (sluice_http_parse_arm(request->body, request->body_bytes, arm, &error) != SLUICE_OK) {
        free(arm);
        return sluice_http_refuse(request, MHD_HTTP_BAD_REQUEST, "bad_request", error.message);
    }
    pthread_mutex_lock(&http->lock);
    const bool pending =
        http->board.answered < http->arm_number && http->arm_given_up < http->arm_number;
    const bool ending = http->board.stops_done == UINT64_MAX;
    pthread_mutex_unlock(&http->lock);
    arm->number = http->arm_number + 1;
    if (pending || ending || http->finishing ||
        http->ports.arm(http->ports.context, arm) != SLUICE_OK) {
        free(arm);
        return sluice_http_refuse(request, MHD_HTTP_CONFLICT, "busy",
                                  pending ? "another arm is being decided" : "the program ends");
    }
    http->arm_number++;
    return wait_for(request, SLUICE_HTTP_WAIT_ARM, http->arm_number, ARM_WAIT_NS);
}

static enum MHD_Result tell_arm(struct sluice_http_request *request, bool answered)
{
    struct sluice_http *http = request->http;
    char text[sizeof(http->board.reason)];
    if (!answered) {
        http->arm_given_up = request->number;
        if (http->finishing)
            return sluice_http_refuse(request, MHD_HTTP_SERVICE_UNAVAILABLE, "ending",
                                      "the program ends");
        return sluice_http_refuse(
            request, MHD_HTTP_SERVICE_UNAVAILABLE, "timeout",
            "the writer has not answered: look at the status before the next arm");
    }
    pthread_mutex_lock(&http->lock);
    const enum sluice_arm_verdict verdict = http->board.verdict;
    snprintf(text, sizeof(text), "%s", http->board.reason);
    pthread_mutex_unlock(&http->lock);
    if (verdict == SLUICE_ARM_ACCEPTED)
        return reply_status(request, MHD_HTTP_OK);
    return sluice_http_refuse(request,
                              verdict == SLUICE_ARM_BAD_NAME ? MHD_HTTP_BAD_REQUEST
                              : verdict == SLUICE_ARM_FAULT  ? MHD_HTTP_INTERNAL_SERVER_ERROR
                                                             : MHD_HTTP_CONFLICT,
                              sluice_arm_verdict_name(verdict), text);
}

static enum MHD_Result answer_stop(struct sluice_http_request *request)
{
    struct sluice_http *http = request->http;
    struct sluice_error error = {0};
    double timeout_s;
    if (sluice_http_parse_stop(request->body, request->body_bytes, &timeout_s, &error) != SLUICE_OK)
        return sluice_http_refuse(request, MHD_HTTP_BAD_REQUEST, "bad_request", error.message);
    http->ports.stop(http->ports.context, ++http->stop_number);
    return wait_for(request, SLUICE_HTTP_WAIT_STOP, http->stop_number,
                    (int64_t)(timeout_s * (double)SLUICE_NS_PER_S));
}

/* 202: it is being drained, and the status says when that is over. */
static enum MHD_Result tell_stop(struct sluice_http_request *request, bool answered)
{
    return reply_status(request, answered ? MHD_HTTP_OK : MHD_HTTP_ACCEPTED);
}

void sluice_http_wake_waiting(struct sluice_http *http, int64_t now_ns)
{
    struct sluice_http_link *next;
    for (struct sluice_http_link *at = http->waiting.next; at != &http->waiting; at = next) {
        struct sluice_http_request *request = (struct sluice_http_request *)at;
        next = at->next;
        if (!http->finishing && now_ns < request->deadline_ns && !is_answered(http, request))
            continue;
        sluice_http_link_remove(&request->link);
        http->waiting_count--;
        request->suspended = false;
        MHD_resume_connection(request->connection);
    }
}

/* ---- the course of a request ---- */

static const struct sluice_http_route routes[] = {
    {"/api/v1/status", false, false, answer_status},
    {"/api/v1/config", false, false, answer_config},
    {"/metrics", false, false, answer_metrics},
    {"/events", false, false, answer_events},
    {"/healthz", false, true, answer_health},
    {"/api/v1/arm", true, false, answer_arm},
    {"/api/v1/stop", true, false, answer_stop},
};

static enum MHD_Result begin(struct sluice_http *http, struct MHD_Connection *connection,
                             const char *url, const char *method, void **context)
{
    static const struct sluice_http_route nowhere = {"", false, false, NULL};
    struct sluice_http_request *request = calloc(1, sizeof(*request));
    bool refused;
    if (request == NULL)
        return MHD_NO;
    *context = request;
    request->http = http;
    request->connection = connection;
    request->client = sluice_http_client(connection);
    request->route = &nowhere;
    for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++)
        if (strcmp(url, routes[i].path) == 0)
            request->route = &routes[i];
    if (request->client != NULL)
        request->client->busy = true;
    sluice_http_allow(http, request->client, SLUICE_HTTP_BODY_NS);
    const enum MHD_Result result = sluice_http_check(request, method, &refused);
    if (refused || !request->route->post)
        return result;
    request->body = malloc(SLUICE_HTTP_BODY_MAX + 1);
    return request->body != NULL ? MHD_YES : MHD_NO;
}

/* What is beyond the bound (a chunked body says no length) is read and forgotten, in bounded time.
 */
static void collect(struct sluice_http_request *request, const char *upload, size_t bytes)
{
    if (request->body == NULL || bytes > SLUICE_HTTP_BODY_MAX - request->body_bytes) {
        request->body_too_large = true;
        return;
    }
    memcpy(request->body + request->body_bytes, upload, bytes);
    request->body_bytes += bytes;
}

enum MHD_Result sluice_http_handle(void *context, struct MHD_Connection *connection,
                                   const char *url, const char *method, const char *version,
                                   const char *upload, size_t *upload_bytes, void **state)
{
    struct sluice_http_request *request = *state;
    (void)version;
    if (request == NULL)
        return begin(context, connection, url, method, state);
    if (*upload_bytes > 0) {
        collect(request, upload, *upload_bytes);
        *upload_bytes = 0;
        return MHD_YES;
    }
    if (request->client != NULL)
        request->client->answering = true;
    if (request->body_too_large)
        return sluice_http_refuse(request, MHD_HTTP_CONTENT_TOO_LARGE, "limit",
                                  "the body is larger than it may be");
    if (request->wait == SLUICE_HTTP_NO_WAIT)
        return request->route->answer(request);
    const bool answered = is_answered(request->http, request);
    return request->wait == SLUICE_HTTP_WAIT_ARM ? tell_arm(request, answered)
                                                 : tell_stop(request, answered);
}

void sluice_http_completed(void *context, struct MHD_Connection *connection, void **state,
                           enum MHD_RequestTerminationCode code)
{
    struct sluice_http *http = context;
    struct sluice_http_request *request = *state;
    (void)connection, (void)code;
    if (request == NULL)
        return;
    if (request->suspended) {
        sluice_http_link_remove(&request->link);
        http->waiting_count--;
    }
    if (request->client != NULL)
        request->client->busy = request->client->answering = false;
    sluice_http_allow(http, request->client, SLUICE_HTTP_HEADER_NS);
    free(request->body);
    free(request);
    *state = NULL;
}
