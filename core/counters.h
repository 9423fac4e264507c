/* SPDX-License-Identifier: Apache-2.0
 *
 * Counters and distinct errors of one running instance, in one mapped file that any process may
 * read while it runs and after it has died. The table is counters.def.
 *
 * Each counter has one owner thread (those of the codec workers have several, see add_shared);
 * adding and setting are plain relaxed stores, wait-free. The
 * error log keeps one entry a distinct text (count, first, last), any thread, under a lock: cold.
 */
#ifndef SLUICE_CORE_COUNTERS_H
#define SLUICE_CORE_COUNTERS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"

enum sluice_counter {
#define X(name, kind, unit, owner, help) SLUICE_COUNTER_##name,
#include "core/counters.def"
#undef X
    SLUICE_COUNTER_COUNT,
};

struct sluice_counter_info {
    const char *name; /* lower case: "source_images" */
    bool is_gauge;
    const char *unit, *owner, *help;
};
const struct sluice_counter_info *sluice_counter_info(enum sluice_counter counter);

struct sluice_counters;

/* Creates (mode 0644) or takes over the file `path` (one that another live process holds is
 * refused with SLUICE_EXISTS). A NULL path gives counters in private memory, for tests. */
enum sluice_status sluice_counters_create(const char *path, struct sluice_counters **counters,
                                          struct sluice_error *error);
/* Maps the file of another process, read-only. */
enum sluice_status sluice_counters_attach(const char *path, struct sluice_counters **counters,
                                          struct sluice_error *error);
/* Unmaps; the file stays. NULL is accepted. */
void sluice_counters_destroy(struct sluice_counters *counters);

/* Owner thread only. NULL counters are accepted and do nothing. */
void sluice_counter_add(struct sluice_counters *counters, enum sluice_counter counter, uint64_t n);
void sluice_counter_set(struct sluice_counters *counters, enum sluice_counter counter, uint64_t v);
/* Sets when `v` is larger than what is there. */
void sluice_counter_max(struct sluice_counters *counters, enum sluice_counter counter, uint64_t v);
/* For the counters whose owner is "encode": several threads add, one atomic operation. */
void sluice_counter_add_shared(struct sluice_counters *counters, enum sluice_counter counter,
                               uint64_t n);
/* Any thread. */
uint64_t sluice_counter_get(const struct sluice_counters *counters, enum sluice_counter counter);

#define SLUICE_DISTINCT_ERRORS_MAX 64
struct sluice_distinct_error {
    uint64_t count;
    int64_t first_real_ns, last_real_ns;
    char text[232];
};
/* Counts the text, or enters it; the 65th distinct one is only counted as "other errors". */
void sluice_counters_error(struct sluice_counters *counters, int64_t real_ns, const char *text);
/* Copies entry `index`; false past the last. */
bool sluice_counters_error_get(const struct sluice_counters *counters, uint32_t index,
                               struct sluice_distinct_error *entry);

/* The process that made the file, and when (CLOCK_REALTIME). */
int64_t sluice_counters_pid(const struct sluice_counters *counters);
int64_t sluice_counters_start_real_ns(const struct sluice_counters *counters);

#endif
