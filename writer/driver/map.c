/* SPDX-License-Identifier: Apache-2.0
 *
 * DESIGN. A file system that cannot take a page answers a store with SIGBUS: it went read-only
 * after an error, cannot read a page again, has no room for a copy of it. The handler then leaves
 * the store for the line before it, and the caller writes the same bytes with pwrite, which knows
 * the reason. */
#include "writer/driver/map.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <ucontext.h>
#include <unistd.h>

#include "core/log.h"

static _Thread_local sigjmp_buf *volatile trap; /* NULL: this thread stores nothing */
static struct sigaction formerly;
static pthread_mutex_t installing = PTHREAD_MUTEX_INITIALIZER;

static void on_bus_error(int number, siginfo_t *info, void *context)
{
    if (info->si_code > 0 && trap != NULL) { /* no return would give the thread its mask back */
        pthread_sigmask(SIG_SETMASK, &((const ucontext_t *)context)->uc_sigmask, NULL);
        siglongjmp(*trap, 1);
    }
    if (info->si_code <= 0 && formerly.sa_handler == SIG_IGN) /* sent, and ours are to come yet */
        return;
    sigaction(number, &formerly, NULL); /* a fault comes again when we return */
    if (info->si_code <= 0)
        raise(number);
}

/* Before what is there, if that is not us: others may have come behind us. */
static void install(void)
{
    struct sigaction there, ours = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};
    sigemptyset(&ours.sa_mask);
    pthread_mutex_lock(&installing);
    if (sigaction(SIGBUS, NULL, &there) == 0 &&
        !(there.sa_flags & SA_SIGINFO && there.sa_sigaction == on_bus_error)) {
        formerly = there;
        sigaction(SIGBUS, &ours, NULL);
    }
    pthread_mutex_unlock(&installing);
}

static bool is_known(int fd)
{
    static const unsigned long known[] = {
        0xef53,     /* ext4 */
        0x58465342, /* XFS */
        0x01021994, /* tmpfs */
    };
    struct statfs kind;
    if (fstatfs(fd, &kind) == 0)
        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
            if ((unsigned long)kind.f_type == known[i])
                return true;
    return false;
}

void sluice_map_open(struct sluice_map *map, int fd, uint64_t position, size_t bytes)
{
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), before = position % page;
    struct stat there;
    *map = (struct sluice_map){0};
    if (bytes == 0 || !is_known(fd) || fstat(fd, &there) != 0 ||
        (uint64_t)there.st_size < position + bytes)
        return;
    uint8_t *memory = mmap(NULL, bytes + before, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
                           (off_t)(position - before));
    if (memory == MAP_FAILED)
        return;
    install();
    *map = (struct sluice_map){.memory = memory + before, .from = position, .bytes = bytes};
}

void sluice_map_close(struct sluice_map *map)
{
    if (map->memory != NULL) {
        const size_t before = (uintptr_t)map->memory % (uintptr_t)sysconf(_SC_PAGESIZE);
        munmap(map->memory - before, map->bytes + before);
    }
    *map = (struct sluice_map){0};
}

bool sluice_map_store(struct sluice_map *map, uint64_t position, const uint8_t *data, size_t bytes)
{
    uint8_t *memory = map->memory + (position - map->from);
    sigjmp_buf back;
    if (sigsetjmp(back, 0) != 0) {
        trap = NULL;
        sluice_map_close(map);
        sluice_log_warning("writer", "the file system refuses a page of a mapped file, which is "
                                     "written from now on (writer.small_writes)");
        return false;
    }
    trap = &back;
    atomic_thread_fence(memory_order_release);
    if (bytes == 8) /* one instruction: whole, or not there */
        memcpy(memory, data, 8);
    else
        memcpy(memory, data, bytes);
    atomic_thread_fence(memory_order_release); /* a call to the system is none by itself */
    trap = NULL;
    return true;
}
