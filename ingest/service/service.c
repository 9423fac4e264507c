/* SPDX-License-Identifier: Apache-2.0
 *
 * Events come in order; each becomes one notice. An end notice goes out after the summary was
 * handed on, so that whoever acts on the notice finds the summary said. */
#include "ingest/service/service.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "core/json.h"
#include "core/log.h"
#include "ingest/service/probe.h"

#define BATCH     64
#define WAIT_NS   INT64_C(250000000)
#define LINGER_MS 1000

static const char topic[] = "sluice";

struct sluice_service {
    struct sluice_service_ports ports;
    void *context, *publisher; /* NULL: no notices */
    struct sluice_json json;
    _Atomic uint32_t finish_wanted; /* [edge FINISH] */
};

/* The notice of an event, in the agent's buffer; "" when it cannot be made. */
static const char *make_notice(struct sluice_service *service, const struct sluice_event *event)
{
    struct sluice_json *json = &service->json;
    sluice_json_reset(json);
    sluice_json_object_begin(json);
    sluice_json_put_text(json, "event", sluice_event_name(event->kind));
    sluice_json_put_uint(json, "series_id", event->series_id);
    sluice_json_put_text(json, "file", event->file[0] != '\0' ? event->file : NULL);
    sluice_json_put_uint(json, "first", event->first);
    sluice_json_put_uint(json, "last", event->last);
    sluice_json_put_uint(json, "images_visible", event->images_visible);
    sluice_json_put_uint(json, "images_lost", event->images_lost);
    sluice_json_object_end(json);
    if (!json->failed)
        return json->text;
    sluice_log_error("service", "no memory for a notice");
    return "";
}

