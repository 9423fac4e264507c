/* SPDX-License-Identifier: Apache-2.0
 *
 * What the figures were measured on, as JSON and in a line of text. */
#ifndef SLUICE_BENCH_PIPELINE_MACHINE_H
#define SLUICE_BENCH_PIPELINE_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/json.h"

struct sluice_machine {
    char cpu[128];
    char kernel[160];
    long cores;
    uint64_t memory_bytes;
    uint64_t dirty_ratio, dirty_background_ratio; /* percent; 0 when set in bytes */
    uint64_t dirty_bytes, dirty_background_bytes; /* 0 when set in percent */
};

void sluice_machine_look(struct sluice_machine *machine);
/* One object. */
void sluice_machine_json(const struct sluice_machine *machine, struct sluice_json *json);

/* The type of the file system that a directory is on, such as "ext4"; "unknown" when the system
 * does not say. */
void sluice_machine_file_system(const char *directory, char *type, size_t bytes);

/* True for a file system in memory (tmpfs, ramfs), by the name that file_system gave. */
bool sluice_machine_is_memory(const char *type);

/* Bytes that files there may take: free space, and not more than the memory that is available. */
uint64_t sluice_machine_memory_room(const char *directory);

#endif
