/* SPDX-License-Identifier: Apache-2.0
 *
 * Counting. Design: every counter stands on cache lines of its own and has one writer, so adding is
 * a relaxed load and a relaxed store, with no locked instruction; a reader sees a value that is
 * whole and at most one addition behind.
 *
 * An error's text is written before the row can be seen and never after [edge COUNTERS_ERROR];
 * only its numbers change. Entering takes a lock, since it is cold and many threads may do it.
 * counters_file.c makes and maps the file. */
#include "core/counters.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "core/counters_layout.h"

#define OTHER_ERRORS "other errors"

static const char *const upper_names[] = {
#define X(name, kind, unit, owner, help) #name,
#include "core/counters.def"
#undef X
};

static char lower_names[SLUICE_COUNTER_COUNT][SLUICE_COUNTERS_NAME_BYTES];

enum { KIND_COUNTER, KIND_GAUGE };

/* A text that is too long for its column in the file does not compile. */
#define X(name_, kind, unit_, owner_, help_)                                                       \
    _Static_assert(sizeof #name_ <= SLUICE_COUNTERS_NAME_BYTES, "name too long: " #name_);         \
    _Static_assert(sizeof unit_ <= SLUICE_COUNTERS_UNIT_BYTES, "unit too long: " #name_);          \
    _Static_assert(sizeof owner_ <= SLUICE_COUNTERS_OWNER_BYTES, "owner too long: " #name_);       \
    _Static_assert(sizeof help_ <= SLUICE_COUNTERS_HELP_BYTES, "help too long: " #name_);
#include "core/counters.def"
#undef X

static const struct sluice_counter_info infos[] = {
#define X(counter, kind, unit_, owner_, help_)                                                     \
    [SLUICE_COUNTER_##counter] = {.name = lower_names[SLUICE_COUNTER_##counter],                   \
                                  .is_gauge = KIND_##kind == KIND_GAUGE,                           \
                                  .unit = unit_,                                                   \
                                  .owner = owner_,                                                 \
                                  .help = help_},
#include "core/counters.def"
#undef X
};

static void make_names(void)
{
    for (size_t i = 0; i < SLUICE_COUNTER_COUNT; i++) {
        for (size_t k = 0; upper_names[i][k] != '\0'; k++)
            lower_names[i][k] = (char)tolower((unsigned char)upper_names[i][k]);
    }
}

const struct sluice_counter_info *sluice_counter_info(enum sluice_counter counter)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, make_names);
    return &infos[counter];
}

void sluice_counter_set(struct sluice_counters *counters, enum sluice_counter counter, uint64_t v)
{
    if (counters != NULL && !counters->read_only)
        sluice_store_relaxed(counters->values[counter], v);
}

void sluice_counter_add(struct sluice_counters *counters, enum sluice_counter counter, uint64_t n)
{
    if (counters != NULL)
        sluice_counter_set(counters, counter, sluice_load_relaxed(counters->values[counter]) + n);
}

void sluice_counter_add_shared(struct sluice_counters *counters, enum sluice_counter counter,
                               uint64_t n)
{
    if (counters != NULL && !counters->read_only)
        sluice_add_relaxed(counters->values[counter], n);
}

void sluice_counter_max(struct sluice_counters *counters, enum sluice_counter counter, uint64_t v)
{
    if (counters != NULL && v > sluice_load_relaxed(counters->values[counter]))
        sluice_counter_set(counters, counter, v);
}

uint64_t sluice_counter_get(const struct sluice_counters *counters, enum sluice_counter counter)
{
    return counters != NULL ? sluice_load_relaxed(counters->values[counter]) : 0;
}

static void count_error(struct sluice_counters_error_row *row, int64_t real_ns)
{
    if (sluice_load_relaxed(&row->count) == 0)
        sluice_store_relaxed(&row->first_real_ns, real_ns);
    sluice_store_relaxed(&row->last_real_ns, real_ns);
    sluice_add_relaxed(&row->count, 1u);
}

/* Enters `text` as row `index` and lets readers see it. */
static void enter_error(struct sluice_counters *counters, uint32_t index, int64_t real_ns,
                        const char *text)
{
    struct sluice_counters_error_row *row = sluice_counters_error_row(counters, index);

    snprintf(row->text, sizeof row->text, "%s", text);
    count_error(row, real_ns);
    sluice_store_release(&counters->header->errors_used, index + 1); /* [edge COUNTERS_ERROR] */
}

void sluice_counters_error(struct sluice_counters *counters, int64_t real_ns, const char *text)
{
    uint32_t used, index;

    if (counters == NULL || counters->read_only)
        return;
    pthread_mutex_lock(&counters->error_lock);
    used = sluice_load_relaxed(&counters->header->errors_used);
    for (index = 0; index < used && index < SLUICE_DISTINCT_ERRORS_MAX; index++) {
        struct sluice_counters_error_row *row = sluice_counters_error_row(counters, index);

        if (strncmp(row->text, text, sizeof row->text - 1) == 0) {
            count_error(row, real_ns);
            break;
        }
    }
    if (index == used)
        enter_error(counters, index, real_ns,
                    index < SLUICE_DISTINCT_ERRORS_MAX ? text : OTHER_ERRORS);
    else if (index == SLUICE_DISTINCT_ERRORS_MAX)
        count_error(sluice_counters_error_row(counters, index), real_ns);
    pthread_mutex_unlock(&counters->error_lock);
}

bool sluice_counters_error_get(const struct sluice_counters *counters, uint32_t index,
                               struct sluice_distinct_error *entry)
{
    const struct sluice_counters_error_row *row;
    uint32_t used;

    if (counters == NULL)
        return false;
    used = sluice_load_acquire(&counters->header->errors_used); /* [edge COUNTERS_ERROR] */
    if (index >= used || index >= counters->header->errors_max)
        return false;
    row = sluice_counters_error_row(counters, index);
    entry->count = sluice_load_relaxed(&row->count);
    entry->first_real_ns = sluice_load_relaxed(&row->first_real_ns);
    entry->last_real_ns = sluice_load_relaxed(&row->last_real_ns);
    memcpy(entry->text, row->text, sizeof entry->text);
    entry->text[sizeof entry->text - 1] = '\0';
    return true;
}

int64_t sluice_counters_pid(const struct sluice_counters *counters)
{
    return counters->header->pid;
}

int64_t sluice_counters_start_real_ns(const struct sluice_counters *counters)
{
    return counters->header->start_real_ns;
}
