/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory that is there before it is needed: large regions in huge pages where the system gives
 * them, faulted in, and the process's settings for all memory (locked, on one NUMA node).
 *
 * A region is mapped once, at the start or when a series opens, never on the path of a frame; it
 * is zero, aligned to 4 KiB at least (2 MiB from 2 MiB up) and every page of it is resident when
 * map returns, so that using it takes no page fault.
 *
 * Ownership: the caller's, until unmap. Threads: configure once, before any other thread is made
 * (NUMA policies are inherited); the rest from any thread. All of it is cold. */
#ifndef SLUICE_CORE_MEMORY_H
#define SLUICE_CORE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/error.h"

#define SLUICE_SMALL_PAGE_BYTES ((size_t)4096)
#define SLUICE_HUGE_PAGE_BYTES  ((size_t)2 << 20)

enum sluice_huge_pages {
    SLUICE_HUGE_AUTO,     /* transparent ones for regions from 2 MiB up, where the system may */
    SLUICE_HUGE_RESERVED, /* from the reserved pool (vm.nr_hugepages), else as AUTO */
    SLUICE_HUGE_OFF,
};

struct sluice_memory_settings {
    enum sluice_huge_pages huge_pages;
    bool lock;     /* nothing of the process is ever paged out */
    int numa_node; /* where memory is taken from while there is some; -1: any */
    /* malloc's heap, where libzmq puts what it receives. Kept: one for all threads, nothing of it
     * is mapped or given back once it has grown. */
    bool heap_kept;
    uint64_t ready_bytes; /* kept: faulted in at once, in huge pages; the rest when it is needed */
};

/* For the whole process, once; before it regions are mapped as with AUTO. CONFIG with what to raise
 * when memory cannot be locked or the node does not exist. */
enum sluice_status sluice_memory_configure(const struct sluice_memory_settings *settings,
                                           struct sluice_error *error);

struct sluice_region {
    void *data;   /* NULL: none; zeroed memory is acceptable to unmap */
    size_t bytes; /* asked for; up to the next whole page may be used */
    size_t mapped_bytes;
};

/* Private memory of this process. NO_MEMORY with the size. */
enum sluice_status sluice_region_map(struct sluice_region *region, size_t bytes,
                                     struct sluice_error *error);
/* The same, but pages come when they are touched first: for what may never be used. */
enum sluice_status sluice_region_map_later(struct sluice_region *region, size_t bytes,
                                           struct sluice_error *error);
void sluice_region_unmap(struct sluice_region *region);

/* The same for memory that is there already (from malloc, or mapped and shared): asks for huge
 * pages for the whole ones within it, and faults in every page, keeping what is in it. NO_MEMORY
 * when the system has not so much: then some pages are not there yet, and nothing else is wrong. */
enum sluice_status sluice_memory_prepare(void *data, size_t bytes);

/* Page faults of the process so far: minor ones found the page in memory or a new one, major ones
 * waited for a disk. */
struct sluice_page_faults {
    uint64_t minor, major;
};
struct sluice_page_faults sluice_page_faults(void);

/* What the process has in memory now, of that in huge pages (transparent and reserved), and
 * locked. Reads /proc; zeros where that is not to be had. */
struct sluice_memory_use {
    uint64_t resident_bytes, huge_bytes, locked_bytes;
};
struct sluice_memory_use sluice_memory_use(void);

/* What /sys says of transparent huge pages: "always", "madvise", "never"; "" when it has none. */
void sluice_memory_transparent(char *word, size_t bytes);

#endif
