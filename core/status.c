/* SPDX-License-Identifier: Apache-2.0
 *
 * Design: the texts come from the table the enum comes from, so that they cannot drift apart. */
#include "core/status.h"

#include <stddef.h>

const char *sluice_status_text(enum sluice_status status)
{
    static const char *const texts[] = {
#define X(name, text) [SLUICE_##name] = text,
#include "core/status.def"
#undef X
    };
    size_t index = (size_t)status;

    return index < sizeof texts / sizeof texts[0] ? texts[index] : "unknown status";
}
