/* SPDX-License-Identifier: Apache-2.0
 *
 * One cycle: let libmicrohttpd do what is ready, wake the requests and streams that have something
 * to say, cut off what has had its time. The wait is a poll on libmicrohttpd's epoll descriptor and
 * on an eventfd, which the service agent writes to when there is news. */
#include "ingest/service/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/atomics.h"
#include "core/log.h"
#include "ingest/service/http_guard.h"
#include "ingest/service/http_inside.h"

#define BACKLOG           64
#define SPARE_CONNECTIONS 16 /* cut off, but not yet cleaned up */
#define MEMORY_BYTES      (32 << 10)
#define INACTIVE_S        15
#define FINISH_NS         SLUICE_NS_PER_S
#define TOKEN_BYTES_MIN   16

/* ---- cycle ---- */

static void begin_finish(struct sluice_http *http, int64_t now_ns)
{
    const MHD_socket fd = MHD_quiesce_daemon(http->daemon); /* nobody new */
    if (fd != MHD_INVALID_SOCKET)
        close(fd);
    http->listen_fd = -1;
    http->finishing = true;
    http->finish_deadline_ns = now_ns + FINISH_NS;
}

/* A request whose body is still to come has nothing to hope for. */
static bool anything_to_answer(const struct sluice_http *http)
{
    const struct sluice_http_link *head = &http->connections;
    for (const struct sluice_http_link *at = head->next; at != head; at = at->next)
        if (((const struct sluice_http_connection *)at)->answering)
            return true;
    return false;
}

static int do_work(void *context)
{
    struct sluice_http *http = context;
    const int64_t now_ns = sluice_http_now_ns(http);
    if (!http->finishing && sluice_load_acquire(&http->finish_wanted) != 0) /* [edge HTTP_FINISH] */
        begin_finish(http, now_ns);
    sluice_http_wake_waiting(http, now_ns);
    sluice_http_wake_streams(http, now_ns);
    (void)MHD_run(http->daemon);
    if (now_ns >= http->sweep_ns) {
        sluice_http_sweep(http, now_ns);
        http->sweep_ns = now_ns + SLUICE_HTTP_SWEEP_NS;
    }
    if (http->finishing && (now_ns >= http->finish_deadline_ns || !anything_to_answer(http)))
        return SLUICE_AGENT_DONE;
    return 0;
}

static void wait_for_work(void *context)
{
    struct sluice_http *http = context;
    struct pollfd items[] = {
        {.fd = http->epoll_fd, .events = POLLIN},
        {.fd = http->wake_fd, .events = POLLIN},
    };
    MHD_UNSIGNED_LONG_LONG wanted_ms;
    int timeout_ms = http->connection_count > 0 || http->finishing
                         ? (int)(SLUICE_HTTP_SWEEP_NS / SLUICE_NS_PER_MS)
                         : -1;
    if (http->finishing)
        timeout_ms = 10;
    if (MHD_get_timeout(http->daemon, &wanted_ms) == MHD_YES &&
        (timeout_ms < 0 || wanted_ms < (MHD_UNSIGNED_LONG_LONG)timeout_ms))
        timeout_ms = (int)wanted_ms;
    uint64_t wakes;
    if (poll(items, 2, timeout_ms) > 0 && (items[1].revents & POLLIN) != 0)
        (void)!read(http->wake_fd, &wakes, sizeof(wakes));
}

const struct sluice_agent_ops sluice_http_agent_ops = {
    .name = "sluice-http",
    .do_work = do_work,
    .wait = wait_for_work,
};

/* ---- from other threads ---- */

static void wake(const struct sluice_http *http)
{
    const uint64_t one = 1;
    (void)!write(http->wake_fd, &one, sizeof(one));
}

void sluice_http_event(struct sluice_http *http, const struct sluice_event *event,
                       const char *notice)
{
    pthread_mutex_lock(&http->lock);
    sluice_board_event(&http->board, event);
    if (notice[0] != '\0')
        sluice_http_add_notice(http, sluice_event_name(event->kind), notice);
    pthread_mutex_unlock(&http->lock);
    wake(http);
}

void sluice_http_finish(struct sluice_http *http)
{
    sluice_store_release(&http->finish_wanted, 1); /* [edge HTTP_FINISH] */
    wake(http);
}

