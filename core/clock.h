/* SPDX-License-Identifier: Apache-2.0
 *
 * Time. Monotonic for every duration and latency, real only for stamps. Agents take their clock as
 * an argument, so that tests drive them on a fake one. Any thread. */
#ifndef SLUICE_CORE_CLOCK_H
#define SLUICE_CORE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#define SLUICE_NS_PER_S  INT64_C(1000000000)
#define SLUICE_NS_PER_MS INT64_C(1000000)
#define SLUICE_NS_PER_US INT64_C(1000)

struct sluice_clock {
    int64_t (*monotonic_ns)(const struct sluice_clock *clock);
    int64_t (*real_ns)(const struct sluice_clock *clock);
};

/* The system's. Never NULL, static. */
const struct sluice_clock *sluice_clock_system(void);

/* For tests: stands still until it is moved. */
struct sluice_clock_fake {
    struct sluice_clock clock; /* first */
    int64_t monotonic_now_ns, real_now_ns;
};
void sluice_clock_fake_init(struct sluice_clock_fake *fake, int64_t monotonic_ns, int64_t real_ns);
void sluice_clock_fake_advance(struct sluice_clock_fake *fake, int64_t ns);

static inline int64_t sluice_now_ns(const struct sluice_clock *clock)
{
    return clock->monotonic_ns(clock);
}

/* User plus system CPU time of the process, ns. */
int64_t sluice_process_cpu_ns(void);

/* "2026-11-22T08:15:30.123456Z" (UTC); buffer of at least 32 bytes. */
void sluice_time_iso8601(int64_t real_ns, char *buffer, size_t bytes);

#endif
