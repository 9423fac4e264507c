/* SPDX-License-Identifier: Apache-2.0
 *
 * The one list of results. Hot functions return a status and format nothing; cold ones also fill a
 * struct sluice_error (error.h). */
#ifndef SLUICE_CORE_STATUS_H
#define SLUICE_CORE_STATUS_H

enum sluice_status {
#define X(name, text) SLUICE_##name,
#include "core/status.def"
#undef X
};

/* A static text, never NULL. */
const char *sluice_status_text(enum sluice_status status);

#endif
