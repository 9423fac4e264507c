/* SPDX-License-Identifier: Apache-2.0
 *
 * Two rings and the thread at their other end: what every loop over a ring stands on, here and in
 * bench/micro. The same text over two kinds of rings, so that neither pays for an indirect call.
 * The including file defines before:
 *
 *   struct ring                                    one ring of RING_CAPACITY places or one less
 *   bool ring_open(struct ring *), void ring_close(struct ring *)
 *   bool ring_push(struct ring *, uint32_t), bool ring_pop(struct ring *, uint32_t *)   inline */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "core/atomics.h"
#include "core/clock.h"

/* Spins, but lets the other thread run where it has no processor of its own. */
static inline void spin(void)
{
    static _Thread_local uint32_t spins;
    sluice_pause();
    if (++spins % 4096 == 0) {
        sched_yield();
    }
}

/* What two threads share; each ring on lines of its own. */
struct ring_pair {
    struct ring there, back;
    _Alignas(SLUICE_CACHE_LINE) _Atomic uint32_t stop; /* [edge STOP]: ends the other thread */
};

static struct ring_pair *pair_create(void)
{
    size_t bytes =
        (sizeof(struct ring_pair) + SLUICE_CACHE_LINE - 1) / SLUICE_CACHE_LINE * SLUICE_CACHE_LINE;
    struct ring_pair *pair = aligned_alloc(SLUICE_CACHE_LINE, bytes);
    if (pair == NULL) {
        return NULL;
    }
    memset(pair, 0, bytes);
    if (!ring_open(&pair->there)) {
        free(pair);
        return NULL;
    }
    if (!ring_open(&pair->back)) {
        ring_close(&pair->there);
        free(pair);
        return NULL;
    }
    return pair;
}

static void pair_destroy(struct ring_pair *pair)
{
    ring_close(&pair->there);
    ring_close(&pair->back);
    free(pair);
}

static void *push_until_stop(void *context)
{
    struct ring_pair *pair = context;
    uint32_t next = 0;
    while (!sluice_load_relaxed(&pair->stop)) {
        if (ring_push(&pair->there, next)) {
            next++;
        } else {
            spin();
        }
    }
    return NULL;
}
