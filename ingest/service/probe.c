/* SPDX-License-Identifier: Apache-2.0
 *
 * libzmq says whether something is an endpoint; whether somebody listens there is found out by a
 * plain TCP or UNIX connection that is closed at once. Such a connection speaks no ZeroMQ, so no
 * message of a detector goes to it. */
#include "ingest/service/probe.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <zmq.h>

static enum sluice_status try_zmq(int type, bool bind, const char *endpoint,
                                  struct sluice_error *error)
{
    void *context = zmq_ctx_new();
    void *socket = context != NULL ? zmq_socket(context, type) : NULL;
    const int none = 0;
    int code = 0;
    if (socket == NULL || zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof none) != 0 ||
        (bind ? zmq_bind(socket, endpoint) : zmq_connect(socket, endpoint)) != 0)
        code = zmq_errno();
    if (socket != NULL)
        zmq_close(socket);
    if (context != NULL)
        zmq_ctx_term(context);
    if (code == 0)
        return SLUICE_OK;
    return sluice_error_set(error, SLUICE_CONFIG, "cannot %s %s: %s", bind ? "bind" : "connect to",
                            endpoint, zmq_strerror(code));
}

/* ---- is somebody there ---- */

/* 0, or an errno. */
static int try_connect(int family, const struct sockaddr *address, socklen_t bytes, int timeout_ms)
{
    int code = 0;
    const int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return errno;
    if (connect(fd, address, bytes) != 0) {
        struct pollfd item = {.fd = fd, .events = POLLOUT};
        socklen_t length = sizeof code;
        code = errno;
        if (code == EINPROGRESS) {
            code = ETIMEDOUT;
            if (poll(&item, 1, timeout_ms) == 1)
                getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &length);
        }
    }
    close(fd);
    return code;
}

/* "[source;]HOST:PORT", HOST perhaps in brackets, after the transport. */
static bool split(const char *text, char *host, size_t bytes, char *port, size_t port_bytes)
{
    const char *semicolon = strrchr(text, ';');
    const char *begin = semicolon != NULL ? semicolon + 1 : text;
    const char *colon = strrchr(begin, ':');
    if (colon == NULL || colon == begin || (size_t)(colon - begin) >= bytes ||
        strlen(colon + 1) >= port_bytes)
        return false;
    size_t length = (size_t)(colon - begin);
    if (begin[0] == '[' && begin[length - 1] == ']') {
        begin++;
        length -= 2;
    }
    memcpy(host, begin, length);
    host[length] = '\0';
    strcpy(port, colon + 1);
    return true;
}

static enum sluice_status reached(const char *endpoint, int code, struct sluice_error *error)
{
    if (code == 0)
        return SLUICE_OK;
    return sluice_error_set(error, SLUICE_TIMEOUT, "nobody answers at %s: %s", endpoint,
                            strerror(code));
}

static enum sluice_status reach_tcp(const char *endpoint, int timeout_ms,
                                    struct sluice_error *error)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    char host[256], port[16];
    int code = 0;
    if (!split(endpoint + strlen("tcp://"), host, sizeof host, port, sizeof port))
        return sluice_error_set(error, SLUICE_CONFIG, "%s is not tcp://HOST:PORT", endpoint);
    const int answer = getaddrinfo(host, port, &hints, &found);
    if (answer != 0)
        return sluice_error_set(error, SLUICE_CONFIG, "%s: %s cannot be resolved: %s", endpoint,
                                host, gai_strerror(answer));
    for (const struct addrinfo *a = found; a != NULL; a = a->ai_next) {
        code = try_connect(a->ai_family, a->ai_addr, a->ai_addrlen, timeout_ms);
        if (code == 0)
            break;
    }
    freeaddrinfo(found);
    return reached(endpoint, code, error);
}

static enum sluice_status reach_ipc(const char *endpoint, int timeout_ms,
                                    struct sluice_error *error)
{
    const char *path = endpoint + strlen("ipc://");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const size_t length = strlen(path);
    if (length == 0 || length >= sizeof address.sun_path)
        return sluice_error_set(error, SLUICE_CONFIG, "%s: the path is empty or too long",
                                endpoint);
    memcpy(address.sun_path, path, length);
    if (path[0] == '@')
        address.sun_path[0] = '\0';
    const socklen_t bytes =
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (path[0] != '@'));
    return reached(endpoint,
                   try_connect(AF_UNIX, (const struct sockaddr *)&address, bytes, timeout_ms),
                   error);
}

enum sluice_status sluice_probe_reach(const char *endpoint, int timeout_ms,
                                      struct sluice_error *error)
{
    const enum sluice_status status = try_zmq(ZMQ_PULL, false, endpoint, error);
    if (status == SLUICE_OK && strncmp(endpoint, "tcp://", 6) == 0)
        return reach_tcp(endpoint, timeout_ms, error);
    if (status == SLUICE_OK && strncmp(endpoint, "ipc://", 6) == 0)
        return reach_ipc(endpoint, timeout_ms, error);
    return status;
}

/* libzmq would take the path from whoever listens there, and leave it behind. */
static enum sluice_status free_ipc(const char *endpoint, struct sluice_error *error)
{
    char folder[sizeof(((struct sockaddr_un *)0)->sun_path)];
    const char *path = endpoint + strlen("ipc://");
    const enum sluice_status there = reach_ipc(endpoint, 0, error);
    if (there == SLUICE_OK)
        return sluice_error_set(error, SLUICE_CONFIG, "cannot bind %s: %s", endpoint,
                                strerror(EADDRINUSE));
    if (there != SLUICE_TIMEOUT)
        return there;
    sluice_error_clear(error); /* nobody answers: good */
    if (path[0] == '@')
        return SLUICE_OK;
    const char *slash = strrchr(path, '/');
    snprintf(folder, sizeof(folder), "%.*s", slash == NULL ? 1 : (int)(slash - path) + 1,
             slash == NULL ? "." : path);
    if (access(folder, W_OK | X_OK) == 0)
        return SLUICE_OK;
    return sluice_error_errno(error, SLUICE_CONFIG, errno, "cannot bind %s", endpoint);
}

enum sluice_status sluice_probe_bind(const char *endpoint, struct sluice_error *error)
{
    if (strncmp(endpoint, "ipc://", 6) == 0 && strcmp(endpoint, "ipc://*") != 0)
        return free_ipc(endpoint, error);
    return try_zmq(ZMQ_PULL, true, endpoint, error);
}
