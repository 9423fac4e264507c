/* SPDX-License-Identifier: Apache-2.0
 *
 * An address as text cannot be rebound by anybody's name server, so every numeric Host is allowed;
 * names have to be known. */
#include "ingest/service/http_guard.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#define HOST_BYTES 256

/* The name or address in `host` without its port; false when it is no host. */
static bool take_name(const char *host, char *name, size_t bytes)
{
    const bool bracketed = host[0] == '[';
    const char *begin = host + bracketed;
    const size_t length = strcspn(begin, bracketed ? "]" : ":");
    const char *rest = begin + length;
    if (length == 0 || length >= bytes)
        return false;
    memcpy(name, begin, length);
    name[length] = '\0';
    if (bracketed && *rest++ != ']')
        return false;
    if (*rest == '\0')
        return true;
    const size_t digits = strspn(rest + 1, "0123456789");
    return *rest == ':' && digits > 0 && digits <= 5 && rest[1 + digits] == '\0';
}

static bool is_numeric(const char *name, bool bracketed)
{
    unsigned char address[sizeof(struct in6_addr)];
    return inet_pton(bracketed ? AF_INET6 : AF_INET, name, address) == 1;
}

static bool is_listed(const char *name, const char *names)
{
    const size_t wanted = strlen(name);
    while (*names != '\0') {
        names += strspn(names, ", ");
        const size_t length = strcspn(names, ", ");
        if (length == wanted && strncasecmp(names, name, length) == 0)
            return true;
        names += length;
    }
    return false;
}

bool sluice_http_host_allowed(const char *host, const char *own_name, const char *names)
{
    char name[HOST_BYTES];
    if (host == NULL || !take_name(host, name, sizeof(name)))
        return false;
    if (is_numeric(name, host[0] == '['))
        return true;
    if (host[0] == '[')
        return false;
    return strcasecmp(name, "localhost") == 0 || is_listed(name, names) ||
           (own_name[0] != '\0' && strcasecmp(name, own_name) == 0);
}

bool sluice_http_origin_allowed(const char *origin, const char *host)
{
    if (origin == NULL)
        return true;
    if (host == NULL)
        return false;
    const char *rest = strncmp(origin, "http://", 7) == 0    ? origin + 7
                       : strncmp(origin, "https://", 8) == 0 ? origin + 8
                                                             : NULL;
    return rest != NULL && strcasecmp(rest, host) == 0;
}

bool sluice_http_token_matches(const char *authorization, const char *token)
{
    static const char scheme[] = "Bearer ";
    if (authorization == NULL || strncasecmp(authorization, scheme, sizeof(scheme) - 1) != 0)
        return false;
    const char *given = authorization + sizeof(scheme) - 1;
    const size_t bytes = strlen(token), given_bytes = strlen(given);
    volatile uint8_t differ = given_bytes != bytes;
    for (size_t i = 0; i < bytes; i++) {
        const char c = given_bytes > 0 ? given[i % given_bytes] : '\0';
        differ = (uint8_t)(differ | (uint8_t)(c ^ token[i]));
    }
    return bytes > 0 && differ == 0;
}

bool sluice_http_is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, address, sizeof(v4));
        return ntohl(v4.sin_addr.s_addr) >> 24 == 127;
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, address, sizeof(v6));
        return IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
    }
    return false;
}
