/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory that ends (or begins) at a page that nobody may touch: a kernel that reads or writes one
 * byte too far dies, with or without a sanitizer. Linux; one thread; give it back with
 * guarded_free. */
#ifndef SLUICE_TESTS_UNIT_CORE_GUARDED_H
#define SLUICE_TESTS_UNIT_CORE_GUARDED_H

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct guarded {
    uint8_t *mapping;
    size_t mapped;
    uint8_t *begin; /* of `bytes`, right behind a guard page */
    uint8_t *end;   /* the same many bytes before this lie right before another one */
};

static inline struct guarded guarded_make(size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), inner = (bytes + page) / page * page;
    struct guarded guarded = {.mapped = inner + 2 * page};

    guarded.mapping = mmap(NULL, guarded.mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (guarded.mapping == MAP_FAILED ||
        mprotect(guarded.mapping + page, inner, PROT_READ | PROT_WRITE) != 0)
        abort();
    guarded.begin = guarded.mapping + page;
    guarded.end = guarded.begin + inner;
    return guarded;
}

static inline void guarded_free(struct guarded *guarded)
{
    munmap(guarded->mapping, guarded->mapped);
}

#endif
