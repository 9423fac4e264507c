/* SPDX-License-Identifier: Apache-2.0
 *
 * The armed state of the writer: what somebody wants of the next series, decided here because name,
 * directory and space are the writer's. One arm at a time; it goes to the next series that opens,
 * or a stop takes it back.
 *
 *   ARM --accepted--> armed --OPEN--> the series' own, freed with it
 *    `--refused        `--STOPPED--> freed
 *
 * Writer thread only. Every answer is an event (ARM); the pointers of `sink` are borrowed. */
#ifndef SLUICE_WRITER_ARM_H
#define SLUICE_WRITER_ARM_H

#include "core/arm.h"
#include "writer/sink/series.h"

struct sluice_arming {
    struct sluice_arm *arm;  /* owned; NULL: not armed */
    uint64_t drops_accepted; /* how many dropped and failed images somebody knows of */
    /* what an image of the last series took on the disk, for one of the same kind */
    uint32_t last_width, last_height;
    uint64_t last_image_bytes;
};

/* Decides on `arm` (taken) and answers. `series`: the open one, or NULL. */
void sluice_arming_decide(struct sluice_arming *arming, const struct sluice_sink *sink,
                          struct sluice_arm *arm, const struct sluice_open_series *series);
/* The arm for the series that opens now (passes over), or NULL. */
struct sluice_arm *sluice_arming_take(struct sluice_arming *arming, const struct sluice_sink *sink);
/* Before a series closes: what its images took. */
void sluice_arming_note(struct sluice_arming *arming, const struct sluice_open_series *series);
/* All that was asked to stop has stopped: disarms, and says so (STOPPED). */
void sluice_arming_stopped(struct sluice_arming *arming, const struct sluice_sink *sink,
                           uint64_t number);
/* Frees what is armed. */
void sluice_arming_close(struct sluice_arming *arming);

/* What is known of an open series now, from malloc; NULL when memory is out. */
struct sluice_series_facts *sluice_series_facts(const struct sluice_open_series *series);

#endif
