/* SPDX-License-Identifier: Apache-2.0
 *
 * Asks the sender's stamps every millisecond how far it is. What it has sent and the receiver not
 * yet taken grows until all queues are full (of small images, tens of thousands) and then stays: so
 * the first tenth that is looked at begins a twentieth after the start, when they are. The price of
 * the start is the last look before an image was sent. */
#include "bench/pipeline/watch.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "bench/detector/stamps.h"
#include "core/atomics.h"
#include "core/clock.h"

#define LOOK_NS SLUICE_NS_PER_MS

/* In twentieths of the images: the last tenth begins within another. */
enum { AT_BEGIN, AT_TENTH, AT_LAST_BUT_ONE = 8, AT_NINE_TENTHS, AT_LAST, AT_END, MARKS };
static const uint64_t twentieths[MARKS] = {1, 3, 5, 7, 9, 11, 13, 15, 17, 18, 19, 20};

struct mark {
    int64_t cpu_ns, wall_ns;
    double resident;
};

static bool take_cpu(pid_t pid, int64_t *cpu_ns)
{
    clockid_t clock;
    struct timespec cpu;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &cpu) != 0)
        return false;
    *cpu_ns = cpu.tv_sec * SLUICE_NS_PER_S + cpu.tv_nsec;
    return true;
}

static bool take_mark(pid_t pid, struct mark *mark)
{
    char path[64];
    uint64_t pages = 0;
    if (!take_cpu(pid, &mark->cpu_ns))
        return false;
    mark->wall_ns = sluice_now_ns(sluice_clock_system());
    snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    const bool good = fscanf(file, "%*u %" SCNu64, &pages) == 1;
    fclose(file);
    mark->resident = (double)pages * (double)sysconf(_SC_PAGESIZE);
    return good;
}

static double cpu_us(const struct mark *marks, uint32_t from, uint32_t to, uint64_t count)
{
    const uint64_t images = (twentieths[to] - twentieths[from]) * count / 20;
    return (double)(marks[to].cpu_ns - marks[from].cpu_ns) / ((double)images * 1e3);
}

static void compute(const struct mark *marks, uint64_t count, struct sluice_watched *result)
{
    const double tenth = (double)count / 10 * 1e3;
    *result = (struct sluice_watched){
        .valid = true,
        .cpu_us_first = cpu_us(marks, AT_BEGIN, AT_TENTH, count),
        .cpu_us_last = cpu_us(marks, AT_NINE_TENTHS, AT_END, count),
        .wall_us_first = (double)(marks[AT_TENTH].wall_ns - marks[AT_BEGIN].wall_ns) / tenth,
        .wall_us_last = (double)(marks[AT_END].wall_ns - marks[AT_NINE_TENTHS].wall_ns) / tenth,
        .resident_first = marks[AT_TENTH].resident,
        .resident_last = marks[AT_END].resident,
    };
    uint32_t tenths = 0;
    for (uint32_t i = AT_BEGIN; i < AT_LAST_BUT_ONE; i++)
        result->cpu_us[tenths++] = cpu_us(marks, i, i + 1, count);
    result->cpu_us[tenths++] = cpu_us(marks, AT_LAST_BUT_ONE, AT_LAST, count);
    result->cpu_us[tenths++] = cpu_us(marks, AT_LAST, AT_END, count);
    assert(tenths == SLUICE_TENTHS);
}

static void look_before(struct sluice_watch *watch, struct sluice_stamps **stamps)
{
    const struct timespec pause = {.tv_nsec = LOOK_NS};
    int64_t cpu_ns = 0, now_ns = 0;
    while (!sluice_load_relaxed(&watch->stop)) {
        if (!take_cpu(watch->pid, &now_ns))
            break;
        if ((*stamps != NULL || sluice_stamps_open(watch->stamps, stamps, NULL) == SLUICE_OK) &&
            sluice_load_acquire(&(*stamps)->sent) > 0)
            break;
        cpu_ns = now_ns;
        nanosleep(&pause, NULL);
    }
    watch->start_cpu_seconds = (double)cpu_ns / (double)SLUICE_NS_PER_S;
}

static void *run(void *context)
{
    const struct timespec pause = {.tv_nsec = LOOK_NS};
    struct sluice_watch *watch = context;
    struct sluice_stamps *stamps = NULL;
    struct mark marks[MARKS];
    uint32_t next = 0;
    look_before(watch, &stamps);
    while (watch->tenths && stamps != NULL && next < MARKS && !sluice_load_relaxed(&watch->stop)) {
        nanosleep(&pause, NULL);
        const uint64_t count = stamps->count;
        while (next < MARKS &&
               sluice_load_acquire(&stamps->sent) >= count * twentieths[next] / 20) {
            if (!take_mark(watch->pid, &marks[next]))
                break;
            next++;
        }
    }
    if (next == MARKS && stamps->count >= 20)
        compute(marks, stamps->count, &watch->result);
    sluice_stamps_close(stamps);
    return NULL;
}

enum sluice_status sluice_watch_start(struct sluice_watch *watch, const char *stamps, pid_t pid,
                                      bool tenths, struct sluice_error *error)
{
    *watch = (struct sluice_watch){.stamps = stamps, .pid = pid, .tenths = tenths};
    const int code = pthread_create(&watch->thread, NULL, run, watch);
    if (code != 0)
        return sluice_error_errno(error, SLUICE_SYSTEM, code, "cannot start a thread");
    watch->running = true;
    return SLUICE_OK;
}

void sluice_watch_stop(struct sluice_watch *watch)
{
    if (!watch->running)
        return;
    sluice_store_relaxed(&watch->stop, 1);
    pthread_join(watch->thread, NULL);
    watch->running = false;
}
