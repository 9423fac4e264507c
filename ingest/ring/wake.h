/* SPDX-License-Identifier: Apache-2.0
 *
 * Lets one consumer sleep until a producer has something for it, at the price of one atomic
 * read-modify-write a push and no system call while the consumer is awake (an event count).
 *
 * One word: bit 0 says that the consumer sleeps or is about to; the upper bits count signals.
 *
 *   consumer                                   producer
 *   ask the rings: empty                       push to a ring
 *   w = prepare(): set bit 0     [edge SLEEP]  signal(): old = word += 2       [edge SIGNAL]
 *   ask the rings once more                    if (old & 1) clear bit 0, futex wake
 *   empty: wait(w): futex wait while word == w
 *   not empty: cancel()
 *
 * Both sides' operations are read-modify-writes of one word, so one comes first. If the signal
 * does, the consumer's second look sees the push (SIGNAL releases, SLEEP acquires). If the sleep
 * does, the producer sees bit 0 and wakes; the futex compares the word, so a wake-up between the
 * second look and the wait is not lost. Any number of producers. */
#ifndef SLUICE_INGEST_RING_WAKE_H
#define SLUICE_INGEST_RING_WAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/atomics.h"

struct sluice_wake {
    _Alignas(SLUICE_CACHE_LINE) _Atomic uint32_t word; /* zeroed memory is acceptable */
};

/* Any thread; wait-free, one system call only when the consumer sleeps. */
void sluice_wake_signal(struct sluice_wake *wake);

/* Consumer only. */
uint32_t sluice_wake_prepare(struct sluice_wake *wake);
void sluice_wake_cancel(struct sluice_wake *wake);
/* Sleeps until signalled, or for `timeout_ns` (negative: for ever). May return early. Whether there
 * was a signal since prepare. */
bool sluice_wake_wait(struct sluice_wake *wake, uint32_t prepared, int64_t timeout_ns);

#endif