const char *sluice_http_url(const struct sluice_http *http)
{
    return http->url;
}

/* ---- life ---- */

/* Splits PORT, HOST:PORT or [ADDRESS]:PORT. */
static bool split_listen(const char *listen_text, char *host, size_t room, const char **port)
{
    const char *colon = strrchr(listen_text, ':');
    const char *begin = listen_text;
    size_t length = colon != NULL ? (size_t)(colon - begin) : 0;
    *port = colon != NULL ? colon + 1 : listen_text;
    if (colon == NULL) {
        begin = "127.0.0.1";
        length = strlen(begin);
    } else if (length >= 2 && begin[0] == '[' && begin[length - 1] == ']') {
        begin++;
        length -= 2;
    } else if (memchr(begin, ':', length) != NULL) {
        return false; /* an IPv6 address wants its brackets */
    } else if (length == 1 && begin[0] == '*') {
        begin = "0.0.0.0";
        length = strlen(begin);
    }
    if (length == 0 || length >= room || strspn(*port, "0123456789") != strlen(*port) ||
        **port == '\0' || strlen(*port) > 5 || atoi(*port) > 65535)
        return false;
    memcpy(host, begin, length);
    host[length] = '\0';
    return true;
}

static void make_url(struct sluice_http *http)
{
    struct sockaddr_storage bound;
    socklen_t bytes = sizeof(bound);
    char host[INET6_ADDRSTRLEN] = "", port[8] = "";
    memset(&bound, 0, sizeof(bound));
    (void)getsockname(http->listen_fd, (struct sockaddr *)&bound, &bytes);
    (void)getnameinfo((struct sockaddr *)&bound, bytes, host, sizeof(host), port, sizeof(port),
                      NI_NUMERICHOST | NI_NUMERICSERV);
    snprintf(http->url, sizeof(http->url),
             bound.ss_family == AF_INET6 ? "http://[%s]:%s" : "http://%s:%s", host, port);
}

static enum sluice_status open_socket(struct sluice_http *http, struct sluice_error *error)
{
    const char *text = http->settings.listen, *port;
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    char host[256];
    const int yes = 1;
    if (!split_listen(text, host, sizeof(host), &port) ||
        getaddrinfo(host, port, &hints, &found) != 0 || found == NULL)
        return sluice_error_set(error, SLUICE_CONFIG,
                                "http.listen: %s is no address to listen at (expected like "
                                "127.0.0.1:8090, [::1]:8090 or 8090)",
                                text);
    enum sluice_status status = SLUICE_OK;
    if (!sluice_http_is_loopback(found->ai_addr) && http->token[0] == '\0') {
        status = sluice_error_set(error, SLUICE_CONFIG,
                                  "http.listen: %s can be reached from other hosts: set "
                                  "http.token_file, or listen at 127.0.0.1",
                                  text);
        goto done;
    }
    http->listen_fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (http->listen_fd >= 0)
        (void)setsockopt(http->listen_fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (http->listen_fd < 0 || bind(http->listen_fd, found->ai_addr, found->ai_addrlen) != 0 ||
        listen(http->listen_fd, BACKLOG) != 0)
        status = sluice_error_errno(error, SLUICE_CONFIG, errno, "http.listen: cannot listen at %s",
                                    text);
    else
        make_url(http);
done:
    freeaddrinfo(found);
    return status;
}

static enum sluice_status read_token(struct sluice_http *http, struct sluice_error *error)
{
    const char *path = http->settings.token_file;
    struct stat file;
    if (path == NULL || path[0] == '\0')
        return SLUICE_OK;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t bytes = -1;
    if (fd >= 0 && fstat(fd, &file) == 0)
        bytes = read(fd, http->token, sizeof(http->token));
    const int code = errno;
    if (fd >= 0)
        close(fd);
    if (bytes < 0)
        return sluice_error_errno(error, SLUICE_CONFIG, code, "http.token_file: cannot read %s",
                                  path);
    if ((file.st_mode & S_IRWXO) != 0)
        return sluice_error_set(error, SLUICE_CONFIG,
                                "http.token_file: everybody may read %s: chmod 600 it", path);
    while (bytes > 0 && strchr(" \t\r\n", http->token[bytes - 1]) != NULL)
        bytes--;
    bool printable = bytes >= TOKEN_BYTES_MIN && (size_t)bytes < sizeof(http->token);
    for (ssize_t i = 0; i < bytes; i++)
        printable = printable && http->token[i] > ' ' && http->token[i] < 0x7f;
    if (!printable)
        return sluice_error_set(error, SLUICE_CONFIG,
                                "http.token_file: %s must hold one line of %d to %zu printable "
                                "characters without spaces (openssl rand -hex 32)",
                                path, TOKEN_BYTES_MIN, sizeof(http->token) - 1);
    http->token[bytes] = '\0';
    return SLUICE_OK;
}

static void log_line(void *context, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));
static void log_line(void *context, const char *format, va_list arguments)
{
    char text[256];
    (void)context;
    vsnprintf(text, sizeof(text), format, arguments);
    text[strcspn(text, "\n")] = '\0';
    sluice_log_debug("http", "%s", text);
}

