/* SPDX-License-Identifier: Apache-2.0
 *
 * The settings of a machine that decide how fast frames can be taken. Each function looks at one of
 * them, and says nothing where the machine does not have it (a virtual machine has no governor). */
#include <ctype.h>
#include <dirent.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/timex.h>

#include "cli/doctor.h"
#include "core/cpu.h"

#define PATH_BYTES       600
#define MIB              (UINT64_C(1) << 20)
#define TCP_BUFFER_WANTS (16 * MIB)
#define LOCKED_WANTS     (64 * MIB) /* io_uring's registered buffers, with room */
#define SHARED_WANTS     (256 * MIB)
#define IDLE_EXIT_US_MAX 100 /* an idle state that takes longer to leave shows in p99 */
#define JUMBO_MBIT       10000
#define DIRTY_BYTES_MAX  (UINT64_C(4) << 30)

bool sluice_doctor_read(const struct sluice_doctor *doctor, const char *path, char *text,
                        size_t bytes)
{
    char whole[PATH_BYTES];
    snprintf(whole, sizeof whole, "%s%s", doctor->root, path);
    FILE *file = fopen(whole, "re");
    const bool read = file != NULL && fgets(text, (int)bytes, file) != NULL;
    if (file != NULL)
        fclose(file);
    if (read)
        text[strcspn(text, "\n")] = '\0';
    return read;
}

static uint64_t number(const struct sluice_doctor *doctor, const char *path, uint64_t missing)
{
    char text[64];
    return sluice_doctor_read(doctor, path, text, sizeof text) && isdigit((unsigned char)text[0])
               ? strtoull(text, NULL, 10)
               : missing;
}

#define say(...) sluice_check_say(doctor->checks, __VA_ARGS__)
#define OK       SLUICE_CHECK_OK
#define WARNING  SLUICE_CHECK_WARNING

/* ---- processors ---- */

static void look_processors(const struct sluice_doctor *doctor)
{
    cpu_set_t usable;
    char isolated[128] = "";
    CPU_ZERO(&usable);
    const int count = sched_getaffinity(0, sizeof usable, &usable) == 0 ? CPU_COUNT(&usable) : 1;
    sluice_doctor_read(doctor, "/sys/devices/system/cpu/isolated", isolated, sizeof isolated);
    const bool few = count < 4;
    say(few ? WARNING : OK, "processors", "%d that may be used%s%s%s", count,
        isolated[0] != '\0' ? ", isolated ones: " : "", isolated,
        few ? ": receiving, libzmq, writing and compressing share them; 4 or more are better" : "");
    const enum sluice_cpu_level level = sluice_cpu_level();
    say(OK, "instructions", "%s%s", sluice_cpu_level_name(level),
        level == SLUICE_CPU_AVX512 ? "" : " (compressing and statistics are fastest with avx512)");
}

static void look_governor(const struct sluice_doctor *doctor)
{
    char text[64];
    if (!sluice_doctor_read(doctor, "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", text,
                            sizeof text))
        return;
    const bool good = strcmp(text, "performance") == 0;
    say(good ? OK : WARNING, "clock rate", "governor %s%s", text,
        good ? "" : ": it slows down between frames (cpupower frequency-set -g performance)");
}

/* The slowest exit of an idle state that is not switched off. */
static void look_idle_states(const struct sluice_doctor *doctor)
{
    uint64_t slowest = 0;
    bool any = false;
    for (unsigned i = 0; i < 16; i++) {
        char path[128];
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cpuidle/state%u/latency", i);
        const uint64_t latency = number(doctor, path, UINT64_MAX);
        if (latency == UINT64_MAX)
            break;
        any = true;
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cpuidle/state%u/disable", i);
        if (number(doctor, path, 0) == 0 && latency > slowest)
            slowest = latency;
    }
    if (any)
        say(slowest > IDLE_EXIT_US_MAX ? WARNING : OK, "idle states",
            "a processor wakes within %" PRIu64 " us%s", slowest,
            slowest > IDLE_EXIT_US_MAX ? ": deep states delay frames (cpupower idle-set -D 100)"
                                       : "");
}

static void look_nodes(const struct sluice_doctor *doctor)
{
    char text[128];
    if (!sluice_doctor_read(doctor, "/sys/devices/system/node/online", text, sizeof text) ||
        strpbrk(text, "-,") == NULL)
        return;
    const bool placed =
        doctor->config->source_agent.cpu >= 0 && doctor->config->writer_agent.cpu >= 0;
    say(placed ? OK : WARNING, "memory nodes", "%s%s", text,
        placed ? ""
               : ": set source.cpu and writer.cpu to CPUs of the network card's node (lscpu; "
                 "/sys/class/net/NAME/device/numa_node)");
}

