/* SPDX-License-Identifier: Apache-2.0
 *
 * Design: everything is asked of the kernel by plain system calls, and every wish has a fallback
 * that works on any kernel: reserved huge pages, then transparent ones, then small ones. Pages are
 * faulted in by one call (MADV_POPULATE_WRITE, Linux 5.14), or by hand, one write a page.
 *
 * A transparent huge page is only made of 2 MiB that are aligned to as much and that are empty
 * when they are touched first, so regions are mapped with 2 MiB to spare and cut to size.
 *
 * The heap: libzmq allocates each message on its own thread and we free it on ours. glibc would
 * give free memory of such a thread's heap back to the system, which has to clear it again for the
 * next message, and maps and unmaps everything above 32 MiB one by one: 8700 page faults and 4
 * times the CPU of a message of 36 MB. So there is one heap, nothing is mapped beside it, and it
 * keeps what it has; the ring and the high-water mark bound how much that is. Its first
 * part is made at the start, by a block that is faulted in, in huge pages, and freed again. What it
 * grows by later comes in small pages: clearing 2 MiB on the path of an image takes longer than
 * clearing as many small ones as are needed.
 *
 * The NUMA policy is the thread's (inherited by those made later) and a preference: a node that is
 * full costs time, not the process. */
#include "core/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/atomics.h"
#include "core/log.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#define POLICY_PREFERRED 1    /* of set_mempolicy(2); linux/mempolicy.h is not everywhere */
#define NODES_MAX        1024 /* bits of the mask */
#define HEAP_STEP_BYTES  (64 << 20)

static _Atomic uint32_t wanted = SLUICE_HUGE_AUTO; /* enum sluice_huge_pages */

static enum sluice_huge_pages huge_pages(void)
{
    return (enum sluice_huge_pages)sluice_load_relaxed(&wanted);
}

static size_t round_up(size_t bytes, size_t unit)
{
    return (bytes + unit - 1) / unit * unit;
}

/* ---- regions ---- */

static void populate_by_hand(volatile unsigned char *data, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += SLUICE_SMALL_PAGE_BYTES)
        data[at] = data[at];
    data[bytes - 1] = data[bytes - 1];
}

/* The whole huge pages within; a kernel without them answers EINVAL, and small ones are had. */
static void mark_huge(const void *data, size_t bytes)
{
    const uintptr_t begin = round_up((uintptr_t)data, SLUICE_HUGE_PAGE_BYTES);
    const uintptr_t end =
        ((uintptr_t)data + bytes) / SLUICE_HUGE_PAGE_BYTES * SLUICE_HUGE_PAGE_BYTES;
    if (begin < end)
        (void)!madvise((void *)begin, end - begin,
                       huge_pages() == SLUICE_HUGE_OFF ? MADV_NOHUGEPAGE : MADV_HUGEPAGE);
}

static enum sluice_status populate(void *data, size_t bytes)
{
    const uintptr_t begin = (uintptr_t)data / SLUICE_SMALL_PAGE_BYTES * SLUICE_SMALL_PAGE_BYTES;
    while (madvise((void *)begin, (uintptr_t)data + bytes - begin, MADV_POPULATE_WRITE) != 0) {
        if (errno == EINVAL) { /* an older kernel */
            populate_by_hand(data, bytes);
            return SLUICE_OK;
        }
        if (errno != EINTR && errno != EAGAIN)
            return SLUICE_NO_MEMORY;
    }
    return SLUICE_OK;
}

enum sluice_status sluice_memory_prepare(void *data, size_t bytes)
{
    if (bytes == 0)
        return SLUICE_OK;
    mark_huge(data, bytes);
    return populate(data, bytes);
}

static bool map_reserved(struct sluice_region *region)
{
    const size_t bytes = round_up(region->bytes, SLUICE_HUGE_PAGE_BYTES);
    void *data = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_POPULATE, -1, 0);
    if (data == MAP_FAILED) {
        sluice_log_warning("memory",
                           "no %zu MiB of reserved huge pages (%s): others are used; raise "
                           "vm.nr_hugepages, or set memory.huge_pages to auto",
                           bytes >> 20, strerror(errno));
        return false;
    }
    region->data = data;
    region->mapped_bytes = bytes;
    return true;
}

