/* SPDX-License-Identifier: Apache-2.0
 *
 * Design: an event count on one futex word. The consumer announces that it is about to sleep, looks
 * once more, and sleeps only while the word is what it was at the announcement. A producer changes
 * the word with every signal, so one that came in between makes the sleep end at once.
 *
 * Invariant: when bit 0 is set and a signal comes, its sender clears the bit and calls the kernel;
 * all later senders find the bit clear and save the call, and rely on that first one, which is on
 * its way. A late clear may hit the next announcement; it changes the word too, so the consumer
 * wakes once for nothing and looks again. tests/model/ring.pml checks that no wake-up is lost. */
#include "ingest/ring/wake.h"

#include <assert.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SLEEPING UINT32_C(1)
#define SIGNAL   UINT32_C(2)

static_assert(ATOMIC_INT_LOCK_FREE == 2, "the word must be lock-free");
static_assert(sizeof(_Atomic uint32_t) == 4, "the kernel compares 32 bits");
static_assert(sizeof(struct sluice_wake) == SLUICE_CACHE_LINE, "wakes share no line");

void sluice_wake_signal(struct sluice_wake *wake)
{
    /* [edge SIGNAL]: releases the push before it to the consumer's second look. [edge SLEEP]:
     * acquires the consumer's announcement. */
    uint32_t old = sluice_add_acq_rel(&wake->word, SIGNAL);
    if (old & SLEEPING) {
        sluice_and_acq_rel(&wake->word, ~SLEEPING);
        syscall(SYS_futex, &wake->word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    }
}

uint32_t sluice_wake_prepare(struct sluice_wake *wake)
{
    /* [edge SLEEP]: releases the announcement. [edge SIGNAL]: acquires the push before a signal
     * that came first. */
    return sluice_or_acq_rel(&wake->word, SLEEPING) | SLEEPING;
}

void sluice_wake_cancel(struct sluice_wake *wake)
{
    sluice_and_acq_rel(&wake->word, ~SLEEPING); /* [edge SIGNAL] */
}

bool sluice_wake_wait(struct sluice_wake *wake, uint32_t prepared, int64_t timeout_ns)
{
    struct timespec timeout = {.tv_sec = timeout_ns / 1000000000,
                               .tv_nsec = timeout_ns % 1000000000};
    if (sluice_load_relaxed(&wake->word) == prepared) {
        /* Woken, word changed, signal handler, time over: the caller looks again in each case. */
        syscall(SYS_futex, &wake->word, FUTEX_WAIT_PRIVATE, prepared,
                timeout_ns < 0 ? NULL : &timeout, NULL, 0);
    }
    /* Awake now: later signals need not call the kernel. [edge SIGNAL]: acquires the pushes. */
    return (sluice_and_acq_rel(&wake->word, ~SLEEPING) | SLEEPING) != prepared;
}
