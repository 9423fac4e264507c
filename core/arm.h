/* SPDX-License-Identifier: Apache-2.0
 *
 * What somebody outside wants of the next series: its name, directory, number of images and an id
 * of their own. Made by who takes the request, passed on by the source in the order of the stream,
 * decided by the writer while nothing is open, freed there with the series or by a stop.
 *
 * One thread at a time; texts are NUL-terminated and bounded. */
#ifndef SLUICE_CORE_ARM_H
#define SLUICE_CORE_ARM_H

#include "core/frame.h"

#define SLUICE_ARM_NAME_BYTES      160
#define SLUICE_ARM_DIRECTORY_BYTES 1024
#define SLUICE_ARM_ID_BYTES        256

enum sluice_arm_verdict {
    SLUICE_ARM_ACCEPTED,
    SLUICE_ARM_BAD_NAME, /* name or directory cannot be used */
    SLUICE_ARM_BUSY,     /* a series is open, or it is armed already, or the program ends */
    SLUICE_ARM_EXISTS,   /* files of that name are there */
    SLUICE_ARM_NO_SPACE,
    SLUICE_ARM_DROPS, /* images were dropped or failed, and nobody has accepted that yet */
    SLUICE_ARM_FAULT, /* the system refused */
};
/* "accepted", "bad_name", "busy", "exists", "no_space", "drops_unexplained", "fault" */
const char *sluice_arm_verdict_name(enum sluice_arm_verdict verdict);

struct sluice_arm {
    uint64_t number;                            /* of the request: comes back with the answer */
    char name[SLUICE_ARM_NAME_BYTES];           /* of the files; "": writer.name */
    char directory[SLUICE_ARM_DIRECTORY_BYTES]; /* below the first writer.directory */
    char acquisition_id[SLUICE_ARM_ID_BYTES];
    uint64_t images;        /* 0: not said */
    uint32_t width, height; /* 0: not said */
    bool has_dtype;
    enum sluice_dtype dtype;
    bool accept_drops;
    bool series_open; /* set by the source: a series is open there */
};

#endif