static void look_clock(const struct sluice_doctor *doctor)
{
    char text[64];
    if (sluice_doctor_read(doctor,
                           "/sys/devices/system/clocksource/clocksource0/current_clocksource", text,
                           sizeof text)) {
        const bool slow = strcmp(text, "hpet") == 0 || strcmp(text, "acpi_pm") == 0;
        say(slow ? WARNING : OK, "clock", "%s%s", text,
            slow ? ": each look at it takes about a microsecond (clocksource=tsc)" : "");
    }
    struct timex time = {0};
    if (doctor->root[0] == '\0' && adjtimex(&time) == TIME_ERROR)
        say(WARNING, "time",
            "the system's time is not kept by NTP or PTP: arrival and write times "
            "do not compare with the detector's (chrony)");
}

/* ---- memory ---- */

static void look_huge_pages(const struct sluice_doctor *doctor)
{
    char text[128];
    if (!sluice_doctor_read(doctor, "/sys/kernel/mm/transparent_hugepage/enabled", text,
                            sizeof text))
        return;
    const bool never = strstr(text, "[never]") != NULL;
    say(never ? WARNING : OK, "huge pages", "transparent: %s%s", text,
        never ? ": large buffers stay in small pages (echo madvise > "
                "/sys/kernel/mm/transparent_hugepage/enabled)"
              : "");
}

/* Who may lock any amount (CAP_IPC_LOCK, root usually) is not held to the limit. */
static bool locks_freely(const struct sluice_doctor *doctor)
{
    char path[PATH_BYTES], line[256];
    uint64_t capabilities = 0;
    snprintf(path, sizeof path, "%s/proc/self/status", doctor->root);
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "CapEff: %" SCNx64, &capabilities) == 1)
            break;
    if (file != NULL)
        fclose(file);
    return (capabilities >> CAP_IPC_LOCK & 1) != 0;
}

static void look_locked(const struct sluice_doctor *doctor)
{
    struct rlimit limit = {0};
    getrlimit(RLIMIT_MEMLOCK, &limit);
    if (limit.rlim_cur == RLIM_INFINITY || locks_freely(doctor)) {
        say(OK, "locked memory", "any amount may be locked");
        return;
    }
    const bool enough = limit.rlim_cur >= LOCKED_WANTS;
    say(enough ? OK : WARNING, "locked memory", "%" PRIu64 " KiB may be locked%s",
        (uint64_t)limit.rlim_cur / 1024,
        enough ? ""
               : ": io_uring's buffers cannot be registered with the kernel (ulimit -l, "
                 "LimitMEMLOCK=infinity)");
}

static void look_swap(const struct sluice_doctor *doctor)
{
    char path[PATH_BYTES], line[256];
    unsigned areas = 0;
    snprintf(path, sizeof path, "%s/proc/swaps", doctor->root);
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        areas += line[0] == '/';
    if (file != NULL)
        fclose(file);
    if (areas > 0)
        say(WARNING, "swap", "is on: waiting frames may be swapped out (swapoff -a)");
}

/* Where live readers' memory lies. */
static void look_shared(const struct sluice_doctor *doctor)
{
    struct statvfs space;
    if (doctor->root[0] != '\0' || statvfs("/dev/shm", &space) != 0)
        return;
    const uint64_t bytes = (uint64_t)space.f_bavail * space.f_frsize;
    say(bytes < SHARED_WANTS ? WARNING : OK, "shared memory", "/dev/shm has %" PRIu64 " MiB free%s",
        bytes / MIB,
        bytes < SHARED_WANTS ? ": make it larger (mount -o remount,size=1G /dev/shm)" : "");
}

/* ---- network ---- */

static void look_tcp_buffers(const struct sluice_doctor *doctor)
{
    char text[128];
    unsigned long least, usual, most = 0;
    if (sluice_doctor_read(doctor, "/proc/sys/net/ipv4/tcp_rmem", text, sizeof text) &&
        sscanf(text, "%lu %lu %lu", &least, &usual, &most) == 3)
        say(most < TCP_BUFFER_WANTS ? WARNING : OK, "receive buffer",
            "the kernel gives a connection up to %lu KiB%s", most / 1024,
            most < TCP_BUFFER_WANTS ? ": a pause of a millisecond stops a fast sender (sysctl -w "
                                      "net.ipv4.tcp_rmem='4096 131072 67108864')"
                                    : "");
    const uint64_t wanted = doctor->config->source.receive_buffer_bytes;
    const uint64_t allowed = number(doctor, "/proc/sys/net/core/rmem_max", UINT64_MAX);
    if (wanted > allowed)
        say(WARNING, "source.receive_buffer_bytes",
            "%" PRIu64 " are wanted, the kernel allows %" PRIu64
            " (sysctl -w net.core.rmem_max=%" PRIu64 ")",
            wanted, allowed, wanted);
}

