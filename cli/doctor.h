/* SPDX-License-Identifier: Apache-2.0
 *
 * `sluice doctor`: what of the machine's settings costs rate or latency, and what the machine
 * itself takes (its floors). Everything found becomes a line of the list; a setting that costs is a
 * warning that says what to do. One thread; blocks; what is measured on a disk is removed again. */
#ifndef SLUICE_CLI_DOCTOR_H
#define SLUICE_CLI_DOCTOR_H

#include <signal.h>

#include "cli/checks.h"
#include "config/config.h"

struct sluice_doctor {
    const struct sluice_config *config;
    const char *root; /* /proc and /sys are read below it; "" is this machine */
    bool quick;       /* short measurements: a smoke test */
    const volatile sig_atomic_t *stop;
    struct sluice_checks *checks;
};

/* Processors, memory, network and kernel, from /proc and /sys. Measures nothing. */
void sluice_doctor_machine(const struct sluice_doctor *doctor);
/* The file systems and disks below the writer's directories. Measures nothing. */
void sluice_doctor_storage(const struct sluice_doctor *doctor);
/* Memory, codec, receiving on the loopback, each directory's disk. About 3 s, and 3 s a directory.
 */
void sluice_doctor_floors(const struct sluice_doctor *doctor);

/* The first line of a file below the root, without its end; false when there is none. */
bool sluice_doctor_read(const struct sluice_doctor *doctor, const char *path, char *text,
                        size_t bytes);

#endif
