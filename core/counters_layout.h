/* SPDX-License-Identifier: Apache-2.0
 *
 * The layout of the counters file, version 1; for counters*.c, and as documentation for programs
 * of other people. All numbers are in the byte order of the machine.
 *
 *   0              header  struct sluice_counters_header: where the rest is, how large, how many
 *   table_offset   table   counter_count entries of table_stride bytes: name, unit, owner, help,
 *                          kind; texts end with NUL
 *   values_offset  values  counter i: a u64 at values_offset + i * values_stride
 *   errors_offset  errors  entry i at errors_offset + i * errors_stride, of which the first
 *                          errors_used are filled; the last of errors_max is "other errors"
 *
 * A reader checks magic and version, takes every offset and stride from the header and finds a
 * counter by its name: tables may grow. It may read at any moment: values and the numbers of an
 * error change under its eyes, each as a whole; everything else never changes once it can be seen.
 * The file is complete before it gets its name. The process that owns it holds flock(LOCK_EX). */
#ifndef SLUICE_CORE_COUNTERS_LAYOUT_H
#define SLUICE_CORE_COUNTERS_LAYOUT_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "core/atomics.h"
#include "core/counters.h"
#include "core/meters.h"

#define SLUICE_COUNTERS_MAGIC   "SLUICECT"
#define SLUICE_COUNTERS_VERSION 1u

/* The columns of the table, each with its closing NUL. */
#define SLUICE_COUNTERS_NAME_BYTES  40
#define SLUICE_COUNTERS_UNIT_BYTES  16
#define SLUICE_COUNTERS_OWNER_BYTES 16
#define SLUICE_COUNTERS_HELP_BYTES  120

struct sluice_counters_header {
    char magic[8]; /* without NUL */
    uint32_t version;
    uint32_t counter_count;
    int64_t pid;
    int64_t start_real_ns;
    uint32_t table_offset, table_stride;
    uint32_t values_offset, values_stride;
    uint32_t errors_offset, errors_stride;
    uint32_t errors_max;
    _Atomic uint32_t errors_used; /* [edge COUNTERS_ERROR] */
};

struct sluice_counters_row {
    char name[SLUICE_COUNTERS_NAME_BYTES], unit[SLUICE_COUNTERS_UNIT_BYTES];
    char owner[SLUICE_COUNTERS_OWNER_BYTES], help[SLUICE_COUNTERS_HELP_BYTES];
    uint32_t kind; /* 0 counter, 1 gauge */
};

struct sluice_counters_value {
    _Alignas(SLUICE_CACHE_LINE) _Atomic uint64_t value;
};

struct sluice_counters_error_row {
    _Atomic uint64_t count;
    _Atomic int64_t first_real_ns, last_real_ns;
    char text[232];
};

#define SLUICE_COUNTERS_ERROR_ROWS (SLUICE_DISTINCT_ERRORS_MAX + 1)

struct sluice_counters_image {
    struct sluice_counters_header header;
    struct sluice_counters_row table[SLUICE_COUNTER_COUNT];
    struct sluice_counters_value values[SLUICE_COUNTER_COUNT];
    struct sluice_counters_error_row errors[SLUICE_COUNTERS_ERROR_ROWS];
};

/* Other programs read these without any lock of ours. */
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_INT_LOCK_FREE == 2, "lock-free atomics");
_Static_assert(sizeof(_Atomic uint64_t) == 8 && sizeof(_Atomic uint32_t) == 4, "plain words");
_Static_assert(sizeof(struct sluice_counters_header) == 64, "layout version 1");
_Static_assert(sizeof(struct sluice_counters_row) == 196, "layout version 1");
_Static_assert(sizeof(struct sluice_counters_value) == SLUICE_CACHE_LINE, "one line a counter");
_Static_assert(offsetof(struct sluice_counters_image, values) % SLUICE_CACHE_LINE == 0,
               "one line a counter");
_Static_assert(sizeof(struct sluice_counters_error_row) == 256, "layout version 1");

struct sluice_counters {
    /* Hot first: where counter i lives. An attached file of another version may have another order;
     * a counter that it lacks points to `absent`. */
    _Atomic uint64_t *values[SLUICE_COUNTER_COUNT];
    _Atomic uint64_t absent;
    struct sluice_counters_header *header;
    uint8_t *map; /* the header's own address */
    size_t map_bytes;
    int fd; /* holds the lock of the owner; -1: private memory, or attached */
    bool read_only;
    pthread_mutex_t error_lock; /* between the threads that enter an error */
    struct sluice_meter_cells meters[SLUICE_METER_COUNT]; /* this process' own */
};

/* The error rows of the file, wherever its header puts them. */
static inline struct sluice_counters_error_row *
sluice_counters_error_row(const struct sluice_counters *counters, uint32_t index)
{
    const struct sluice_counters_header *header = counters->header;

    return (struct sluice_counters_error_row *)(counters->map + header->errors_offset +
                                                (size_t)index * header->errors_stride);
}

#endif
