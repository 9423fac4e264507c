/* SPDX-License-Identifier: Apache-2.0
 *
 * Design: the message lives in the caller's struct, so that an error can be told when memory is
 * out. What is too long is cut, never lost as a whole. Invariant: message is NUL-terminated, and
 * status is SLUICE_OK exactly when nothing is set. */
#include "core/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

void sluice_error_clear(struct sluice_error *error)
{
    if (error != NULL)
        *error = (struct sluice_error){0};
}

static bool accepts(const struct sluice_error *error)
{
    return error != NULL && error->status == SLUICE_OK;
}

static void append(char *message, const char *text)
{
    size_t used = strlen(message);

    snprintf(message + used, SLUICE_ERROR_MESSAGE_BYTES - used, "%s", text);
}

enum sluice_status sluice_error_set(struct sluice_error *error, enum sluice_status status,
                                    const char *format, ...)
{
    if (accepts(error)) {
        va_list arguments;

        error->status = status;
        error->origin = SLUICE_ORIGIN_SELF;
        error->code = 0;
        va_start(arguments, format);
        vsnprintf(error->message, sizeof error->message, format, arguments);
        va_end(arguments);
    }
    return status;
}

enum sluice_status sluice_error_errno(struct sluice_error *error, enum sluice_status status,
                                      int code, const char *format, ...)
{
    if (code == ENOSPC || code == EDQUOT)
        status = SLUICE_NO_SPACE;
    if (accepts(error)) {
        char buffer[128];
        va_list arguments;

        error->status = status;
        error->origin = SLUICE_ORIGIN_ERRNO;
        error->code = code;
        va_start(arguments, format);
        vsnprintf(error->message, sizeof error->message, format, arguments);
        va_end(arguments);
        append(error->message, ": ");
        append(error->message, strerror_r(code, buffer, sizeof buffer));
    }
    return status;
}

void sluice_error_prefix(struct sluice_error *error, const char *format, ...)
{
    char old[SLUICE_ERROR_MESSAGE_BYTES];
    va_list arguments;

    if (error == NULL || error->status == SLUICE_OK)
        return;
    memcpy(old, error->message, sizeof old);
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    append(error->message, ": ");
    append(error->message, old);
}
