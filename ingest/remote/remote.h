/* SPDX-License-Identifier: Apache-2.0
 *
 * The other end of the HTTP surface: asks a running ingest, for `sluice status` and its like. One
 * request a connection, everything bounded in time and size; no proxies, no TLS, no redirects.
 *
 * Blocks, up to the timeout of each request. Any thread. */
#ifndef SLUICE_INGEST_REMOTE_H
#define SLUICE_INGEST_REMOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

struct sluice_remote {
    char host[256], port[8];
    char token[512]; /* "": none */
};

struct sluice_remote_answer {
    int code; /* 200 … */
    char *body;
    size_t bytes;
    void *json; /* the body parsed; NULL: it is no JSON object */
};

/* http://HOST:PORT, HOST:PORT, [ADDRESS]:PORT. USAGE. */
enum sluice_status sluice_remote_address(struct sluice_remote *remote, const char *url,
                                         struct sluice_error *error);
/* The first line of a file. CONFIG. */
enum sluice_status sluice_remote_token(struct sluice_remote *remote, const char *path,
                                       struct sluice_error *error);

/* Asks, and waits for the whole answer; `body` is JSON, or NULL. Whatever the code is, OK means
 * that there is an answer. NOT_FOUND: nobody listens there; TIMEOUT, IO, MALFORMED, LIMIT. */
enum sluice_status sluice_remote_ask(const struct sluice_remote *remote, const char *method,
                                     const char *path, const char *body, int64_t timeout_ns,
                                     struct sluice_remote_answer *answer,
                                     struct sluice_error *error);
void sluice_remote_answer_close(struct sluice_remote_answer *answer); /* zeroed memory is fine */

/* Splits the bytes of an answer and parses its body; takes nothing. MALFORMED, TRUNCATED. */
enum sluice_status sluice_remote_parse(const char *data, size_t bytes,
                                       struct sluice_remote_answer *answer,
                                       struct sluice_error *error);

/* Members by a path of names, "last_series.state". NULL, false, 0 where there is none of that type;
 * texts live as long as the answer. */
const char *sluice_remote_text(const struct sluice_remote_answer *answer, const char *path);
bool sluice_remote_bool(const struct sluice_remote_answer *answer, const char *path);
uint64_t sluice_remote_uint(const struct sluice_remote_answer *answer, const char *path);
bool sluice_remote_has(const struct sluice_remote_answer *answer, const char *path);

#endif