static void look_interface(const struct sluice_doctor *doctor, const char *name)
{
    char path[400];
    char speed[32] = "speed unknown"; /* as virtual cards have it */
    snprintf(path, sizeof path, "/sys/class/net/%s/speed", name);
    const uint64_t mbit = number(doctor, path, 0);
    if (mbit > 0)
        snprintf(speed, sizeof speed, "%" PRIu64 " Mbit/s", mbit);
    snprintf(path, sizeof path, "/sys/class/net/%s/mtu", name);
    const uint64_t mtu = number(doctor, path, 0);
    snprintf(path, sizeof path, "/sys/class/net/%s/statistics/rx_missed_errors", name);
    const uint64_t missed = number(doctor, path, 0);
    snprintf(path, sizeof path, "/sys/class/net/%s/statistics/rx_dropped", name);
    const uint64_t dropped = number(doctor, path, 0);
    const bool small = mbit >= JUMBO_MBIT && mtu < 9000;
    say(small || missed > 0 ? WARNING : OK, "network",
        "%s: %s, MTU %" PRIu64 ", %" PRIu64 " packets missed, %" PRIu64 " dropped%s%s", name, speed,
        mtu, missed, dropped, small ? "; MTU 9000 at both ends costs fewer interrupts" : "",
        missed > 0 ? "; the card's ring was full (ethtool -G NAME rx 4096)" : "");
}

/* Cards only: what has a device behind it. */
static void look_network(const struct sluice_doctor *doctor)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/sys/class/net", doctor->root);
    DIR *directory = opendir(path);
    const struct dirent *entry;
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        char text[64], operstate[400];
        snprintf(operstate, sizeof operstate, "/sys/class/net/%s/operstate", entry->d_name);
        if (entry->d_name[0] != '.' && strcmp(entry->d_name, "lo") != 0 &&
            sluice_doctor_read(doctor, operstate, text, sizeof text) && strcmp(text, "up") == 0)
            look_interface(doctor, entry->d_name);
    }
    if (directory != NULL)
        closedir(directory);
}

/* ---- kernel ---- */

static void look_io_uring(const struct sluice_doctor *doctor)
{
    const uint64_t disabled = number(doctor, "/proc/sys/kernel/io_uring_disabled", 0);
    if (disabled > 0 && doctor->config->writer.io == SLUICE_IO_DIRECT)
        say(WARNING, "io_uring",
            "switched off (kernel.io_uring_disabled is %" PRIu64
            "): images go through the page cache",
            disabled);
}

/* Only who writes through the page cache is made to wait by it. */
static void look_dirty(const struct sluice_doctor *doctor)
{
    char text[128];
    uint64_t memory = 0;
    const uint64_t ratio = number(doctor, "/proc/sys/vm/dirty_ratio", 0);
    if (doctor->config->writer.io == SLUICE_IO_DIRECT ||
        !sluice_doctor_read(doctor, "/proc/meminfo", text, sizeof text) ||
        sscanf(text, "MemTotal: %" SCNu64, &memory) != 1)
        return;
    const uint64_t bytes = memory * 1024 / 100 * ratio;
    if (bytes > DIRTY_BYTES_MAX)
        say(WARNING, "dirty pages",
            "%.1f GB may wait for the disk, and then everyone waits: write back earlier (sysctl -w "
            "vm.dirty_background_bytes=268435456 vm.dirty_bytes=1073741824), or writer.io: direct",
            (double)bytes / 1e9);
}

void sluice_doctor_machine(const struct sluice_doctor *doctor)
{
    look_processors(doctor);
    look_governor(doctor);
    look_idle_states(doctor);
    look_nodes(doctor);
    look_clock(doctor);
    look_huge_pages(doctor);
    look_locked(doctor);
    look_swap(doctor);
    look_shared(doctor);
    look_tcp_buffers(doctor);
    look_network(doctor);
    look_io_uring(doctor);
    look_dirty(doctor);
}
