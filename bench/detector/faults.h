/* SPDX-License-Identifier: Apache-2.0
 *
 * What can go wrong with a detector's stream, as a user asks for it: KIND or KIND=VALUE. The table
 * in faults.c lists every kind with its form and its help. Cold; one thread. */
#ifndef SLUICE_BENCH_DETECTOR_FAULTS_H
#define SLUICE_BENCH_DETECTOR_FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

enum sluice_fault_kind {
    SLUICE_FAULT_LOST,
    SLUICE_FAULT_DOUBLED,
    SLUICE_FAULT_LATE,
    SLUICE_FAULT_REVERSED,
    SLUICE_FAULT_REORDER,
    SLUICE_FAULT_NOEND,
    SLUICE_FAULT_NOSTART,
    SLUICE_FAULT_START_LATE,
    SLUICE_FAULT_FOREIGN,
    SLUICE_FAULT_EARLY,
    SLUICE_FAULT_RESTART,
    SLUICE_FAULT_NEWSTART,
    SLUICE_FAULT_NUMBER,
    SLUICE_FAULT_CORRUPT,
    SLUICE_FAULT_TRUNCATED,
    SLUICE_FAULT_WRONGSIZE,
    SLUICE_FAULT_RANDOM,
    SLUICE_FAULT_STALL,
    SLUICE_FAULT_SECOND_CLIENT,
    /* New kinds come last: the number of a kind goes into its chance. */
    SLUICE_FAULT_ABORT,
    SLUICE_FAULT_WRONGTYPE,
    SLUICE_FAULT_RESHAPE,
    SLUICE_FAULT_RETYPE,
    SLUICE_FAULT_KIND_COUNT,
};

enum sluice_fault_form {
    SLUICE_FAULT_FLAG,   /* no value */
    SLUICE_FAULT_VALUE,  /* one number */
    SLUICE_FAULT_IDS,    /* image ids: 3,7,10-20 or a share of all: 5% */
    SLUICE_FAULT_PAIRS,  /* ids or a share, each with a number: 5:3,10-20:7,1%:4 */
    SLUICE_FAULT_PARITY, /* even or odd */
};

/* In which protocol a series is sent. */
enum sluice_wire_protocol {
    SLUICE_WIRE_STREAM2,
    SLUICE_WIRE_STREAM1,
    SLUICE_WIRE_ARRAY, /* array-1.0 */
    SLUICE_WIRE_PROTOCOL_COUNT,
};

struct sluice_fault_info {
    const char *name, *value, *help;
    enum sluice_fault_form form;
    uint32_t protocols; /* in which it can happen: 1 << enum sluice_wire_protocol */
};
const struct sluice_fault_info *sluice_fault_info(enum sluice_fault_kind kind);

/* One entry of a list. */
struct sluice_fault {
    enum sluice_fault_kind kind;
    uint64_t first, last; /* ids, both belong to it */
    double share;         /* 0 to 1; when not 0, so many of all ids instead */
    uint64_t argument;    /* the number, or the parity */
};

/* Zeroed memory is an empty list; close frees it. */
struct sluice_faults {
    struct sluice_fault *items;
    size_t count;
};

/* Adds what "KIND=VALUE" says. USAGE (with the reason) or NO_MEMORY. */
enum sluice_status sluice_faults_add(struct sluice_faults *faults, const char *text,
                                     struct sluice_error *error);
/* USAGE when an id is not among so many images, or the protocol knows no such thing. */
enum sluice_status sluice_faults_check(const struct sluice_faults *faults, uint64_t image_count,
                                       enum sluice_wire_protocol protocol,
                                       struct sluice_error *error);
void sluice_faults_close(struct sluice_faults *faults);
/* The first entry of a kind; NULL: none was asked for. */
const struct sluice_fault *sluice_faults_get(const struct sluice_faults *faults,
                                             enum sluice_fault_kind kind);

#endif
