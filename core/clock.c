/* SPDX-License-Identifier: Apache-2.0
 *
 * Design: two clocks behind one table of functions; the system's reads through the vDSO (about
 * 20 ns), the fake one is plain memory for single-threaded tests. */
#include "core/clock.h"

#include <stdio.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
    struct timespec now;

    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * SLUICE_NS_PER_S + now.tv_nsec;
}

static int64_t system_monotonic(const struct sluice_clock *clock)
{
    (void)clock;
    return read_clock(CLOCK_MONOTONIC);
}

static int64_t system_real(const struct sluice_clock *clock)
{
    (void)clock;
    return read_clock(CLOCK_REALTIME);
}

const struct sluice_clock *sluice_clock_system(void)
{
    static const struct sluice_clock clock = {.monotonic_ns = system_monotonic,
                                              .real_ns = system_real};

    return &clock;
}

static int64_t fake_monotonic(const struct sluice_clock *clock)
{
    return ((const struct sluice_clock_fake *)clock)->monotonic_now_ns;
}

static int64_t fake_real(const struct sluice_clock *clock)
{
    return ((const struct sluice_clock_fake *)clock)->real_now_ns;
}

void sluice_clock_fake_init(struct sluice_clock_fake *fake, int64_t monotonic_ns, int64_t real_ns)
{
    *fake = (struct sluice_clock_fake){
        .clock = {.monotonic_ns = fake_monotonic, .real_ns = fake_real},
        .monotonic_now_ns = monotonic_ns,
        .real_now_ns = real_ns,
    };
}

void sluice_clock_fake_advance(struct sluice_clock_fake *fake, int64_t ns)
{
    fake->monotonic_now_ns += ns;
    fake->real_now_ns += ns;
}

int64_t sluice_process_cpu_ns(void)
{
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

void sluice_time_iso8601(int64_t real_ns, char *buffer, size_t bytes)
{
    int64_t seconds = real_ns / SLUICE_NS_PER_S;
    int64_t rest_ns = real_ns % SLUICE_NS_PER_S;
    time_t time;
    struct tm utc;
    char whole[24]; /* "2026-11-22T08:15:30": years of an int64 of ns have four digits */

    if (rest_ns < 0) { /* before 1970 */
        rest_ns += SLUICE_NS_PER_S;
        seconds--;
    }
    time = (time_t)seconds;
    gmtime_r(&time, &utc);
    strftime(whole, sizeof whole, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(buffer, bytes, "%s.%06dZ", whole, (int)(rest_ns / SLUICE_NS_PER_US));
}