static void publish(struct sluice_service *service, const char *notice)
{
    if (service->publisher == NULL || notice[0] == '\0')
        return;
    /* PUB never blocks: a listener that is behind misses notices, and the next says more. */
    if (zmq_send(service->publisher, topic, sizeof(topic) - 1, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0 ||
        zmq_send(service->publisher, notice, strlen(notice), ZMQ_DONTWAIT) < 0) {
        sluice_log_warning("service", "notice not sent: %s", zmq_strerror(errno));
        return;
    }
    sluice_counter_add(service->ports.counters, SLUICE_COUNTER_SERVICE_NOTICES, 1);
}

static bool is_answer(const struct sluice_event *event)
{
    return event->kind == SLUICE_EVENT_ARM || event->kind == SLUICE_EVENT_STOPPED;
}

static void deal_with(struct sluice_service *service, const struct sluice_event *event)
{
    const bool wanted = service->publisher != NULL || service->ports.http != NULL;
    if (event->kind == SLUICE_EVENT_END && event->summary != NULL)
        service->ports.on_summary(service->ports.on_summary_context, event->summary);
    const char *notice = wanted && !is_answer(event) ? make_notice(service, event) : "";
    if (service->ports.http != NULL)
        sluice_http_event(service->ports.http, event, notice);
    publish(service, notice);
}

static int do_work(void *context)
{
    struct sluice_service *service = context;
    /* Looked at first: what was posted before the wish is then seen below. [edge FINISH] */
    const bool finish = sluice_load_acquire(&service->finish_wanted) != 0;
    int work = 0;
    for (; work < BATCH; work++) {
        struct sluice_event *event = sluice_events_take(service->ports.events);
        if (event == NULL)
            break;
        deal_with(service, event);
        sluice_events_give_back(service->ports.events, event);
    }
    return work == 0 && finish ? SLUICE_AGENT_DONE : work;
}

static void wait_for_work(void *context)
{
    struct sluice_service *service = context;
    struct sluice_wake *wake = &service->ports.events->wake;
    const uint32_t prepared = sluice_wake_prepare(wake);
    if (sluice_spsc_count(&service->ports.events->posted) > 0 ||
        sluice_load_acquire(&service->finish_wanted) != 0) { /* [edge FINISH] */
        sluice_wake_cancel(wake);
        return;
    }
    sluice_wake_wait(wake, prepared, WAIT_NS);
}

const struct sluice_agent_ops sluice_service_agent_ops = {
    .name = "sluice-service",
    .do_work = do_work,
    .wait = wait_for_work,
};

void sluice_service_finish(struct sluice_service *service)
{
    sluice_store_release(&service->finish_wanted, 1); /* [edge FINISH] */
    sluice_wake_signal(&service->ports.events->wake);
}

enum sluice_status sluice_service_make_keys(struct sluice_key_pair *pair,
                                            struct sluice_error *error)
{
    if (zmq_curve_keypair(pair->public_key, pair->secret_key) == 0)
        return SLUICE_OK;
    return sluice_error_set(error, SLUICE_UNSUPPORTED, "no key pair: %s", zmq_strerror(errno));
}

/* Makes the publisher a CURVE server: listeners need its public key, and who they are is not
 * asked. */
static enum sluice_status encrypt(void *publisher, const char *path, struct sluice_error *error)
{
    struct sluice_key_pair pair;
    const int yes = 1;
    const enum sluice_status status = sluice_key_file_read(path, true, &pair, error);
    if (status != SLUICE_OK) {
        sluice_error_prefix(error, "notify.curve_secret_file");
        return status;
    }
    char derived[SLUICE_KEY_BYTES] = "";
    if (zmq_curve_public(derived, pair.secret_key) != 0 || strcmp(derived, pair.public_key) != 0) {
        explicit_bzero(&pair, sizeof(pair));
        return sluice_error_set(error, SLUICE_CONFIG,
                                "notify.curve_secret_file: the two keys in %s are no pair", path);
    }
    const bool set = zmq_setsockopt(publisher, ZMQ_CURVE_SERVER, &yes, sizeof(yes)) == 0 &&
                     zmq_setsockopt(publisher, ZMQ_CURVE_SECRETKEY, pair.secret_key,
                                    sizeof(pair.secret_key)) == 0;
    explicit_bzero(&pair, sizeof(pair));
    return set ? SLUICE_OK
               : sluice_error_set(error, SLUICE_CONFIG, "notify.curve_secret_file: %s",
                                  zmq_strerror(errno));
}

enum sluice_status sluice_service_check_keys(const char *path, struct sluice_error *error)
{
    void *context = zmq_ctx_new();
    void *publisher = context != NULL ? zmq_socket(context, ZMQ_PUB) : NULL;
    const enum sluice_status status =
        publisher != NULL
            ? encrypt(publisher, path, error)
            : sluice_error_set(error, SLUICE_SYSTEM, "no ZeroMQ socket: %s", zmq_strerror(errno));
    if (publisher != NULL)
        zmq_close(publisher);
    if (context != NULL)
        zmq_ctx_term(context);
    return status;
}

static enum sluice_status open_publisher(struct sluice_service *service, const char *endpoint,
                                         const char *key_file, struct sluice_error *error)
{
    service->context = zmq_ctx_new();
    service->publisher = service->context != NULL ? zmq_socket(service->context, ZMQ_PUB) : NULL;
    if (service->publisher == NULL) {
        return sluice_error_set(error, SLUICE_SYSTEM, "no ZeroMQ socket for notices: %s",
                                zmq_strerror(errno));
    }
    const int linger = LINGER_MS;
    zmq_setsockopt(service->publisher, ZMQ_LINGER, &linger, sizeof(linger));
    if (key_file != NULL && key_file[0] != '\0') {
        const enum sluice_status status = encrypt(service->publisher, key_file, error);
        if (status != SLUICE_OK)
            return status;
    }
    /* libzmq would take a path away from whoever listens there. */
    if (strncmp(endpoint, "ipc://", 6) == 0 && sluice_probe_bind(endpoint, error) != SLUICE_OK) {
        sluice_error_prefix(error, "notify.endpoint");
        return SLUICE_CONFIG;
    }
    if (zmq_bind(service->publisher, endpoint) != 0) {
        return sluice_error_set(error, SLUICE_CONFIG,
                                "notify.endpoint: cannot bind %s: %s (expected like "
                                "tcp://127.0.0.1:31005 or ipc:///run/sluice/notices)",
                                endpoint, zmq_strerror(errno));
    }
    sluice_log_info("service", "notices on %s", endpoint);
    return SLUICE_OK;
}

enum sluice_status sluice_service_create(const struct sluice_service_settings *settings,
                                         const struct sluice_service_ports *ports,
                                         struct sluice_service **out, struct sluice_error *error)
{
    *out = NULL;
    struct sluice_service *service = calloc(1, sizeof(*service));
    if (service == NULL)
        return sluice_error_set(error, SLUICE_NO_MEMORY, "no memory for the service agent");
    service->ports = *ports;
    if (settings->notify_endpoint != NULL && settings->notify_endpoint[0] != '\0') {
        const enum sluice_status status = open_publisher(service, settings->notify_endpoint,
                                                         settings->notify_curve_secret_file, error);
        if (status != SLUICE_OK) {
            sluice_service_destroy(service);
            return status;
        }
    }
    *out = service;
    return SLUICE_OK;
}

void sluice_service_destroy(struct sluice_service *service)
{
    if (service == NULL)
        return;
    if (service->publisher != NULL)
        zmq_close(service->publisher);
    if (service->context != NULL)
        zmq_ctx_term(service->context);
    sluice_json_close(&service->json);
    free(service);
}
