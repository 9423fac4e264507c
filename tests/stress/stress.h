/* SPDX-License-Identifier: Apache-2.0
 *
 * What the stress tests of the ring share: slots with a payload that shows when it is torn, pauses,
 * a watchdog, and the two ends of an event count as the agents use them.
 *
 * Slots go round (a second ring brings them back), so both sides run dry and sleep for ever; a lost
 * wake-up then stops the round, and the watchdog in main says so. Consumers spoil a payload before
 * they give its slot back: whoever reads too late sees that. Payloads are plain memory: under
 * ThreadSanitizer a missing edge is a reported race. */
#ifndef SLUICE_TESTS_STRESS_STRESS_H
#define SLUICE_TESTS_STRESS_STRESS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "ingest/ring/spsc.h"
#include "ingest/ring/wake.h"

extern uint64_t stress_seed;  /* of the pauses, not of the schedule */
extern uint64_t stress_scale; /* multiplies every count */

/* Reads SLUICE_SEED and the optional argument TIMES, prints the seed. False: wrong usage, said. */
bool stress_begin(int argc, char **argv);

/* A failure in a thread of ours ends the program: cmocka's asserts work in main only. */
#define STRESS_CHECK(condition, ...)                                                               \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #condition);                        \
            fprintf(stderr, __VA_ARGS__);                                                          \
            fprintf(stderr, "\n");                                                                 \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

/* One thread's own state. */
struct stress_self {
    uint64_t random;
    uint32_t pause_every; /* one in so many; 0: never */
    uint64_t sleeps;      /* how often it slept */
};

uint64_t stress_mix(uint64_t z);
/* Now and then gives the processor away, so that the other side overtakes or runs dry. */
void stress_pause(struct stress_self *self);

void stress_start(pthread_t *thread, void *(*run)(void *), void *context);
/* Ends the program when the thread does not end in time. */
void stress_join(pthread_t thread, const char *name);

struct stress_slot {
    uint64_t words[8];
};
void stress_fill(struct stress_slot *slot, uint64_t sequence);
void stress_check_and_spoil(struct stress_slot *slot, uint64_t sequence);

uint32_t stress_pop_or_sleep(struct sluice_spsc *ring, struct sluice_wake *wake,
                             struct stress_self *self);
void stress_push_and_signal(struct sluice_spsc *ring, struct sluice_wake *wake, uint32_t slot);

#endif
