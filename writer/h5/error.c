/* SPDX-License-Identifier: Apache-2.0
 *
 * HDF5's error stack as one line for a person. The innermost entry says what really happened; its
 * drivers write the errno into the description ("errno = 28, error message = '…'"), which is the
 * only way to learn that a disk is full: it may stand in any entry, so all are looked at. */
#include "writer/h5/h5.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct stack_summary {
    char what[160];    /* the innermost description, one line */
    char function[64]; /* of HDF5, where it happened */
    int code;          /* 0: no entry names an errno */
};

static int errno_in(const char *description)
{
    static const char key[] = "errno = ";
    const char *found = strstr(description, key);
    return found == NULL ? 0 : (int)strtol(found + sizeof key - 1, NULL, 10);
}

/* Only the first line of a description: drivers put a date and file positions after it. */
static void copy_line(char *to, size_t bytes, const char *from)
{
    size_t length = strcspn(from, "\n");
    snprintf(to, bytes, "%.*s", (int)(length < bytes ? length : bytes - 1), from);
}

static herr_t look_at(unsigned index, const H5E_error2_t *entry, void *context)
{
    struct stack_summary *summary = context;
    const char *description = entry->desc != NULL ? entry->desc : "";
    if (index == 0) {
        copy_line(summary->what, sizeof summary->what, description);
        copy_line(summary->function, sizeof summary->function,
                  entry->func_name != NULL ? entry->func_name : "?");
    }
    if (summary->code == 0)
        summary->code = errno_in(description);
    return 0;
}

enum sluice_status sluice_h5_error(struct sluice_error *error, enum sluice_status status,
                                   const char *format, ...)
{
    struct stack_summary summary = {.code = 0};
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, look_at, &summary);
    H5Eclear2(H5E_DEFAULT);
    if (summary.code == ENOSPC || summary.code == EDQUOT)
        status = SLUICE_NO_SPACE;

    char what[SLUICE_ERROR_MESSAGE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    if (error == NULL || error->status != SLUICE_OK)
        return status; /* the first error wins */
    if (summary.code != 0)
        sluice_error_set(error, status, "%s: %s (HDF5, %s)", what, strerror(summary.code),
                         summary.function);
    else if (summary.what[0] != '\0')
        sluice_error_set(error, status, "%s: %s (HDF5, %s)", what, summary.what, summary.function);
    else
        sluice_error_set(error, status, "%s", what);
    error->origin = SLUICE_ORIGIN_HDF5;
    error->code = summary.code;
    return status;
}
