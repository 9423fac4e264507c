/* SPDX-License-Identifier: Apache-2.0
 *
 * A list of things looked at (`sluice ingest --check`, `sluice doctor`). Each is one line: ok, a
 * warning (it would run, but look at this), or failed (it would not run, or not for long). Plain
 * data, one thread; zeroed memory is an empty list. */
#ifndef SLUICE_CLI_CHECKS_H
#define SLUICE_CLI_CHECKS_H

#include <stdbool.h>
#include <stddef.h>

#define SLUICE_CHECKS_MAX 64

enum sluice_check_state { SLUICE_CHECK_OK, SLUICE_CHECK_WARNING, SLUICE_CHECK_FAILED };

struct sluice_check {
    enum sluice_check_state state;
    char name[64]; /* a key, or what it is about */
    char text[640];
};

struct sluice_checks {
    struct sluice_check items[SLUICE_CHECKS_MAX];
    size_t count;
    size_t warnings, failures;
};

void sluice_check_say(struct sluice_checks *checks, enum sluice_check_state state, const char *name,
                      const char *format, ...) __attribute__((format(printf, 4, 5)));

/* On stdout. False: it could not be written. */
bool sluice_checks_print(const struct sluice_checks *checks, bool as_json);

#endif
