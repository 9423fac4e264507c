/* SPDX-License-Identifier: Apache-2.0
 *
 * Two threads pass a number to and fro. Times are taken of a hundred trips at once, and the median
 * of many such, so that an interruption changes nothing. */
#include "bench/pipeline/probe.h"

#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "bench/figures/spread.h"
#include "core/atomics.h"
#include "core/clock.h"

#define TRIPS_A_TIME 100
#define TIMES        61
#define TIMES_UNUSED 11 /* the first: threads start, processors wake up */
#define YIELD_AFTER  4096

bool sluice_probe_processors(int processors[2])
{
    int count = 0;
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0)
        return false;
    for (int i = 0; i < CPU_SETSIZE && count < 2; i++)
        if (CPU_ISSET((size_t)i, &allowed))
            processors[count++] = i;
    return count == 2;
}

struct ball {
    _Alignas(SLUICE_CACHE_LINE) _Atomic uint32_t number; /* even: at the near end */
    _Alignas(SLUICE_CACHE_LINE) double ns[TIMES];        /* of one way; read after the join */
};

static void wait_for(struct ball *ball, uint32_t number)
{
    for (uint32_t i = 1; sluice_load_relaxed(&ball->number) != number; i++)
        if (i % YIELD_AFTER == 0)
            sched_yield();
}

static void *far_end(void *context)
{
    struct ball *ball = context;
    for (uint32_t i = 0; i < TRIPS_A_TIME * TIMES; i++) {
        wait_for(ball, 2 * i + 1);
        sluice_store_relaxed(&ball->number, 2 * i + 2);
    }
    return NULL;
}

static void *near_end(void *context)
{
    struct ball *ball = context;
    int64_t begin_ns = 0;
    for (uint32_t i = 0; i < TRIPS_A_TIME * TIMES; i++) {
        if (i % TRIPS_A_TIME == 0)
            begin_ns = sluice_now_ns(sluice_clock_system());
        sluice_store_relaxed(&ball->number, 2 * i + 1);
        wait_for(ball, 2 * i + 2);
        if (i % TRIPS_A_TIME == TRIPS_A_TIME - 1)
            ball->ns[i / TRIPS_A_TIME] =
                (double)(sluice_now_ns(sluice_clock_system()) - begin_ns) / (2.0 * TRIPS_A_TIME);
    }
    return NULL;
}

static bool start(pthread_t *thread, int processor, void *(*run)(void *), void *context)
{
    pthread_attr_t attributes;
    cpu_set_t set;
    if (pthread_attr_init(&attributes) != 0)
        return false;
    CPU_ZERO(&set);
    CPU_SET((size_t)processor, &set);
    const bool good = pthread_attr_setaffinity_np(&attributes, sizeof(set), &set) == 0 &&
                      pthread_create(thread, &attributes, run, context) == 0;
    pthread_attr_destroy(&attributes);
    return good;
}

double sluice_probe_way_ns(void)
{
    struct ball ball = {0};
    pthread_t near, far;
    int processors[2];
    if (!sluice_probe_processors(processors) || !start(&near, processors[0], near_end, &ball))
        return NAN;
    const bool two = start(&far, processors[1], far_end, &ball);
    if (!two) /* then this thread plays with itself, so that the first one ends */
        far_end(&ball);
    pthread_join(near, NULL);
    if (!two)
        return NAN;
    pthread_join(far, NULL);
    return sluice_spread_of(ball.ns + TIMES_UNUSED, TIMES - TIMES_UNUSED).median;
}

static double steal_seconds(void)
{
    unsigned long long ticks = 0;
    FILE *file = fopen("/proc/stat", "re");
    if (file == NULL)
        return NAN;
    /* user nice system idle iowait irq softirq steal */
    const bool good = fscanf(file, "cpu %*u %*u %*u %*u %*u %*u %*u %llu", &ticks) == 1;
    fclose(file);
    return good ? (double)ticks / (double)sysconf(_SC_CLK_TCK) : NAN;
}

struct sluice_probe_steal sluice_probe_steal_begin(void)
{
    return (struct sluice_probe_steal){steal_seconds(), sluice_now_ns(sluice_clock_system())};
}

double sluice_probe_steal_percent(const struct sluice_probe_steal *since)
{
    const double wall =
        (double)(sluice_now_ns(sluice_clock_system()) - since->begin_ns) / SLUICE_NS_PER_S;
    return (steal_seconds() - since->seconds) * 100 /
           (wall * (double)sysconf(_SC_NPROCESSORS_ONLN));
}
