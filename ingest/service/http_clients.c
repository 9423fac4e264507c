/* SPDX-License-Identifier: Apache-2.0
 *
 * Connections are bounded in number and each phase of one in time: so long for the headers of a
 * request (also for being idle before it), so long for its body, so long to take the answer. A
 * trickle of bytes does not prolong a phase. Where too many are open, the oldest that has no
 * request in hand goes, so that idle ones cannot keep others out.
 *
 * A connection is cut off by shutdown(2); libmicrohttpd then finds it closed and cleans up. */
#include <stdlib.h>
#include <sys/socket.h>

#include "ingest/service/http_inside.h"

static void cut(struct sluice_http_connection *client)
{
    client->cut = true;
    (void)shutdown(client->fd, SHUT_RDWR);
}

static void make_room(struct sluice_http *http)
{
    uint32_t open = 0;
    struct sluice_http_connection *oldest = NULL;
    const struct sluice_http_link *head = &http->connections;
    for (struct sluice_http_link *at = head->next; at != head; at = at->next) {
        struct sluice_http_connection *client = (struct sluice_http_connection *)at;
        open += !client->cut;
        if (oldest == NULL && !client->cut && !client->busy)
            oldest = client;
    }
    if (open > http->settings.connections_max && oldest != NULL)
        cut(oldest);
}

void sluice_http_allow(const struct sluice_http *http, struct sluice_http_connection *client,
                       int64_t ns)
{
    if (client != NULL)
        client->deadline_ns = ns > 0 ? sluice_http_now_ns(http) + ns : INT64_MAX;
}

void sluice_http_notify_connection(void *context, struct MHD_Connection *connection,
                                   void **socket_context, enum MHD_ConnectionNotificationCode code)
{
    struct sluice_http *http = context;
    struct sluice_http_connection *client = *socket_context;
    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        if (client == NULL)
            return;
        sluice_http_link_remove(&client->link);
        http->connection_count--;
        free(client);
        *socket_context = NULL;
        return;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    client = calloc(1, sizeof(*client));
    *socket_context = client;
    if (client == NULL || info == NULL) { /* libmicrohttpd's own limits still hold */
        free(client);
        *socket_context = NULL;
        return;
    }
    client->fd = info->connect_fd;
    sluice_http_allow(http, client, SLUICE_HTTP_HEADER_NS);
    sluice_http_link_add(&http->connections, &client->link);
    http->connection_count++;
    make_room(http);
}

struct sluice_http_connection *sluice_http_client(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info != NULL ? info->socket_context : NULL;
}

/* libmicrohttpd sees a close that came with the last bytes only when it writes. */
static bool has_hung_up(const struct sluice_http_connection *client)
{
    char byte;
    return recv(client->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

void sluice_http_sweep(struct sluice_http *http, int64_t now_ns)
{
    const struct sluice_http_link *head = &http->connections;
    for (struct sluice_http_link *at = head->next; at != head; at = at->next) {
        struct sluice_http_connection *client = (struct sluice_http_connection *)at;
        if (client->cut)
            continue;
        client->hung_up = has_hung_up(client);
        if (now_ns >= client->deadline_ns || (client->hung_up && !client->answering))
            cut(client);
    }
}
