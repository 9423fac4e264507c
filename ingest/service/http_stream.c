/* SPDX-License-Identifier: Apache-2.0
 *
 * /events: notices as server-sent events. The newest SLUICE_HTTP_NOTICES are kept in a ring; each
 * stream has its own place in it. A stream that is further behind than the ring reaches goes on
 * with the oldest one there and is told so in a comment; the writer and the others never wait for
 * it. With nothing to send a stream sleeps (suspended), and a comment now and then finds out
 * whether anybody is still there. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/service/http_inside.h"

#define BLOCK_BYTES  (8 << 10)
#define HEARTBEAT_NS (10 * SLUICE_NS_PER_S)

void sluice_http_add_notice(struct sluice_http *http, const char *event, const char *text)
{
    struct sluice_http_notice *notice =
        &http->notices[(http->notice_count + 1) % SLUICE_HTTP_NOTICES];
    if (strlen(text) >= sizeof(notice->text))
        return; /* a path of thousands of bytes that are no ASCII */
    notice->event = event;
    snprintf(notice->text, sizeof(notice->text), "%s", text);
    http->notice_count++;
}

/* Puts the next thing to send into the stream's buffer; false: there is none. */
static bool next_text(struct sluice_http_stream *stream)
{
    struct sluice_http *http = stream->http;
    const int64_t now_ns = sluice_http_now_ns(http);
    int length = 0;
    stream->bytes = stream->sent = 0;
    pthread_mutex_lock(&http->lock);
    const uint64_t oldest = http->notice_count >= SLUICE_HTTP_NOTICES
                                ? http->notice_count - SLUICE_HTTP_NOTICES + 1
                                : 1;
    if (stream->next < oldest) {
        length = snprintf(stream->text, sizeof(stream->text), ": %" PRIu64 " events left out\n\n",
                          oldest - stream->next);
        stream->next = oldest;
    } else if (stream->next <= http->notice_count) {
        const struct sluice_http_notice *notice =
            &http->notices[stream->next % SLUICE_HTTP_NOTICES];
        length =
            snprintf(stream->text, sizeof(stream->text), "id: %" PRIu64 "\nevent: %s\ndata: %s\n\n",
                     stream->next, notice->event, notice->text);
        stream->next++;
    } else if (now_ns - stream->last_ns >= HEARTBEAT_NS) {
        length = snprintf(stream->text, sizeof(stream->text), ":\n\n");
    }
    pthread_mutex_unlock(&http->lock);
    if (length <= 0)
        return false;
    stream->bytes = (size_t)length;
    stream->last_ns = now_ns;
    return true;
}

static ssize_t read_stream(void *context, uint64_t position, char *buffer, size_t room)
{
    struct sluice_http_stream *stream = context;
    (void)position;
    if (stream->client != NULL && stream->client->hung_up)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (stream->sent == stream->bytes && !next_text(stream)) {
        if (stream->http->finishing)
            return MHD_CONTENT_READER_END_OF_STREAM;
        stream->suspended = true;
        MHD_suspend_connection(stream->connection);
        return 0;
    }
    const size_t left = stream->bytes - stream->sent, bytes = left < room ? left : room;
    memcpy(buffer, stream->text + stream->sent, bytes);
    stream->sent += bytes;
    return (ssize_t)bytes;
}

static void close_stream(void *context)
{
    struct sluice_http_stream *stream = context;
    sluice_http_link_remove(&stream->link);
    stream->http->stream_count--;
    free(stream);
}

/* Where a client goes on that was there before; else behind the newest. */
static uint64_t first_number(struct sluice_http *http, struct MHD_Connection *connection)
{
    const char *last = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Last-Event-ID");
    char *end = NULL;
    const uint64_t number = last != NULL ? strtoull(last, &end, 10) : 0;
    pthread_mutex_lock(&http->lock);
    const uint64_t newest = http->notice_count;
    pthread_mutex_unlock(&http->lock);
    const bool known = end != NULL && end != last && *end == '\0' && number <= newest;
    return (known ? number : newest) + 1;
}

enum MHD_Result sluice_http_open_stream(struct sluice_http_request *request)
{
    struct sluice_http *http = request->http;
    struct sluice_http_stream *stream = calloc(1, sizeof(*stream));
    if (stream == NULL)
        return MHD_NO;
    stream->http = http;
    stream->connection = request->connection;
    stream->client = request->client;
    stream->next = first_number(http, request->connection);
    stream->last_ns = sluice_http_now_ns(http);
    /* Something at once: the client's libraries then know that it works. */
    stream->bytes = (size_t)snprintf(stream->text, sizeof(stream->text), "retry: 1000\n\n");
    sluice_http_link_add(&http->streams, &stream->link);
    http->stream_count++;
    struct MHD_Response *response = MHD_create_response_from_callback(
        MHD_SIZE_UNKNOWN, BLOCK_BYTES, read_stream, stream, close_stream);
    if (response == NULL) {
        close_stream(stream);
        return MHD_NO;
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/event-stream");
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    sluice_http_allow(http, request->client, 0);
    const enum MHD_Result result = MHD_queue_response(request->connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return result;
}

void sluice_http_wake_streams(struct sluice_http *http, int64_t now_ns)
{
    pthread_mutex_lock(&http->lock);
    const uint64_t newest = http->notice_count;
    pthread_mutex_unlock(&http->lock);
    const struct sluice_http_link *head = &http->streams;
    for (struct sluice_http_link *at = head->next; at != head; at = at->next) {
        struct sluice_http_stream *stream = (struct sluice_http_stream *)at;
        const bool gone = stream->client != NULL && stream->client->hung_up;
        const bool due = stream->next <= newest || now_ns - stream->last_ns >= HEARTBEAT_NS;
        if (!stream->suspended || (!http->finishing && !gone && !due))
            continue;
        stream->suspended = false;
        MHD_resume_connection(stream->connection);
    }
}
