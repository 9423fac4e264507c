/* SPDX-License-Identifier: Apache-2.0
 *
 * Preloaded into a program under test: storage that hangs for exactly as long as a test wants.
 * While the file named by SLUICE_TEST_HOLD exists, fdatasync waits; HOLD.hit says that one does.
 * Each one takes SLUICE_TEST_SYNC_MS longer. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define LOOK_NS 1000000

__attribute__((visibility("default"))) int fdatasync(int fd)
{
    const struct timespec pause = {.tv_nsec = LOOK_NS};
    const char *hold = getenv("SLUICE_TEST_HOLD");
    char hit[512];
    if (hold != NULL && access(hold, F_OK) == 0) {
        snprintf(hit, sizeof(hit), "%s.hit", hold);
        close(open(hit, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
        while (access(hold, F_OK) == 0)
            nanosleep(&pause, NULL);
    }
    const char *slow = getenv("SLUICE_TEST_SYNC_MS");
    for (long ms = slow != NULL ? strtol(slow, NULL, 10) : 0; ms > 0; ms--)
        nanosleep(&pause, NULL);
    return (int)syscall(SYS_fdatasync, fd);
}
