/* SPDX-License-Identifier: Apache-2.0
 *
 * A payload is its sequence number and seven words derived from it, so any mixture of two shows. */
#include "tests/stress/stress.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WATCHDOG_S 120
#define WORDS      (sizeof((struct stress_slot *)0)->words / sizeof(uint64_t))

uint64_t stress_seed;
uint64_t stress_scale = 1;

bool stress_begin(int argc, char **argv)
{
    const char *text = getenv("SLUICE_SEED");
    stress_seed = text != NULL ? strtoull(text, NULL, 0) : (uint64_t)time(NULL);
    if (argc > 1) {
        stress_scale = strtoull(argv[1], NULL, 10);
    }
    if (argc > 2 || stress_scale == 0) {
        fprintf(stderr, "usage: %s [TIMES]\n", argv[0]);
        return false;
    }
    printf("SLUICE_SEED=%llu\n", (unsigned long long)stress_seed);
    return true;
}

uint64_t stress_mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

void stress_pause(struct stress_self *self)
{
    uint64_t z = stress_mix(self->random += UINT64_C(0x9e3779b97f4a7c15));
    if (self->pause_every == 0 || z % self->pause_every != 0) {
        return;
    }
    if (z & (UINT64_C(1) << 40)) {
        sched_yield();
    } else {
        nanosleep(&(struct timespec){.tv_nsec = (long)(z >> 48)}, NULL);
    }
}

void stress_start(pthread_t *thread, void *(*run)(void *), void *context)
{
    STRESS_CHECK(pthread_create(thread, NULL, run, context) == 0, "no thread to be had");
}

void stress_join(pthread_t thread, const char *name)
{
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += (time_t)(WATCHDOG_S * stress_scale);
    STRESS_CHECK(pthread_timedjoin_np(thread, NULL, &deadline) == 0,
                 "%s still waits after %llu s: a wake-up was lost", name,
                 (unsigned long long)(WATCHDOG_S * stress_scale));
}

void stress_fill(struct stress_slot *slot, uint64_t sequence)
{
    slot->words[0] = sequence;
    for (uint64_t i = 1; i < WORDS; i++) {
        slot->words[i] = stress_mix(sequence * WORDS + i);
    }
}

void stress_check_and_spoil(struct stress_slot *slot, uint64_t sequence)
{
    STRESS_CHECK(slot->words[0] == sequence, "came %llu, expected %llu",
                 (unsigned long long)slot->words[0], (unsigned long long)sequence);
    for (uint64_t i = 1; i < WORDS; i++) {
        STRESS_CHECK(slot->words[i] == stress_mix(sequence * WORDS + i),
                     "torn payload in image %llu", (unsigned long long)sequence);
    }
    memset(slot, 0xee, sizeof *slot);
}

uint32_t stress_pop_or_sleep(struct sluice_spsc *ring, struct sluice_wake *wake,
                             struct stress_self *self)
{
    uint32_t slot;
    while (sluice_spsc_pop(ring, &slot) != SLUICE_OK) {
        uint32_t prepared = sluice_wake_prepare(wake);
        if (sluice_spsc_pop(ring, &slot) == SLUICE_OK) {
            sluice_wake_cancel(wake);
            break;
        }
        self->sleeps++;
        sluice_wake_wait(wake, prepared, -1);
    }
    return slot;
}

void stress_push_and_signal(struct sluice_spsc *ring, struct sluice_wake *wake, uint32_t slot)
{
    STRESS_CHECK(sluice_spsc_push(ring, slot) == SLUICE_OK, "a ring that holds every slot is full");
    sluice_wake_signal(wake);
}
