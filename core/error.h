/* SPDX-License-Identifier: Apache-2.0
 *
 * What went wrong, for a person: status, where the code came from (errno, libzmq, HDF5), a bounded
 * message that says what, where and what to do. Plain data, owned by the caller, no allocation.
 * The first error wins: setting one that is already set keeps the old message.
 * A NULL error is accepted everywhere and means that the caller only wants the status. */
#ifndef SLUICE_CORE_ERROR_H
#define SLUICE_CORE_ERROR_H

#include "core/status.h"

#define SLUICE_ERROR_MESSAGE_BYTES 512

enum sluice_error_origin {
    SLUICE_ORIGIN_SELF,
    SLUICE_ORIGIN_ERRNO,
    SLUICE_ORIGIN_ZMQ,
    SLUICE_ORIGIN_HDF5,
};

struct sluice_error {
    enum sluice_status status; /* SLUICE_OK: nothing set; zeroed memory is acceptable */
    enum sluice_error_origin origin;
    int code; /* errno of the origin, 0 where it has none */
    char message[SLUICE_ERROR_MESSAGE_BYTES];
};

void sluice_error_clear(struct sluice_error *error);

/* Each returns `status`, so that `return sluice_error_set(...)` reads well. */
enum sluice_status sluice_error_set(struct sluice_error *error, enum sluice_status status,
                                    const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Appends ": <strerror(code)>". ENOSPC and EDQUOT become SLUICE_NO_SPACE, whatever `status` is. */
enum sluice_status sluice_error_errno(struct sluice_error *error, enum sluice_status status,
                                      int code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Puts "<text>: " before the message, to say where it happened. */
void sluice_error_prefix(struct sluice_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
