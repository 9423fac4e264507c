/* SPDX-License-Identifier: Apache-2.0
 *
 * A socket that never blocks and one deadline for all of it: connect, send, receive. The answer
 * ends where the other side closes (Connection: close), and may not be larger than ANSWER_MAX. */
#include "ingest/remote/remote.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/clock.h"

#define ANSWER_MAX (4 << 20)

enum sluice_status sluice_remote_address(struct sluice_remote *remote, const char *url,
                                         struct sluice_error *error)
{
    const char *begin = strncmp(url, "http://", 7) == 0 ? url + 7 : url;
    size_t bytes = strlen(begin);
    while (bytes > 0 && begin[bytes - 1] == '/')
        bytes--;
    const char *colon = memrchr(begin, ':', bytes);
    size_t host_bytes = colon != NULL ? (size_t)(colon - begin) : 0;
    const size_t port_bytes = colon != NULL ? bytes - host_bytes - 1 : 0;
    if (host_bytes > 2 && begin[0] == '[' && begin[host_bytes - 1] == ']') {
        begin++;
        host_bytes -= 2;
    }
    if (host_bytes == 0 || host_bytes >= sizeof(remote->host) || port_bytes == 0 ||
        port_bytes > 5 || strspn(colon + 1, "0123456789") < port_bytes ||
        memchr(begin, '/', host_bytes) != NULL || memchr(begin, '@', host_bytes) != NULL)
        return sluice_error_set(error, SLUICE_USAGE,
                                "%s is no address (expected like http://127.0.0.1:8090)", url);
    snprintf(remote->host, sizeof(remote->host), "%.*s", (int)host_bytes, begin);
    snprintf(remote->port, sizeof(remote->port), "%.*s", (int)port_bytes, colon + 1);
    return SLUICE_OK;
}

enum sluice_status sluice_remote_token(struct sluice_remote *remote, const char *path,
                                       struct sluice_error *error)
{
    FILE *file = fopen(path, "re");
    const bool read = file != NULL && fgets(remote->token, sizeof(remote->token), file) != NULL;
    const int code = errno;
    if (file != NULL)
        fclose(file);
    if (!read)
        return sluice_error_errno(error, SLUICE_CONFIG, code, "cannot read the token in %s", path);
    remote->token[strcspn(remote->token, " \t\r\n")] = '\0';
    return SLUICE_OK;
}

/* Waits for the socket; false when the time is over. */
static bool wait_ready(int fd, short events, int64_t deadline_ns)
{
    struct pollfd item = {.fd = fd, .events = events};
    for (;;) {
        const int64_t left_ns = deadline_ns - sluice_now_ns(sluice_clock_system());
        if (left_ns <= 0)
            return false;
        const int ready = poll(&item, 1, (int)(left_ns / SLUICE_NS_PER_MS) + 1);
        if (ready > 0)
            return true;
        if (ready < 0 && errno != EINTR)
            return false;
    }
}