static enum sluice_status start_daemon(struct sluice_http *http, struct sluice_error *error)
{
    const unsigned connections = http->settings.connections_max + SPARE_CONNECTIONS;
    http->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL,
        sluice_http_handle, http, MHD_OPTION_EXTERNAL_LOGGER, log_line, NULL,
        MHD_OPTION_LISTEN_SOCKET, http->listen_fd, MHD_OPTION_CONNECTION_LIMIT, connections,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MEMORY_BYTES, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)INACTIVE_S, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_COMPLETED,
        sluice_http_completed, http, MHD_OPTION_NOTIFY_CONNECTION, sluice_http_notify_connection,
        http, MHD_OPTION_END);
    if (http->daemon == NULL)
        return sluice_error_set(error, SLUICE_SYSTEM, "libmicrohttpd does not start");
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    http->epoll_fd = info != NULL ? info->epoll_fd : -1;
    return http->epoll_fd >= 0
               ? SLUICE_OK
               : sluice_error_set(error, SLUICE_SYSTEM, "libmicrohttpd has no epoll descriptor");
}

enum sluice_status sluice_http_create(const struct sluice_http_settings *settings,
                                      const struct sluice_http_ports *ports,
                                      struct sluice_http **out, struct sluice_error *error)
{
    *out = NULL;
    struct sluice_http *http = calloc(1, sizeof(*http));
    if (http == NULL)
        return sluice_error_set(error, SLUICE_NO_MEMORY, "no memory for the HTTP agent");
    http->settings = *settings;
    http->ports = *ports;
    http->listen_fd = http->epoll_fd = -1;
    sluice_http_link_init(&http->connections);
    sluice_http_link_init(&http->waiting);
    sluice_http_link_init(&http->streams);
    pthread_mutex_init(&http->lock, NULL);
    (void)gethostname(http->own_name, sizeof(http->own_name) - 1);
    http->notices = calloc(SLUICE_HTTP_NOTICES, sizeof(*http->notices));
    http->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    enum sluice_status status = SLUICE_OK;
    if (http->notices == NULL || http->wake_fd < 0)
        status = sluice_error_set(error, SLUICE_NO_MEMORY, "no memory for the HTTP agent");
    if (status == SLUICE_OK)
        status = read_token(http, error);
    if (status == SLUICE_OK)
        status = open_socket(http, error);
    if (status == SLUICE_OK)
        status = start_daemon(http, error);
    if (status != SLUICE_OK) {
        sluice_http_destroy(http);
        return status;
    }
    sluice_log_info("http", "HTTP on %s%s", http->url,
                    http->token[0] != '\0' ? ", with token" : "");
    *out = http;
    return SLUICE_OK;
}

void sluice_http_destroy(struct sluice_http *http)
{
    if (http == NULL)
        return;
    if (http->daemon != NULL) {
        http->finishing = true; /* nothing may be suspended when the daemon stops */
        sluice_http_wake_waiting(http, INT64_MAX);
        sluice_http_wake_streams(http, INT64_MAX);
        MHD_stop_daemon(http->daemon);
    } else if (http->listen_fd >= 0) {
        close(http->listen_fd);
    }
    if (http->wake_fd >= 0)
        close(http->wake_fd);
    pthread_mutex_destroy(&http->lock);
    sluice_board_close(&http->board);
    free(http->notices);
    free(http);
}
