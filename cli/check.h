/* SPDX-License-Identifier: Apache-2.0
 *
 * `sluice ingest --check`: looks at what `sluice ingest` would stand on, without starting it. Each
 * thing looked at becomes one line: ok, a warning (it would run, but look at this), or failed (it
 * would not run, or not for long). One thread; nothing is left behind. */
#ifndef SLUICE_CLI_CHECK_H
#define SLUICE_CLI_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"

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

/* The directories, their group, modes, file system and space (`need_bytes` in all, 0: not known),
 * the pattern of names, and the filters that readers on this machine have. */
void sluice_check_storage(struct sluice_checks *checks, const struct sluice_config *config,
                          uint64_t need_bytes);
/* All of it, printed on stdout as lines or as JSON. The exit code: 0 also with warnings, 1. */
int sluice_check_run(const struct sluice_config *config, uint64_t need_bytes, bool as_json);

#endif
