/* SPDX-License-Identifier: Apache-2.0
 *
 * The inside of the HTTP agent. Not for other rooms.
 *
 *   http.c           life, cycle, events in       http_clients.c   connections, their deadlines
 *   http_requests.c  routes, bodies, answers      http_stream.c    /events
 *   http_check.c     what headers alone refuse
 *
 * `lock` keeps the service agent (events) and the HTTP agent apart; it guards what stands below it.
 * All else is the HTTP agent's. */
#ifndef SLUICE_INGEST_SERVICE_HTTP_INSIDE_H
#define SLUICE_INGEST_SERVICE_HTTP_INSIDE_H

#include <microhttpd.h>
#include <pthread.h>

#include "ingest/service/board.h"
#include "ingest/service/http.h"

#define SLUICE_HTTP_BODY_MAX     (16 << 10)
#define SLUICE_HTTP_TOKEN_BYTES  512
#define SLUICE_HTTP_STREAMS_MAX  16
#define SLUICE_HTTP_WAITING_MAX  16 /* requests that wait for an answer of the writer */
#define SLUICE_HTTP_NOTICES      256
#define SLUICE_HTTP_NOTICE_BYTES 4096
#define SLUICE_HTTP_SWEEP_NS     (250 * SLUICE_NS_PER_MS)

/* A doubly linked list with a head that is no item. */
struct sluice_http_link {
    struct sluice_http_link *prev, *next;
};

struct sluice_http_connection {
    struct sluice_http_link link; /* first; oldest at the front */
    int fd;                       /* libmicrohttpd's: only for shutdown(2) */
    int64_t deadline_ns;          /* then it is cut off; INT64_MAX: never */
    bool busy;                    /* a request's headers are complete */
    bool answering;               /* and so is its body */
    bool hung_up;                 /* the other side has closed, as last looked at */
    bool cut;
};

struct sluice_http_request;
struct sluice_http_route {
    const char *path;
    bool post;
    bool open; /* also without the token */
    enum MHD_Result (*answer)(struct sluice_http_request *request);
};

enum sluice_http_wait { SLUICE_HTTP_NO_WAIT, SLUICE_HTTP_WAIT_ARM, SLUICE_HTTP_WAIT_STOP };

struct sluice_http_request {
    struct sluice_http_link link; /* first; among those that wait */
    struct sluice_http *http;
    struct MHD_Connection *connection;
    struct sluice_http_connection *client;
    const struct sluice_http_route *route;
    char *body; /* POST: SLUICE_HTTP_BODY_MAX + 1 */
    size_t body_bytes;
    bool body_too_large;
    enum sluice_http_wait wait;
    bool suspended;
    uint64_t number; /* that is waited for */
    int64_t deadline_ns;
};

struct sluice_http_stream {
    struct sluice_http_link link; /* first */
    struct sluice_http *http;
    struct MHD_Connection *connection;
    const struct sluice_http_connection *client; /* may be NULL */
    bool suspended;
    uint64_t next; /* number of the next notice */
    int64_t last_ns;
    char text[SLUICE_HTTP_NOTICE_BYTES + 128]; /* on its way out */
    size_t bytes, sent;
};

/* One line of /events. */
struct sluice_http_notice {
    const char *event;
    char text[SLUICE_HTTP_NOTICE_BYTES];
};

struct sluice_http {
    struct sluice_http_settings settings;
    struct sluice_http_ports ports;
    struct MHD_Daemon *daemon;
    int listen_fd, wake_fd, epoll_fd; /* epoll_fd is libmicrohttpd's */
    char url[128], own_name[256];
    char token[SLUICE_HTTP_TOKEN_BYTES]; /* "": none is needed */
    _Atomic uint32_t finish_wanted;      /* [edge HTTP_FINISH] */
    bool finishing;
    int64_t finish_deadline_ns, sweep_ns;

    struct sluice_http_link connections, waiting, streams;
    uint32_t connection_count, waiting_count, stream_count;
    uint64_t arm_number, stop_number; /* the newest asked for */
    uint64_t arm_given_up;            /* the newest arm whose answer nobody waits for any more */

    pthread_mutex_t lock;
    struct sluice_board board;
    struct sluice_http_notice *notices; /* ring of SLUICE_HTTP_NOTICES */
    uint64_t notice_count;              /* ever; the newest has this number */
};

static inline void sluice_http_link_init(struct sluice_http_link *head)
{
    head->prev = head->next = head;
}

static inline void sluice_http_link_add(struct sluice_http_link *head,
                                        struct sluice_http_link *item)
{
    item->prev = head->prev;
    item->next = head;
    head->prev->next = item;
    head->prev = item;
}

static inline void sluice_http_link_remove(struct sluice_http_link *item)
{
    item->prev->next = item->next;
    item->next->prev = item->prev;
}

static inline int64_t sluice_http_now_ns(const struct sluice_http *http)
{
    return sluice_now_ns(http->ports.clock);
}

/* http_clients.c */
void sluice_http_notify_connection(void *context, struct MHD_Connection *connection,
                                   void **socket_context, enum MHD_ConnectionNotificationCode code);
struct sluice_http_connection *sluice_http_client(struct MHD_Connection *connection);
/* Cuts off those whose time is over, or whose other side has gone in the middle of a request. */
void sluice_http_sweep(struct sluice_http *http, int64_t now_ns);
/* A phase of the request begins; 0: without a limit. */
void sluice_http_allow(const struct sluice_http *http, struct sluice_http_connection *client,
                       int64_t ns);
#define SLUICE_HTTP_HEADER_NS (10 * SLUICE_NS_PER_S)
#define SLUICE_HTTP_BODY_NS   (10 * SLUICE_NS_PER_S)
#define SLUICE_HTTP_REPLY_NS  (30 * SLUICE_NS_PER_S)

/* http_requests.c */
enum MHD_Result sluice_http_handle(void *context, struct MHD_Connection *connection,
                                   const char *url, const char *method, const char *version,
                                   const char *upload, size_t *upload_bytes, void **request);
void sluice_http_completed(void *context, struct MHD_Connection *connection, void **request,
                           enum MHD_RequestTerminationCode code);
/* Answers with {"error": text, "reason": reason}. */
enum MHD_Result sluice_http_refuse(struct sluice_http_request *request, unsigned code,
                                   const char *reason, const char *text);
/* Wakes the requests whose answer is there, or whose time is over. */
void sluice_http_wake_waiting(struct sluice_http *http, int64_t now_ns);

/* http_check.c: `*refused` says whether it has answered. */
enum MHD_Result sluice_http_check(struct sluice_http_request *request, const char *method,
                                  bool *refused);

/* http_stream.c */
enum MHD_Result sluice_http_open_stream(struct sluice_http_request *request);
void sluice_http_wake_streams(struct sluice_http *http, int64_t now_ns);
/* Under the lock. */
void sluice_http_add_notice(struct sluice_http *http, const char *event, const char *text);

#endif