/* Aligned to `unit`: maps more, and gives back what is before and behind. */
static void *map_aligned(size_t bytes, size_t unit)
{
    const size_t spare = unit > SLUICE_SMALL_PAGE_BYTES ? unit : 0;
    unsigned char *mapped =
        mmap(NULL, bytes + spare, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED)
        return NULL;
    if (spare == 0)
        return mapped;
    unsigned char *data = mapped + (round_up((uintptr_t)mapped, unit) - (uintptr_t)mapped);
    if (data > mapped)
        munmap(mapped, (size_t)(data - mapped));
    if (data + bytes < mapped + bytes + spare)
        munmap(data + bytes, (size_t)(mapped + spare - data));
    return data;
}

/* Its pages come when they are touched. */
static bool map_plain(struct sluice_region *region)
{
    const size_t unit =
        region->bytes >= SLUICE_HUGE_PAGE_BYTES ? SLUICE_HUGE_PAGE_BYTES : SLUICE_SMALL_PAGE_BYTES;
    region->mapped_bytes = round_up(region->bytes, SLUICE_SMALL_PAGE_BYTES);
    region->data =
        region->mapped_bytes < region->bytes ? NULL : map_aligned(region->mapped_bytes, unit);
    return region->data != NULL;
}

static enum sluice_status map_region(struct sluice_region *region, size_t bytes, bool now,
                                     struct sluice_error *error)
{
    *region = (struct sluice_region){.bytes = bytes};
    if (bytes == 0)
        return SLUICE_OK;
    if (bytes >= SLUICE_HUGE_PAGE_BYTES && huge_pages() == SLUICE_HUGE_RESERVED &&
        map_reserved(region))
        return SLUICE_OK;
    if (map_plain(region)) {
        if (!now)
            mark_huge(region->data, region->mapped_bytes);
        if (!now || sluice_memory_prepare(region->data, region->mapped_bytes) == SLUICE_OK)
            return SLUICE_OK;
    }
    sluice_region_unmap(region);
    return sluice_error_set(error, SLUICE_NO_MEMORY, "no memory for a region of %zu bytes", bytes);
}

enum sluice_status sluice_region_map(struct sluice_region *region, size_t bytes,
                                     struct sluice_error *error)
{
    return map_region(region, bytes, true, error);
}

enum sluice_status sluice_region_map_later(struct sluice_region *region, size_t bytes,
                                           struct sluice_error *error)
{
    return map_region(region, bytes, false, error);
}

void sluice_region_unmap(struct sluice_region *region)
{
    if (region->data != NULL)
        munmap(region->data, region->mapped_bytes);
    *region = (struct sluice_region){0};
}

/* ---- the process ---- */

static void keep_heap(uint64_t ready_bytes)
{
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_MMAP_MAX, 0);
    mallopt(M_TRIM_THRESHOLD, -1);
    mallopt(M_TOP_PAD, HEAP_STEP_BYTES);
    if (ready_bytes == 0)
        return;
    void *block = malloc(ready_bytes);
    if (block == NULL || sluice_memory_prepare(block, ready_bytes) != SLUICE_OK)
        sluice_log_warning("memory",
                           "no %" PRIu64 " MiB for received messages now: the first ones will take "
                           "page faults; lower memory.ready_bytes or free memory",
                           ready_bytes >> 20);
    free(block);
}

