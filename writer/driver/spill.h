/* SPDX-License-Identifier: Apache-2.0
 *
 * When a piece that should go past the page cache goes through it instead: so many are on their way
 * to the disk that the writer would wait for one to arrive, and a copy into the cache is quick.
 *
 * Whether it is, only trying tells. Where the system makes writers wait, because too much waits to
 * be written back, or where the cache's memory is dear (a virtual machine whose host took it back),
 * waiting for the disk costs less. So what the last ones took is averaged. Above
 * SLUICE_SPILL_LIMIT_NS a number of pieces waits as if there were no cache; then one is tried, and
 * if that is slow too, twice as many wait.
 *
 * One thread. Zeroed memory never spills. */
#ifndef SLUICE_WRITER_DRIVER_SPILL_H
#define SLUICE_WRITER_DRIVER_SPILL_H

#include <stdbool.h>
#include <stdint.h>

#define SLUICE_SPILL_LIMIT_NS INT64_C(500000) /* a piece of 1 MiB; a copy takes 100 to 250 us */
#define SLUICE_SPILL_PAUSE    64u             /* pieces, at first */
#define SLUICE_SPILL_PAUSES   16384u          /* at most */

struct sluice_spill {
    unsigned after;  /* pieces on their way; 0: never */
    unsigned pause;  /* pieces that still wait for the disk */
    unsigned next;   /* pause, if it is slow again; 0: the first */
    int64_t cost_ns; /* average */
    uint64_t held;   /* pieces that waited in pauses */
};

/* Asked once for each piece that would have to wait. */
bool sluice_spill_may(struct sluice_spill *spill);
/* So long the writing of one took. */
void sluice_spill_took(struct sluice_spill *spill, int64_t took_ns);

#endif
