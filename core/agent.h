/* SPDX-License-Identifier: Apache-2.0
 *
 * A thread is an agent: a name, one cycle of work that never blocks, a wait that may, and a runner
 * that is the same for all. Tests call do_work by hand, on a fake clock, without a thread. */
#ifndef SLUICE_CORE_AGENT_H
#define SLUICE_CORE_AGENT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/error.h"

#define SLUICE_AGENT_DONE (-1)

struct sluice_agent_ops {
    const char *name; /* at most 15 characters: the thread's name too */
    /* One cycle, never blocks. Returns how much it did, 0 for nothing, SLUICE_AGENT_DONE when the
     * agent has finished for good. */
    int (*do_work)(void *context);
    /* Sleeps until there may be work: until woken, or until the agent's next timer. */
    void (*wait)(void *context);
    /* Asked when a cycle found nothing; true: to ask on would not pay now, it waits at once. May be
     * NULL: never. */
    bool (*rests)(void *context);
};

struct sluice_agent_settings {
    int cpu;          /* to run on; -1: any */
    uint32_t spin_us; /* how long to go on asking before it waits, while that pays: not
                       after a pause of more than four times as long */
};

struct sluice_agent {
    struct sluice_agent_ops ops;
    void *context;
    struct sluice_agent_settings settings;
    pthread_t thread;
    bool started;
    /* For whoever asks whether it is alive: cycles that have ended, and whether it waits now. */
    _Atomic uint64_t cycles;
    _Atomic bool waiting;
    _Atomic bool done; /* its last cycle is over; any thread may read it [edge AGENT_DONE] */
};

/* Starts the thread. `context` is borrowed until join returns. */
enum sluice_status sluice_agent_start(struct sluice_agent *agent,
                                      const struct sluice_agent_ops *ops, void *context,
                                      const struct sluice_agent_settings *settings,
                                      struct sluice_error *error);
/* Returns when the agent has said that it is done. Does nothing on one that was not started. */
void sluice_agent_join(struct sluice_agent *agent);
/* Any thread: true when the agent has ended a cycle since `cycles_seen` (which is brought up to
 * date), waits for work, or is done. False: it has been in one cycle ever since. */
bool sluice_agent_advances(const struct sluice_agent *agent, uint64_t *cycles_seen);

#endif