static int connect_one(const struct addrinfo *address, int64_t deadline_ns, int *code)
{
    const int fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    socklen_t bytes = sizeof(*code);
    *code = 0;
    if (fd < 0 || (connect(fd, address->ai_addr, address->ai_addrlen) != 0 && errno != EINPROGRESS))
        *code = errno;
    else if (!wait_ready(fd, POLLOUT, deadline_ns))
        *code = ETIMEDOUT;
    else
        (void)getsockopt(fd, SOL_SOCKET, SO_ERROR, code, &bytes);
    if (*code == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static int open_connection(const struct sluice_remote *remote, int64_t deadline_ns,
                           struct sluice_error *error)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int fd = -1, code = ENOENT;
    const int why = getaddrinfo(remote->host, remote->port, &hints, &found);
    if (why != 0) {
        sluice_error_set(error, SLUICE_NOT_FOUND, "cannot find %s: %s", remote->host,
                         gai_strerror(why));
        return -1;
    }
    for (const struct addrinfo *at = found; at != NULL && fd < 0; at = at->ai_next)
        fd = connect_one(at, deadline_ns, &code);
    freeaddrinfo(found);
    if (fd < 0)
        sluice_error_errno(error, code == ETIMEDOUT ? SLUICE_TIMEOUT : SLUICE_NOT_FOUND, code,
                           "cannot reach %s port %s", remote->host, remote->port);
    return fd;
}

static enum sluice_status send_all(int fd, const char *data, size_t bytes, int64_t deadline_ns,
                                   struct sluice_error *error)
{
    while (bytes > 0) {
        const ssize_t sent = send(fd, data, bytes, MSG_NOSIGNAL);
        if (sent > 0) {
            data += sent;
            bytes -= (size_t)sent;
        } else if (errno != EAGAIN && errno != EINTR) {
            return sluice_error_errno(error, SLUICE_IO, errno, "sending");
        } else if (!wait_ready(fd, POLLOUT, deadline_ns)) {
            return sluice_error_set(error, SLUICE_TIMEOUT, "sending took too long");
        }
    }
    return SLUICE_OK;
}

/* Everything until the other side closes. */
static enum sluice_status receive_all(int fd, char **data, size_t *bytes, int64_t deadline_ns,
                                      struct sluice_error *error)
{
    size_t room = 0;
    for (;;) {
        if (*bytes + 4096 > room) {
            room = room == 0 ? 16384 : room * 2;
            char *larger = room <= ANSWER_MAX ? realloc(*data, room) : NULL;
            if (larger == NULL)
                return sluice_error_set(error, SLUICE_LIMIT, "the answer is too large");
            *data = larger;
        }
        const ssize_t got = recv(fd, *data + *bytes, room - *bytes, 0);
        if (got == 0)
            return SLUICE_OK;
        if (got > 0)
            *bytes += (size_t)got;
        else if (errno != EAGAIN && errno != EINTR)
            return sluice_error_errno(error, SLUICE_IO, errno, "receiving");
        else if (!wait_ready(fd, POLLIN, deadline_ns))
            return sluice_error_set(error, SLUICE_TIMEOUT, "no answer in time");
    }
}

static char *make_request(const struct sluice_remote *remote, const char *method, const char *path,
                          const char *body, size_t *bytes)
{
    const bool is_v6 = strchr(remote->host, ':') != NULL;
    char *text = NULL;
    FILE *out = open_memstream(&text, bytes);
    if (out == NULL)
        return NULL;
    fprintf(out, "%s %s HTTP/1.1\r\nHost: %s%s%s:%s\r\nConnection: close\r\n", method, path,
            is_v6 ? "[" : "", remote->host, is_v6 ? "]" : "", remote->port);
    if (remote->token[0] != '\0')
        fprintf(out, "Authorization: Bearer %s\r\n", remote->token);
    if (body != NULL)
        fputs("Content-Type: application/json\r\n", out);
    fprintf(out, "Content-Length: %zu\r\n\r\n%s", body != NULL ? strlen(body) : 0,
            body != NULL ? body : "");
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

enum sluice_status sluice_remote_ask(const struct sluice_remote *remote, const char *method,
                                     const char *path, const char *body, int64_t timeout_ns,
                                     struct sluice_remote_answer *answer,
                                     struct sluice_error *error)
{
    const int64_t deadline_ns = sluice_now_ns(sluice_clock_system()) + timeout_ns;
    size_t request_bytes = 0, bytes = 0;
    char *data = NULL;
    memset(answer, 0, sizeof(*answer));
    char *request = make_request(remote, method, path, body, &request_bytes);
    if (request == NULL)
        return sluice_error_set(error, SLUICE_NO_MEMORY, "no memory for a request");
    const int fd = open_connection(remote, deadline_ns, error);
    enum sluice_status status = fd >= 0 ? SLUICE_OK : error->status;
    if (status == SLUICE_OK)
        status = send_all(fd, request, request_bytes, deadline_ns, error);
    if (status == SLUICE_OK)
        status = receive_all(fd, &data, &bytes, deadline_ns, error);
    if (status == SLUICE_OK)
        status = sluice_remote_parse(data, bytes, answer, error);
    if (status != SLUICE_OK && fd >= 0)
        sluice_error_prefix(error, "%s port %s", remote->host, remote->port);
    if (fd >= 0)
        close(fd);
    free(request);
    free(data);
    return status;
}
