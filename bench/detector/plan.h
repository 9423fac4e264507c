/* SPDX-License-Identifier: Apache-2.0
 *
 * What is sent of one series, step by step, faults and all. Made before the series starts; depends
 * on the settings and the seed only. The plan owns its steps until close. One thread. */
#ifndef SLUICE_BENCH_DETECTOR_PLAN_H
#define SLUICE_BENCH_DETECTOR_PLAN_H

#include "bench/detector/faults.h"

enum sluice_step_kind {
    SLUICE_STEP_START,
    SLUICE_STEP_IMAGE,
    SLUICE_STEP_FOREIGN, /* an image of another series, with this id */
    SLUICE_STEP_EARLY,   /* an image of the series before, with this id */
    SLUICE_STEP_END,
    SLUICE_STEP_SKIP,  /* an image that is not sent */
    SLUICE_STEP_STALL, /* `argument` ms of silence */
};

#define SLUICE_STEP_NO_FAULT SLUICE_FAULT_KIND_COUNT

/* Flags. */
#define SLUICE_STEP_SLOT     1u /* takes a place in the schedule of a paced run */
#define SLUICE_STEP_DISTINCT 2u /* the first good copy of its id */
#define SLUICE_STEP_LATE     4u
#define SLUICE_STEP_RESHAPED 8u  /* a good image of the other shape */
#define SLUICE_STEP_RETYPED  16u /* and of the other type */

struct sluice_step {
    uint64_t id;
    uint32_t argument;
    uint8_t kind;  /* enum sluice_step_kind */
    uint8_t fault; /* enum sluice_fault_kind that made or spoils it, or SLUICE_STEP_NO_FAULT */
    uint8_t flags;
};

struct sluice_plan {
    struct sluice_step *steps;
    size_t count, capacity;
};

struct sluice_plan_settings {
    const struct sluice_faults *faults;
    enum sluice_wire_protocol protocol;
    uint64_t image_count;
    uint64_t seed;
    uint32_t series_index; /* counts the series of this run, from 0 */
};

/* USAGE when an id is not among the images, NO_MEMORY. `plan` is zeroed or closed before. */
enum sluice_status sluice_plan_make(struct sluice_plan *plan,
                                    const struct sluice_plan_settings *settings,
                                    struct sluice_error *error);
void sluice_plan_close(struct sluice_plan *plan);

#endif
