/* SPDX-License-Identifier: Apache-2.0
 *
 * `sluice ingest --check`: looks at what `sluice ingest` would stand on, without starting it. One
 * thread; nothing is left behind. */
#ifndef SLUICE_CLI_CHECK_H
#define SLUICE_CLI_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/checks.h"
#include "config/config.h"

/* The directories, their group, modes, file system and space (`need_bytes` in all, 0: not known),
 * the pattern of names, and the filters that readers on this machine have. */
void sluice_check_storage(struct sluice_checks *checks, const struct sluice_config *config,
                          uint64_t need_bytes);
/* All of it, printed on stdout as lines or as JSON. The exit code: 0 also with warnings, 1. */
int sluice_check_run(const struct sluice_config *config, uint64_t need_bytes, bool as_json);

#endif
