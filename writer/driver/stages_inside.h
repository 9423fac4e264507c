/* SPDX-License-Identifier: Apache-2.0
 *
 * The inside of the stages, shared by stages.c (buffers, requests, what becomes of them) and
 * loans.c (pieces of memory that is lent or borrowed). Not for others. */
#ifndef SLUICE_WRITER_DRIVER_STAGES_INSIDE_H
#define SLUICE_WRITER_DRIVER_STAGES_INSIDE_H

#include "writer/driver/stages.h"

/* Takes what is written; `wait` for at least one. */
void sluice_stages_reap(struct sluice_stages *stages, bool wait);
/* What comes next does not go on where the target's piece ends. */
void sluice_stages_end_piece(struct sluice_stages *stages, struct sluice_target *target);

#endif