static enum sluice_status prefer_node(int node, struct sluice_error *error)
{
    enum { WORD_BITS = 8 * sizeof(unsigned long) };
    unsigned long mask[NODES_MAX / WORD_BITS] = {0};
    if (node >= NODES_MAX)
        return sluice_error_set(error, SLUICE_CONFIG, "memory.numa_node: there is no node %d",
                                node);
    mask[(unsigned)node / WORD_BITS] = 1UL << ((unsigned)node % WORD_BITS);
    /* The kernel takes one bit less than it is told. */
    if (syscall(SYS_set_mempolicy, POLICY_PREFERRED, mask, (unsigned long)NODES_MAX + 1) == 0)
        return SLUICE_OK;
    if (errno == ENOSYS || errno == EPERM) {
        sluice_log_warning("memory",
                           "memory.numa_node %d is not kept: this kernel (or container) has no "
                           "memory policies",
                           node);
        return SLUICE_OK;
    }
    return sluice_error_errno(error, SLUICE_CONFIG, errno,
                              "memory.numa_node: node %d cannot be used (lscpu lists the nodes)",
                              node);
}

/* With a limit, later allocations would fail at it: so all or nothing. */
static enum sluice_status lock_all(struct sluice_error *error)
{
    struct rlimit limit = {0};
    int code = 0;
    if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
        const struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
        if (setrlimit(RLIMIT_MEMLOCK, &none) != 0)
            code = errno;
    }
    if (code == 0 && mlockall(MCL_CURRENT | MCL_FUTURE) != 0)
        code = errno;
    if (code == 0)
        return SLUICE_OK;
    return sluice_error_errno(error, SLUICE_CONFIG, code,
                              "memory.lock: on, but memory cannot be locked beyond %" PRIu64
                              " KiB: raise the limit (LimitMEMLOCK=infinity in the unit, ulimit -l "
                              "unlimited), or set memory.lock to off",
                              (uint64_t)limit.rlim_cur / 1024);
}

enum sluice_status sluice_memory_configure(const struct sluice_memory_settings *settings,
                                           struct sluice_error *error)
{
    sluice_store_relaxed(&wanted, (uint32_t)settings->huge_pages);
    if (settings->numa_node >= 0) {
        const enum sluice_status status = prefer_node(settings->numa_node, error);
        if (status != SLUICE_OK)
            return status;
    }
    if (settings->heap_kept)
        keep_heap(settings->ready_bytes);
    return settings->lock ? lock_all(error) : SLUICE_OK;
}

struct sluice_page_faults sluice_page_faults(void)
{
    struct rusage usage = {0};
    getrusage(RUSAGE_SELF, &usage);
    return (struct sluice_page_faults){.minor = (uint64_t)usage.ru_minflt,
                                       .major = (uint64_t)usage.ru_majflt};
}

/* ---- what the system says ---- */

struct sluice_memory_use sluice_memory_use(void)
{
    struct sluice_memory_use use = {0};
    char line[256];
    uint64_t kib;
    FILE *file = fopen("/proc/self/smaps_rollup", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "Rss: %" SCNu64, &kib) == 1)
            use.resident_bytes += kib << 10;
        else if (sscanf(line, "AnonHugePages: %" SCNu64, &kib) == 1 ||
                 sscanf(line, "ShmemPmdMapped: %" SCNu64, &kib) == 1)
            use.huge_bytes += kib << 10;
        else if (sscanf(line, "Private_Hugetlb: %" SCNu64, &kib) == 1) {
            use.huge_bytes += kib << 10; /* these are not in Rss */
            use.resident_bytes += kib << 10;
        } else if (sscanf(line, "Locked: %" SCNu64, &kib) == 1)
            use.locked_bytes += kib << 10;
    }
    if (file != NULL)
        fclose(file);
    return use;
}

void sluice_memory_transparent(char *word, size_t bytes)
{
    char line[128] = "";
    const int fd = open("/sys/kernel/mm/transparent_hugepage/enabled", O_RDONLY | O_CLOEXEC);
    const ssize_t got = fd < 0 ? 0 : read(fd, line, sizeof line - 1);
    if (fd >= 0)
        close(fd);
    line[got > 0 ? got : 0] = '\0';
    const char *begin = strchr(line, '['), *end = begin != NULL ? strchr(begin, ']') : NULL;
    snprintf(word, bytes, "%.*s", end != NULL ? (int)(end - begin - 1) : 0,
             end != NULL ? begin + 1 : "");
}
